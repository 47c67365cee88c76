"""Which findings of the head were there before, in another place, shape or file.

A finding of the head is paired with at most one of the base, by the strictest of these that fits:
the same fingerprint in the same file (renames followed); the same fingerprint in another file; the
same code of the span wherever it is; the same message in the same definition; a span that holds
lines of the same span of before. What is left over on the head's side is new, on the base's fixed.
"""

from __future__ import annotations

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
    for key in keys:
        waiting: dict[Hashable, list[Diagnostic]] = defaultdict(list)
        for each in old:
            waiting[key(False, each)].append(each)
        remaining = []
        for each in new:
            partners = waiting.get(key(True, each))
            if partners:
                kept.append((partners.pop(0), each))
            else:
                remaining.append(each)
        # In their order still: the first of equal findings is paired with the first.
        old = [d for d in old if any(d is left for left in waiting[key(False, d)])]
        new = remaining
    new, old = _by_lines(new, old, changed, path, kept)
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
        rows = _old_rows(each, change) if change is not None and each.cell is None else set()
        partner = next(
            (
                d
                for d in old
                if d.code == each.code
                and path(False, d) == each.path
                and _about_the_same(d, each)
                and any(d.row <= row <= d.end_row for row in rows)
            ),
            None,
        )
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


def _about_the_same(first: Diagnostic, second: Diagnostic) -> bool:
    """Whether two messages of one rule differ in names and numbers only a little."""
    if first.message == second.message:
        return True
    if first.row == first.end_row or second.row == second.end_row:
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, first.message, second.message).ratio() > 0.6
