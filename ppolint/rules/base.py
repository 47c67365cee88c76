"""What a rule is: a declaration and a generator over the model of one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Edit, Finding, Fix, Severity

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

Check = Callable[["FileModel"], Iterable[Finding]]


@dataclass(eq=False, slots=True)
class Rule:
    """One rule of the catalogue.

    `needs` is a conjunction of alternatives, for the screen: `(("exp",), ("clamp", "clip"))` means
    that the rule has nothing to say about a file without `exp` and one of `clamp`, `clip`. An entry
    is an identifier, or, when it is not one (`"[::-1]"`), a piece of text to look for, or a regex
    after `re:`. The cheapest and rarest group comes first: the next is looked at only when it holds.
    `fix` is the applicability of the fix the rule can offer, or None. `default` is False for a rule
    that has to be selected by name or code. `across_files` marks a rule whose answer depends on
    other files of the project. `program` is the kind of program it is about, asked before a file is
    parsed (`semantics.evidence.Program.is_a`): "torch", "torchrl", "rl", "loss", "value",
    "recursion", or None for that of its family (`engine.screen`). `torchrl` is a version specifier of the releases it is about.
    """

    code: str
    name: str
    severity: Severity
    needs: tuple[tuple[str, ...], ...]
    summary: str
    fix: Applicability | None = None
    default: bool = True
    across_files: bool = False
    program: str | None = None
    torchrl: str | None = None
    _check: Check | None = field(default=None, repr=False)

    def check(self, function: Check) -> Check:
        """Decorator: `function(file)` yields the findings of this rule in one file."""
        self._check = function
        return function

    def findings(self, file: FileModel) -> Iterator[Finding]:
        """Everything this rule has to say about `file`."""
        assert self._check is not None, f"{self.code} has no check"
        yield from self._check(file)

    def at(
        self,
        span: tuple[int, int],
        message: str,
        *,
        help: str = "",
        scope: str = "",
        fix: Fix | None = None,
        severity: Severity | None = None,
        related: Iterable[tuple[int, int, str]] = (),
    ) -> Finding:
        """A finding of this rule over the characters `span[0]` to `span[1]` of the source text."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity if severity is None else severity,
            start=span[0],
            end=span[1],
            message=message,
            help=help,
            scope=scope,
            fix=fix,
            related=tuple(related),
        )

    def mend(self, message: str, *edits: Edit, applicability: Applicability | None = None) -> Fix:
        """A fix of this rule; its applicability is the declared one unless said otherwise."""
        chosen = applicability if applicability is not None else self.fix
        assert chosen is not None, f"{self.code} declares no fix"
        return Fix(message, tuple(sorted(edits)), chosen)
