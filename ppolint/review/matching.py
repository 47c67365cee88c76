"""Which findings of the head were there before, in another place, shape or file.

A finding of the head is paired with at most one of the base, by the strictest of these that fits:
the same fingerprint in the same file (renames followed); the same fingerprint in another file; the
same code of the span wherever it is; the same message in the same definition; a span that holds
lines of the same span of before, or the same message on a line that was edited; the same message about
code that the change only moved, from one file or definition into another. What is left over on the
head's side is new, on the base's fixed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple

from ppolint.findings import Diagnostic
from ppolint.review.changes import FileChange


class Matched(NamedTuple):
    """The outcome: findings only in the head, only in the base, and pairs (base, head)."""

    new: list[Diagnostic]
    fixed: list[Diagnostic]
    kept: list[tuple[Diagnostic, Diagnostic]]


def matched(
    base: Iterable[Diagnostic],
    head: Iterable[Diagnostic],
    changed: Mapping[str, FileChange],
    span: Callable[[bool, Diagnostic], str],
) -> Matched:
    """Pair the findings of two sides. `changed` are the changed files by their path in the head.

    `span(of_head, finding)` is the code that a finding is about, without its layout.
    """
    renamed = {c.old: c.new for c in changed.values() if c.old and c.new and c.old != c.new}
    old, new = list(base), list(head)
    kept: list[tuple[Diagnostic, Diagnostic]] = []

    def path(of_head: bool, d: Diagnostic) -> str:
        return d.path if of_head else renamed.get(d.path, d.path)

    keys: list[Callable[[bool, Diagnostic], Hashable]] = [
        lambda side, d: (path(side, d), d.code, d.fingerprint),
        lambda side, d: (d.code, d.fingerprint),
        lambda side, d: (d.code, path(side, d), span(side, d)),
        lambda side, d: (d.code, span(side, d)),
        lambda side, d: (d.code, path(side, d), d.cell, d.scope, d.message),
    ]
    moves = _Moves(changed)

    def may_be(before: Diagnostic, after: Diagnostic) -> bool:
        """Of two files: unless the lines of both are where they were."""
        if path(False, before) == after.path:
            return True
        return moves.of(before, False) is not False or moves.of(after, True) is not False

    for key in keys:
        waiting: dict[Hashable, list[Diagnostic]] = defaultdict(list)
        for each in old:
            waiting[key(False, each)].append(each)
        remaining = []
        for each in new:
            partners = waiting.get(key(True, each), [])
            at = next((i for i, d in enumerate(partners) if may_be(d, each)), None)
            if at is None:
                remaining.append(each)
            else:
                kept.append((partners.pop(at), each))
        # In their order still: the first of equal findings is paired with the first.
        old = [d for d in old if any(d is left for left in waiting[key(False, d)])]
        new = remaining
    new, old = _by_lines(new, old, changed, path, kept)
    if new and old:
        new, old = _by_moved_code(new, old, moves, kept)
    return Matched(new, old, kept)


def _by_lines(
    new: list[Diagnostic],
    old: list[Diagnostic],
    changed: Mapping[str, FileChange],
    path: Callable[[bool, Diagnostic], str],
    kept: list[tuple[Diagnostic, Diagnostic]],
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Pairs whose spans share lines that did not change, with something edited in between."""
    remaining = []
    for each in new:
        change = changed.get(each.path)
        known = change is not None and each.cell is None
        rows = _old_rows(each, change) if known else set()
        edited = _edited_rows(each, change) if known else set()

        def same(d: Diagnostic, each: Diagnostic = each, rows=rows, edited=edited) -> bool:
            if d.code != each.code or path(False, d) != each.path:
                return False
            span = range(d.row, d.end_row + 1)
            if _about_the_same(d, each) and not rows.isdisjoint(span):
                return True
            return d.message == each.message and not edited.isdisjoint(span)

        partner = next(filter(same, old), None)
        if partner is None:
            remaining.append(each)
        else:
            kept.append((partner, each))
            old = [d for d in old if d is not partner]
    return remaining, old


def _old_rows(finding: Diagnostic, change: FileChange) -> set[int]:
    """Rows of the base that a span of the head still holds."""
    rows = (change.old_row(row) for row in range(finding.row, finding.end_row + 1))
    return {row for row in rows if row is not None}


def _edited_rows(finding: Diagnostic, change: FileChange) -> set[int]:
    """Rows of the base that became rows of a span of the head."""
    return {
        row
        for block in change.blocks
        if block.new <= finding.end_row and finding.row < block.new + len(block.added)
        for row in range(block.old, block.old + len(block.removed))
    }


class _Moves:
    """Which lines a change only moves: those that it takes away in one place and adds in another."""

    def __init__(self, changed: Mapping[str, FileChange]) -> None:
        self._by_side = ({c.old: c for c in changed.values()}, changed)
        blocks = [block for change in changed.values() for block in change.blocks]
        self._lines = (
            {line.strip() for block in blocks for line in block.added},
            {line.strip() for block in blocks for line in block.removed},
        )

    def of(self, finding: Diagnostic, of_head: bool) -> bool | None:
        """Whether the lines of a finding were moved, False when they were left alone; None when
        they are the change's own."""
        change = self._by_side[of_head].get(finding.path)
        if finding.cell is not None:
            return None
        moved = False
        for block in change.blocks if change is not None else ():
            first, lines = (block.new, block.added) if of_head else (block.old, block.removed)
            for row, line in enumerate(lines, first):
                if finding.row <= row <= finding.end_row:
                    if line.strip() not in self._lines[of_head]:
                        return None
                    moved = True
        return moved


def _by_moved_code(
    new: list[Diagnostic],
    old: list[Diagnostic],
    moves: _Moves,
    kept: list[tuple[Diagnostic, Diagnostic]],
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Pairs about code that is the same on both sides, told at another place since some was moved."""
    remaining = []
    for each in new:
        here = moves.of(each, True)
        partner = None
        for d in old if here is not None else ():
            there = moves.of(d, False) if (d.code, _gist(d)) == (each.code, _gist(each)) else None
            if there is not None and (here or there):
                partner = d
                break
        if partner is None:
            remaining.append(each)
        else:
            kept.append((partner, each))
            old = [d for d in old if d is not partner]
    return remaining, old


def _gist(finding: Diagnostic) -> str:
    """A message without its remarks in brackets, such as in which file something is built."""
    return re.sub(r" ?\([^()]*\)", "", finding.message)


def _about_the_same(first: Diagnostic, second: Diagnostic) -> bool:
    """Whether two messages of one rule differ in names and numbers only a little."""
    if first.message == second.message:
        return True
    if first.row == first.end_row or second.row == second.end_row:
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, first.message, second.message).ratio() > 0.6
