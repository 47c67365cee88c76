"""Where in a change the cause of a finding is, when the code found is not what was changed.

The worst regressions remove something: the finding is then about code that nobody touched. It is
attached to the nearest changed line, with what was taken away there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ppolint.findings import Diagnostic
from ppolint.review.changes import Block, FileChange
from ppolint.review.tree import lintable

_WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\S")
_SHOWN = 3


class Cause(NamedTuple):
    """A place in the change: `row` is of the head. `removed` are the lines (or the pieces of a
    line) that went, `touched` tells that the finding's own lines were changed. `requirement` is what
    became of the TorchRL requirement, for a finding that only other releases bring."""

    path: str
    row: int
    removed: tuple[str, ...]
    touched: bool
    requirement: str = ""

    def sentence(self, finding: Diagnostic) -> str:
        """What to tell a person about the cause; empty when the finding says it all."""
        if self.requirement:
            return f"Caused by the change of the requirement in {self.path}:{self.row}."
        here = "" if self.path == finding.path else f" in {self.path}:{self.row}"
        if self.removed:
            shown = ", ".join(f"`{text}`" for text in self.removed[:_SHOWN])
            more = len(self.removed) - _SHOWN
            rest = f" and {more} more line{'s' * (more > 1)}" if more > 0 else ""
            place = here or ("" if self.touched else f" at line {self.row}")
            return f"This change removed {shown}{rest}{place}."
        if self.touched:
            return ""
        return f"Caused by the change{here or f' at line {self.row}'}."


def cause_of(
    finding: Diagnostic,
    changed: Mapping[str, FileChange],
    near: Callable[[str], Iterable[str]],
) -> Cause | None:
    """The cause of a new finding, None when the change has no line to point at.

    `near(path)` are the changed files that the file is connected with, the closest first.
    """
    own = changed.get(finding.path)
    if own is not None and own.blocks and finding.cell is None:
        inside = [b for b in own.blocks if _meets(b, finding)]
        if inside:
            block = min(inside, key=lambda b: not b.added)
            return Cause(finding.path, max(block.new, finding.row), _taken(block), True)
    candidates = [own] if own is not None else []
    candidates += [changed[path] for path in near(finding.path) if path in changed]
    if not candidates:
        candidates = [c for c in changed.values() if lintable(c.path)] or list(changed.values())
    for change in candidates:
        if not change.blocks or change.path.endswith(".ipynb"):
            continue
        row = finding.row if change is own else 1
        # A block that only takes away explains a finding about untouched code best.
        block = min(change.blocks, key=lambda b: (not _taken(b), abs(b.new - row)))
        return Cause(change.path, max(1, block.new), _taken(block), False)
    return None


def _meets(block: Block, finding: Diagnostic) -> bool:
    """Whether a block changes rows of a finding's span, or takes some away inside of it."""
    last = block.new + len(block.added) - 1
    if block.added:
        return block.new <= finding.end_row and finding.row <= last
    return finding.row < block.new <= finding.end_row


def _taken(block: Block) -> tuple[str, ...]:
    """What a block removes: whole lines, or the words that one line has lost."""
    if not block.added:
        return tuple(line.strip() for line in block.removed if line.strip())
    if len(block.added) == len(block.removed) == 1:
        return _lost_words(block.removed[0], block.added[0])
    return ()


def _lost_words(before: str, after: str) -> tuple[str, ...]:
    """The stretch of words that is missing from a line that is otherwise the same."""
    old, new = list(_WORD.finditer(before)), [m.group() for m in _WORD.finditer(after)]
    words = [m.group() for m in old]
    start = 0
    while start < len(new) and start < len(words) and new[start] == words[start]:
        start += 1
    rest = len(new) - start
    if len(words) <= len(new) or (rest and words[-rest:] != new[start:]):
        return ()
    lost = before[old[start].start() : old[len(old) - rest - 1].end()]
    return (lost.strip(", "),) if lost.strip(", ") else ()
