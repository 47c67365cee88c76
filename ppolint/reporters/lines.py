"""Fixes as whole lines: what formats with suggestions want."""

from __future__ import annotations

from typing import NamedTuple

from ppolint.findings import Diagnostic
from ppolint.reporters import Report
from ppolint.source.file import normalised


class Replacement(NamedTuple):
    """Rows `first` to `last` (inclusive) of a file, as they are and as they are to be."""

    first: int
    last: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class Lines:
    """The rows of the files of a report: of the head of a review, else of what findings show."""

    def __init__(self, report: Report) -> None:
        self._review = report.review
        self._texts: dict[str, list[str] | None] = {}

    def row(self, diagnostic: Diagnostic, row: int) -> str | None:
        """A row of a finding's file, None when it is not known."""
        if self._review is not None and diagnostic.cell is None:
            path = diagnostic.path
            if path not in self._texts:
                text = self._review.text(path)
                self._texts[path] = None if text is None else normalised(text).split("\n")
            lines = self._texts[path]
            return lines[row - 1] if lines is not None and row <= len(lines) else None
        shown = dict(diagnostic.excerpt)
        # A row of this length may have been cut.
        return shown[row] if row in shown and len(shown[row]) < 400 else None

    def replacement(self, diagnostic: Diagnostic) -> Replacement | None:
        """What the fix of a finding makes of whole rows; None without one, or with rows unknown."""
        fix = diagnostic.fix
        if fix is None or not fix.edits:
            return None
        first = min(edit.row for edit in fix.edits)
        last = max(edit.end_row for edit in fix.edits)
        rows = [self.row(diagnostic, row) for row in range(first, last + 1)]
        if any(row is None for row in rows):
            return None
        before = tuple(row for row in rows if row is not None)
        starts = [0]
        for line in before:
            starts.append(starts[-1] + len(line) + 1)
        text = "\n".join(before)
        for edit in sorted(fix.edits, reverse=True):
            start = starts[edit.row - first] + edit.column - 1
            end = starts[edit.end_row - first] + edit.end_column - 1
            text = text[:start] + edit.text + text[end:]
        after = tuple(text.split("\n"))
        # Rows that stay as they are do not belong to a suggestion.
        while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
            before, after, last = before[:-1], after[:-1], last - 1
        while len(before) > 1 and len(after) > 1 and before[0] == after[0]:
            before, after, first = before[1:], after[1:], first + 1
        return None if before == after else Replacement(first, last, before, after)


def fence(text: str) -> str:
    """A Markdown fence that no run of backticks in `text` closes."""
    import re

    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)


def place(diagnostic: Diagnostic) -> str:
    """`path:row`, with the cell of a notebook."""
    if diagnostic.cell is not None:
        return f"{diagnostic.path}, cell {diagnostic.cell}, row {diagnostic.row}"
    return f"{diagnostic.path}:{diagnostic.row}"


def in_cell(diagnostic: Diagnostic) -> str:
    """`cell 3, row 2: ` for formats whose rows are those of the file, which a cell's are not."""
    if diagnostic.cell is None:
        return ""
    return f"cell {diagnostic.cell}, row {diagnostic.row}: "
