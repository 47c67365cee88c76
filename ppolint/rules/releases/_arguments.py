"""What is wrong with the arguments of a call in the target's releases: one verdict each.

The rules PPO902 to PPO905, PPO907, PPO909 and PPO606 each report the verdicts of their code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from ppolint.findings import Applicability, Edit
from ppolint.rules.releases import _removal
from ppolint.rules.releases._calls import ApiCall, Argument, api_calls
from ppolint.rules.releases._context import Context, context, leaf
from ppolint.torchrl_api.arguments import (
    ANY_POSITION,
    LOSS_DEFAULTS,
    LOSS_SYNONYMS,
    REQUIRED,
    ArgumentChange,
    argument_change,
    raising_argument,
)
from ppolint.torchrl_api.database import Lifetime
from ppolint.torchrl_api.renames import predecessors
from ppolint.torchrl_api.signatures import Extra, Signature

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

RENAMED, UNKNOWN, MISSING = "PPO902", "PPO903", "PPO904"
DEPRECATED, TOO_NEW, REMOVED, SWALLOWED = "PPO905", "PPO907", "PPO909", "PPO606"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing to say about a call; `edits` are empty where there is nothing to offer."""

    code: str
    span: tuple[int, int]
    scope: str
    message: str
    help: str = ""
    title: str = ""
    edits: tuple[Edit, ...] = ()
    applicability: Applicability = Applicability.SUGGEST


def verdicts(file: FileModel, code: str) -> list[Verdict]:
    """The verdicts that the rule `code` reports, in the order of the text."""
    return [v for v in _judged(file) if v.code == code]


@lru_cache(maxsize=1)
def _judged(file: FileModel) -> tuple[Verdict, ...]:
    ctx = context(file)
    found = {}
    for call in api_calls(ctx):
        for verdict in _Judge(ctx, call).verdicts():
            found.setdefault((verdict.code, verdict.span), verdict)
    return tuple(sorted(found.values(), key=lambda v: v.span))


class _Judge:
    """One call against the signatures of the target's releases."""

    def __init__(self, ctx: Context, call: ApiCall) -> None:
        self.ctx = ctx
        self.call = call
        self.signatures = call.signatures(ctx)
        self.name = leaf(call.path)
        self.renamed: set[str] = set()

    def verdicts(self) -> Iterator[Verdict]:
        if not self.signatures or any(s.stub for s in self.signatures.values()):
            return
        self.owners = self.call.owners(self.ctx)
        for argument in self.call.arguments:
            yield from self._keyword(argument)
        overflow = list(self._positional())
        yield from overflow
        if self.call.complete and not overflow:
            yield from self._missing()

    def _verdict(self, code: str, span: tuple[int, int], message: str, **rest: Any) -> Verdict:
        return Verdict(code, span, self.call.where, message, **rest)

    # -- keywords ---------------------------------------------------------------------------
    def _keyword(self, argument: Argument) -> Iterator[Verdict]:
        name = argument.name
        bad = [r for r, s in self.signatures.items() if s.accepts(name) is False]
        if not bad:
            yield from self._accepted(argument)
            return
        change = argument_change(self.owners, name)
        if change is not None and change.new is not None:
            self.renamed.add(change.new)
            yield self._renamed(argument, change, bad)
            return
        lifetime = self._lifetime(name)
        older = [r for r in lifetime.releases if Version(r) < Version(bad[-1])]
        if older or change is not None:
            yield self._gone(argument, lifetime, bad, change)
        elif lifetime:
            yield self._too_new(argument, lifetime, bad)
        else:
            yield from self._unknown(argument, bad)

    def _lifetime(self, name: str) -> Lifetime:
        """The releases in which the callable, under any of its names, has had an argument."""
        identity = self.ctx.db.identify(self.call.path) or self.call.path
        paths = dict.fromkeys((self.call.path, identity, *predecessors(identity)))
        lifetimes = [self.ctx.db.parameter_lifetime(path, name) for path in paths]
        known = lifetimes[0].known
        found = {r for lifetime in lifetimes if lifetime.known == known for r in lifetime.releases}
        return Lifetime(tuple(r for r in known if r in found), known)

    def _effect(self, name: str, bad: list[str]) -> str:
        """What a keyword that is not accepted does at run time."""
        signature = self.signatures[bad[-1]]
        if name not in signature.removed and signature.extra is Extra.SWALLOWS:
            return "is silently ignored"
        if self.call.form == "dict":
            return "raises TypeError when the actor is first called"
        return "raises TypeError"

    def _accepts_everywhere(self, name: str) -> bool:
        return all(s.accepts(name) for s in self.signatures.values())

    def _renamed(self, argument: Argument, change: ArgumentChange, bad: list[str]) -> Verdict:
        new = change.new or ""
        where = self.ctx.in_target(self.call.path, bad)
        message = f"`{self.name}({argument.name}=)` {self._effect(argument.name, bad)} in {where}"
        help = f"write `{new}=`" if change.exact else change.note
        if any(a.name == new for a in self.call.arguments):
            return self._verdict(
                RENAMED, argument.name_span(self.ctx), message, help=f"`{new}` is given already"
            )
        edits: tuple[Edit, ...] = ()
        applicability = Applicability.SUGGEST
        if change.exact:
            edits = (Edit(*argument.name_span(self.ctx), argument.renamed(new)),)
            if self._accepts_everywhere(new):
                applicability = Applicability.SAFE
            else:
                since = self._lifetime(new).since
                help += f", which exists since {since}: raise the floor to that" if since else ""
        return self._verdict(
            RENAMED,
            argument.name_span(self.ctx),
            message,
            help=help,
            title=f"Rename `{argument.name}` to `{new}`",
            edits=edits,
            applicability=applicability,
        )

    def _gone(
        self, argument: Argument, lifetime: Lifetime, bad: list[str], change: ArgumentChange | None
    ) -> Verdict:
        where = self.ctx.in_target(self.call.path, bad)
        message = f"`{self.name}({argument.name}=)` {self._effect(argument.name, bad)} in {where}"
        if lifetime.removed_in:
            message += f": it was removed in {lifetime.removed_in}"
        note = change.note if change is not None and change.note else "leave it out"
        return self._verdict(
            REMOVED,
            argument.span(self.ctx),
            message,
            help=note,
            title=f"Remove `{argument.name}`",
            edits=_removal.argument(self.ctx, self.call, argument),
        )

    def _too_new(self, argument: Argument, lifetime: Lifetime, bad: list[str]) -> Verdict:
        since = lifetime.releases[0]
        title = self.ctx.title(self.call.path, since)
        where = self.ctx.in_target(self.call.path, bad)
        message = (
            f"`{self.name}({argument.name}=)` exists since {title}; "
            f"it {self._effect(argument.name, bad)} in {where}"
        )
        return self._verdict(
            TOO_NEW, argument.name_span(self.ctx), message, help=f"raise the floor to {since}"
        )

    def _unknown(self, argument: Argument, bad: list[str]) -> Iterator[Verdict]:
        signature = self.signatures[bad[-1]]
        where = self.ctx.in_target(self.call.path, bad)
        if signature.extra is Extra.SWALLOWS:
            if any(owner == "torchrl.objectives.LossModule" for owner in self.owners):
                yield self._swallowed(argument, signature, where)
            return
        message = (
            f"`{self.name}` has no argument `{argument.name}`: "
            f"it {self._effect(argument.name, bad)} in {where}"
        )
        close = _close(argument.name, signature.keywords)
        close = [c for c in close if self._accepts_everywhere(c) and not self._given(c)]
        edits: tuple[Edit, ...] = ()
        if len(close) == 1:
            self.renamed.add(close[0])
            edits = (Edit(*argument.name_span(self.ctx), argument.renamed(close[0])),)
        yield self._verdict(
            UNKNOWN,
            argument.name_span(self.ctx),
            message,
            help=f"did you mean `{' or '.join(close)}`?" if close else "",
            title=f"Rename `{argument.name}` to `{close[0]}`" if edits else "",
            edits=edits,
            applicability=Applicability.SAFE,
        )

    def _given(self, name: str) -> bool:
        return any(a.name == name for a in self.call.arguments)

    def _swallowed(self, argument: Argument, signature: Signature, where: str) -> Verdict:
        meant = LOSS_SYNONYMS.get(argument.name)
        if meant is None or signature.parameter(meant) is None:
            close = _close(argument.name, signature.keywords)
            meant = close[0] if len(close) == 1 else None
        message = f"`{self.name}` ignores `{argument.name}` without a word in {where}"
        if meant is None:
            return self._verdict(
                SWALLOWED,
                argument.name_span(self.ctx),
                message,
                help="no argument of the loss is called that",
            )
        parameter = signature.parameter(meant)
        default = parameter.default if parameter is not None else None
        if default == "None":
            default = LOSS_DEFAULTS.get(meant, default)
        if self._given(meant):
            message += f": the `{meant}` of the same call applies"
        else:
            message += f": `{meant}={default}` applies instead"
        edits: tuple[Edit, ...] = ()
        if not self._given(meant) and self._accepts_everywhere(meant):
            edits = (Edit(*argument.name_span(self.ctx), argument.renamed(meant)),)
        return self._verdict(
            SWALLOWED,
            argument.name_span(self.ctx),
            message,
            help=f"write `{meant}=`",
            title=f"Rename `{argument.name}` to `{meant}`",
            edits=edits,
            applicability=Applicability.UNSAFE,
        )

    def _accepted(self, argument: Argument) -> Iterator[Verdict]:
        """A keyword that has a parameter: one that raises, or one that warns."""
        entry = raising_argument(self.owners, argument.name)
        if (
            entry is not None
            and _has_value(argument.value, entry.when)
            and not (entry.when == "given" and self._is_none_by_default(argument.value))
        ):
            since = Version(entry.since)
            raising = [r for r in self.signatures if Version(r) >= since]
            if raising:
                where = self.ctx.in_target(self.call.path, raising)
                value = "" if entry.when == "given" else entry.when
                edits, safe = _removal.mended(self.ctx, self.call, argument, entry)
                yield self._verdict(
                    REMOVED,
                    argument.span(self.ctx),
                    f"`{self.name}({argument.name}={value})` raises {entry.raises} in {where}",
                    help=f"instead: {entry.instead}",
                    title=f"Take `{argument.name}` out of the call",
                    edits=edits,
                    applicability=Applicability.SAFE if safe else Applicability.SUGGEST,
                )
                return
        change = argument_change(self.owners, argument.name)
        if change is None or change.new is None:
            return
        if self.call.complete and self._needs(change.new):
            yield self._renamed(argument, change, list(self.signatures))
            self.renamed.add(change.new)
            return
        if change.deprecated is None:
            return
        newest = list(self.signatures)[-1]
        if Version(newest) < Version(change.deprecated) or self._given(change.new):
            return
        safe = change.exact and self._accepts_everywhere(change.new)
        if not safe and self._accepts_everywhere(argument.name) and change.exact:
            return  # the only spelling that works in the whole range
        yield self._verdict(
            DEPRECATED,
            argument.name_span(self.ctx),
            f"`{self.name}({argument.name}=)` is deprecated since "
            f"{self.ctx.title(self.call.path, change.deprecated)}",
            help=f"write `{change.new}=`" if change.exact else change.note,
            title=f"Rename `{argument.name}` to `{change.new}`",
            edits=(Edit(*argument.name_span(self.ctx), argument.renamed(change.new)),)
            if safe
            else (),
            applicability=Applicability.SAFE,
        )

    def _is_none_by_default(self, node: Any) -> bool:
        """Whether a value is a parameter of the function around, None where it is not given: a
        subclass that hands its arguments on raises only for those who use them."""
        function = self.call.scope.function()
        name = getattr(node, "value", None) if type(node).__name__ == "Name" else None
        if function is None or name is None:
            return False
        params = function.node.params
        return any(
            param.name.value == name and getattr(param.default, "value", None) == "None"
            for param in (*params.posonly_params, *params.params, *params.kwonly_params)
        )

    def _needs(self, name: str) -> bool:
        """Whether `name` is required everywhere and not given: an old alias of it does not help."""
        return all(name in self._absent(signature) for signature in self.signatures.values())

    # -- positions and absences -------------------------------------------------------------
    def _positional(self) -> Iterator[Verdict]:
        given = len(self.call.positional)
        if self.call.star or not given or self._moves_positions():
            return
        limits = {
            r: len(s.positional)
            for r, s in self.signatures.items()
            if not s.takes_any_positional and len(s.positional) < given
        }
        if not limits:
            return
        limit = min(limits.values())
        extra = self.call.positional[limit:]
        names = self._old_positions(limit, given)
        where = self.ctx.in_target(self.call.path, limits)
        if names is None:
            yield self._verdict(
                UNKNOWN,
                self.ctx.file.span(extra[0].value),
                f"`{self.name}` takes {limit or 'no'} positional argument{'s' * (limit != 1)}, "
                f"{given} are given: TypeError in {where}",
                help="give it by keyword",
            )
            return
        self.renamed.update(names)
        yield self._verdict(
            RENAMED,
            self.ctx.file.span(extra[0].value),
            f"`{self.name}` takes `{names[0]}` by keyword only: TypeError in {where}",
            help=f"write `{names[0]}=`",
            title="Give it by keyword",
            edits=tuple(
                Edit(self.ctx.file.span(arg.value)[0], self.ctx.file.span(arg.value)[0], f"{name}=")
                for arg, name in zip(extra, names)
            ),
            applicability=Applicability.SAFE,
        )

    def _moves_positions(self) -> bool:
        views = [view for _, view in self.ctx.views(self.call.path)]
        entities = [view.resolve(self.call.path) for view in views]
        return any(e is not None and e.path.startswith(ANY_POSITION) for e in entities)

    def _old_positions(self, limit: int, given: int) -> list[str] | None:
        """The names that positions `limit` to `given` had in the last release that took them."""
        path = self.call.path
        first = Version(next(iter(self.signatures)))
        for release, view in reversed(self.ctx.db.views(path.partition(".")[0])):
            signature = view.signature(path) if Version(release) < first else None
            if signature is not None and len(signature.positional) >= given:
                names = [p.name for p in signature.positional[limit:given]]
                fine = all(self._accepts_everywhere(n) and not self._given(n) for n in names)
                return names if fine else None
        return None

    def _missing(self) -> Iterator[Verdict]:
        for release, signature in self.signatures.items():
            absent = self._absent(signature)
            if absent:
                listed = ", ".join(f"`{name}`" for name in absent)
                yield self._verdict(
                    MISSING,
                    self.ctx.file.span(getattr(self.call.node, "func", self.call.node)),
                    f"`{self.name}` is called without {listed}: TypeError in "
                    f"{self.ctx.title(self.call.path, release)}",
                    help=f"pass {listed}",
                )
                return
        newest = list(self.signatures)[-1]
        for entry in REQUIRED:
            if entry.owner in self.owners and Version(newest) >= Version(entry.since):
                signature = self.signatures[newest]
                filled = {p.name for p in signature.positional[: len(self.call.positional)]}
                if entry.name not in filled and not self._given(entry.name):
                    yield self._verdict(
                        MISSING,
                        self.ctx.file.span(getattr(self.call.node, "func", self.call.node)),
                        f"`{self.name}` is called without `{entry.name}`: {entry.raises} in "
                        f"{self.ctx.title(self.call.path, newest)}",
                        help=f"pass `{entry.name}`",
                    )

    def _absent(self, signature: Signature) -> list[str]:
        if any(p.name == "batch_size" and p.required for p in signature.parameters):
            return []  # a tensorclass, which accepts less than its fields say
        given = {a.name for a in self.call.arguments} | self.renamed
        given |= {p.name for p in signature.positional[: len(self.call.positional)]}
        return [p.name for p in signature.parameters if p.required and p.name not in given]


def _close(name: str, known: Iterable[str]) -> list[str]:
    """The names that `name` is probably a misspelling of: one, if one is clearly the closest."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.8)
    if len(close) == 2:
        first, second = (difflib.SequenceMatcher(None, name, c).ratio() for c in close)
        if first - second > 0.08:
            return close[:1]
    return close


def _has_value(node: Any, when: str) -> bool:
    """Whether an argument has a value that raises; a value that cannot be seen counts as given."""
    text = getattr(node, "value", None) if type(node).__name__ == "Name" else None
    if when == "given":
        return text != "None"
    return text == when
