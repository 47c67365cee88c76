"""What the linter says about a piece of code, in two forms.

A rule yields a `Finding`: it speaks in character offsets of the analysed text, which is all a rule
knows. The engine turns it into a `Diagnostic`: rows and columns as people and tools read them
(1-based; rows of the cell for a notebook), plain data that is cached, sent between processes and
handed to the reporters.

Named tuples, because this module is imported on every run: a frozen dataclass costs ten times as
much to define.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Severity(enum.IntEnum):
    """How bad it is: `ERROR` raises or is certainly wrong, `WARNING` silently learns worse."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Severity:
        """The severity called `text`; raises `ValueError` for any other word."""
        try:
            return cls[text.upper()]
        except KeyError:
            choices = ", ".join(s.label for s in cls)
            raise ValueError(f"unknown severity {text!r} (one of: {choices})") from None


class Applicability(str, enum.Enum):
    """Who may apply a fix.

    `SAFE`: behaviour is kept, or the old code could not run on the targeted release. `UNSAFE`: what
    the program computes changes, for the better. `SUGGEST`: shown, never applied.
    """

    SAFE = "safe"
    UNSAFE = "unsafe"
    SUGGEST = "suggest"


class Edit(NamedTuple):
    """Replace characters `start` to `end` (exclusive) of the source text by `text`."""

    start: int
    end: int
    text: str


class Fix(NamedTuple):
    """Edits that mend one finding; all of them are applied, or none."""

    message: str
    edits: tuple[Edit, ...]
    applicability: Applicability


class Finding(NamedTuple):
    """One thing to say about one place, as a rule sees it: offsets into `Source.text`.

    `message` says what is wrong and what happens because of it; `help` what to write instead.
    `scope` is the qualified name of the enclosing definition ("Agent.update", "" for a module):
    fingerprints use it, so that moved code keeps its identity. `related` are further places,
    as (start, end, label).
    """

    code: str
    name: str
    severity: Severity
    start: int
    end: int
    message: str
    help: str = ""
    scope: str = ""
    fix: Fix | None = None
    related: tuple[tuple[int, int, str], ...] = ()


class DiagnosticEdit(NamedTuple):
    """An edit as reporters show it; columns count characters, the end is exclusive."""

    row: int
    column: int
    end_row: int
    end_column: int
    text: str


class DiagnosticFix(NamedTuple):
    """A fix as reporters show it."""

    message: str
    applicability: str
    edits: tuple[DiagnosticEdit, ...]


class Diagnostic(NamedTuple):
    """A finding in a file: what is reported, cached and compared.

    `path` is as the user named it, with forward slashes. `cell` is the 1-based position of the cell
    over all cells of a notebook, or None. Rows and columns are 1-based, the end column exclusive.
    `noqa_row` is the row on which a suppression comment is honoured. `fingerprint` survives moved
    lines and reformatting. `excerpt` holds the rows to show, each with its text: a reporter needs
    no file.
    """

    path: str
    cell: int | None
    row: int
    column: int
    end_row: int
    end_column: int
    code: str
    name: str
    severity: str
    message: str
    help: str = ""
    fix: DiagnosticFix | None = None
    noqa_row: int | None = None
    scope: str = ""
    fingerprint: str = ""
    excerpt: tuple[tuple[int, str], ...] = ()

    def as_dict(self) -> dict:
        """Plain data that `from_dict` reads, also after a round trip through JSON."""
        fix = self.fix
        if fix is not None:
            fix = {**fix._asdict(), "edits": [edit._asdict() for edit in fix.edits]}
        return {**self._asdict(), "fix": fix}

    @classmethod
    def from_dict(cls, data: dict) -> Diagnostic:
        """The diagnostic that `as_dict` made `data` of."""
        fix = data.get("fix")
        if fix is not None:
            edits = tuple(DiagnosticEdit(**edit) for edit in fix["edits"])
            fix = DiagnosticFix(fix["message"], fix["applicability"], edits)
        excerpt = tuple((row, text) for row, text in data.get("excerpt", ()))
        return cls(**{**data, "fix": fix, "excerpt": excerpt})
