"""The review of a change: what it introduces, what it fixes, and where."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from ppolint.engine.plan import Options
from ppolint.engine.run import Result, run_all
from ppolint.findings import Diagnostic
from ppolint.review.causes import Cause, cause_of
from ppolint.review.changes import FileChange, changes
from ppolint.review.git import Repository
from ppolint.review.matching import matched
from ppolint.review.projects import TreeProjects, TreeSettings
from ppolint.review.reach import Near, reached_from
from ppolint.review.requirement import Requirements
from ppolint.review.sides import Sides
from ppolint.review.sight import seen_on_both
from ppolint.review.tree import Tree, lintable, states_release
from ppolint.source.file import Source, SourceError


class Review(NamedTuple):
    """What came out. Paths are those of the repository, with forward slashes.

    `new` are the findings that the change introduces, `fixed` those it removes, `standing` those
    in touched files that were there before. `causes` has a place in the change for new findings,
    by their identity (`key`). `errors` are (path, message) of defects of ppolint. `notes` tell what
    was not looked at, `unseen` what could be seen on one side only and counts as neither.
    """

    sides: Sides
    new: list[Diagnostic]
    fixed: list[Diagnostic]
    standing: list[Diagnostic]
    causes: dict[tuple, Cause]
    changed: dict[str, FileChange]
    files: int
    errors: list[tuple[str, str]]
    notes: list[str]
    unseen: list[str]
    head: TreeProjects | None = None

    def cause(self, finding: Diagnostic) -> Cause | None:
        return self.causes.get(key(finding))

    def text(self, path: str) -> str | None:
        """The text of a file of the head, None when it is not there or not text."""
        if self.head is None:
            return None
        data = self.head.tree.content(self.head.tree.absolute(path))
        try:
            return None if data is None else Source.from_bytes(data, path).text
        except SourceError:
            return None


def key(finding: Diagnostic) -> tuple:
    """What tells a finding of a review from the others."""
    return (
        finding.path,
        finding.cell,
        finding.row,
        finding.column,
        finding.code,
        finding.fingerprint,
    )


def review(
    repository: Repository,
    sides: Sides,
    options: Options,
    config: str | None = None,
    isolated: bool = False,
) -> Review:
    """Compare the findings of the two sides in what the change reaches.

    The configuration is that of the head for both sides: a change of rules is no change of code.
    The TorchRL release is that of each side: raising it brings findings that are the change's own.
    Raises `GitError` and `ConfigurationError`.
    """
    found = changes(repository, sides.base, sides.head)
    changed = {change.path: change for change in found}
    if not any(_matters(change) for change in found):
        return Review(sides, [], [], [], {}, changed, 0, [], _notes(found, None), [])
    trees = [Tree(repository, name) for name in (sides.base, sides.head)]
    trees[0].load(repository, trees[1])
    base, head = (TreeProjects(tree, TreeSettings(trees[1], config, isolated)) for tree in trees)
    touched = _touched(found)
    of_code = reached_from(base, touched[0]) | reached_from(head, touched[1])
    reached = set(of_code)
    if _releases_differ(base, head, found):
        reached |= set(base.targets()) | set(head.targets())
    before, after = _found((base, head), reached, options)
    spans = _Spans(trees[0], trees[1])
    pairs = matched(before.diagnostics, after.diagnostics, changed, spans)
    seen = seen_on_both(pairs.new, pairs.fixed, (base, head), changed, reached)
    near = Near(head, touched[1])
    new = sorted(seen.new, key=lambda d: (d.path, d.cell or 0, d.row, d.column, d.code))
    stated = Requirements(base, head, changed, of_code, options)
    causes = {}
    for finding in new:
        cause = stated.cause(finding) or cause_of(finding, changed, near)
        if cause is not None:
            causes[key(finding)] = cause
    standing = [d for d in (*(d for _, d in pairs.kept), *seen.uncovered) if d.path in touched[1]]
    return Review(
        sides,
        new,
        seen.fixed,
        sorted(standing, key=lambda d: (d.path, d.cell or 0, d.row, d.column, d.code)),
        causes,
        changed,
        len(reached & set(head.targets())),
        sorted({*before.errors, *after.errors}),
        _notes(found, trees[1]),
        seen.notes,
        head,
    )


def _matters(change: FileChange) -> bool:
    """Whether a change of this file can change findings: code, or what states the release."""
    return any(path is not None and _told(path) for path in (change.old, change.new))


def _told(path: str) -> bool:
    return lintable(path) or states_release(path)


def _touched(found: Iterable[FileChange]) -> tuple[set[str], set[str]]:
    """The changed code, by the paths of each side."""
    old = {c.old for c in found if c.old is not None and lintable(c.old)}
    new = {c.new for c in found if c.new is not None and lintable(c.new)}
    return old, new


def _releases_differ(base: TreeProjects, head: TreeProjects, found: Iterable[FileChange]) -> bool:
    """Whether a changed file states another release than before, so that every file is judged anew."""
    folders = {
        (change.new or change.old or "").rpartition("/")[0].removesuffix("requirements").strip("/")
        for change in found
        if any(path is not None and states_release(path) for path in (change.old, change.new))
    }
    for folder in folders:
        path = head.tree.absolute(f"{folder}/x.py".lstrip("/"))
        if base.release(path, b"", None) != head.release(path, b"", None):
            return True
    return False


def _found(sides: Iterable[TreeProjects], paths: set[str], options: Options) -> list[Result]:
    """The findings of the sides, with paths of the repository."""
    sides = list(sides)
    parts = [([t for p, t in sorted(s.targets().items()) if p in paths], s) for s in sides]
    results = run_all(parts, options)
    for side, result in zip(sides, results, strict=True):

        def relative(path: str, tree: Tree = side.tree) -> str:
            return tree.relative(os.path.normpath(path)) or path

        result.diagnostics = [d._replace(path=relative(d.path)) for d in result.diagnostics]
        result.errors = [(relative(path), message) for path, message in result.errors]
    return results


class _Spans:
    """The code that findings are about, without its layout."""

    def __init__(self, base: Tree, head: Tree) -> None:
        self._trees = (base, head)
        self._sources: dict[tuple[bool, str], Source | None] = {}

    def __call__(self, of_head: bool, finding: Diagnostic) -> str:
        source = self._source(of_head, finding.path)
        if source is None:
            return finding.fingerprint
        first = offset(source, finding.cell, finding.row, finding.column)
        last = offset(source, finding.cell, finding.end_row, finding.end_column)
        text = source.text[first:last] or source.line_at(first)
        return "".join(text.split()).replace("'", '"').replace(",)", ")").replace(",]", "]")

    def _source(self, of_head: bool, path: str) -> Source | None:
        known = (of_head, path)
        if known not in self._sources:
            tree = self._trees[of_head]
            data = tree.content(tree.absolute(path))
            try:
                self._sources[known] = Source.from_bytes(data, path) if data is not None else None
            except SourceError:
                self._sources[known] = None
        return self._sources[known]


def offset(source: Source, cell: int | None, row: int, column: int) -> int:
    """Where a place as diagnostics name it is in the text of a source."""
    if cell is not None:
        start = next((s.start for s in source.segments if s.cell == cell), 0)
        row += source.row_column(start)[0] - 1
    return source.offset_at(row, column)


def _notes(found: Iterable[FileChange], head: Tree | None) -> list[str]:
    """What was not looked at and why."""
    notes = []
    binary = [c.path for c in found if c.binary and lintable(c.path)]
    if binary:
        notes.append(f"not compared, binary: {', '.join(sorted(binary))}")
    if head is not None and head.submodules:
        notes.append(f"submodules are not reviewed: {', '.join(head.submodules)}")
    return notes
