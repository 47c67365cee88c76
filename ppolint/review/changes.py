"""What a change did to files and lines."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ppolint.findings import Diagnostic
from ppolint.review.git import Repository

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# Whose lines are looked at: code, and what states settings and requirements. The lines of data would
# cost time, and a partial clone may lack them.
READ = ("*.py", "*.pyi", "*.ipynb", "*.toml", "*.cfg", "*.txt", "*.in", "*.lock", "*lock.json",
         "*.yml", "*.yaml", "*Pipfile*", "*requirements*")  # fmt: skip
_SECTION = re.compile(rb"^(?=diff --git )", re.MULTILINE)


class Block(NamedTuple):
    """Lines replaced by others: `old` and `new` are the first rows (of an empty side: the row
    before which it is), with the texts."""

    old: int
    new: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


@dataclass
class FileChange:
    """One file of a change. `old` is None for a new file, `new` for a deleted one.

    `shown` are the (first, last) rows of the head that the diff shows, context included: where
    review comments may stand.
    """

    old: str | None
    new: str | None
    blocks: list[Block] = field(default_factory=list)
    shown: list[tuple[int, int]] = field(default_factory=list)
    binary: bool = False

    @property
    def path(self) -> str:
        return self.new or self.old or ""

    @cached_property
    def _marks(self) -> tuple[list[int], list[int]]:
        """Rows of the head from which on the shift to the base changes, and the shifts."""
        starts, shifts = [0], [0]
        for block in self.blocks:
            starts.append(block.new + len(block.added))
            shifts.append(block.old + len(block.removed) - starts[-1])
        return starts, shifts

    def old_row(self, row: int) -> int | None:
        """Where a row of the head is in the base; None for an added one."""
        if any(b.new <= row < b.new + len(b.added) for b in self.blocks):
            return None
        starts, shifts = self._marks
        return row + shifts[bisect_right(starts, row) - 1]

    def within(self, first: int, last: int) -> bool:
        """Whether the rows of the head lie in one hunk of the diff."""
        return any(start <= first and last <= end for start, end in self.shown)


def touches(finding: Diagnostic, change: FileChange | None, of_head: bool) -> bool:
    """Whether the change has to do with the lines that a finding is about."""
    if change is None or finding.cell is not None:
        return False
    if change.old is None or change.new is None:
        return True
    for block in change.blocks:
        first, lines = (block.new, block.added) if of_head else (block.old, block.removed)
        if lines and first <= finding.end_row and finding.row < first + len(lines):
            return True
    return False


def changes(repository: Repository, base: str, head: str) -> list[FileChange]:
    """The files that differ between two trees, renames found, in order of their paths."""
    options = ("-r", "-M", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
    raw = repository.output("diff-tree", *options, "--raw", "-z", base, head).split(b"\0")
    found: list[FileChange] = []
    at = 0
    while at < len(raw) and raw[at]:
        status = raw[at].split()[-1][:1]
        paths = 2 if status in b"RC" else 1
        names = [_decoded(name) for name in raw[at + 1 : at + 1 + paths]]
        at += 1 + paths
        old = None if status == b"A" else names[0]
        found.append(FileChange(old, None if status == b"D" else names[-1]))
    by_path = {change.path: change for change in found}
    patch = (*options, "-p", "-U3", "--src-prefix=a/", "--dst-prefix=b/")
    for section in _sections(repository, *patch, base, head, "--", *READ):
        if (change := by_path.get(_path(section))) is not None:
            _read(section, change)
    if any(change.binary for change in found):
        # Attributes may call code binary, so that git (and GitHub) shows no lines of it.
        for section in _sections(repository, *patch, "--text", base, head, "--", *READ):
            change = by_path.get(_path(section))
            if change is not None and change.binary and b"\0" not in section:
                _read(section, change)
                change.shown.clear()
                change.binary = False
    return found


def _sections(repository: Repository, *arguments: str) -> list[bytes]:
    """The parts of a patch about one file each."""
    return _SECTION.split(repository.output("diff-tree", *arguments))


def _path(section: bytes) -> str:
    """The path a section of a patch is about: that of the head, of the base for a deletion."""
    head, _, _ = section.partition(b"\n@@ ")
    names: dict[bytes, str] = {}
    for line in head.split(b"\n"):
        for start in (b"+++ ", b"--- ", b"rename to "):
            if line.startswith(start):
                names[start] = _unquoted(line[len(start) :].rstrip(b"\t"))
    if b"rename to " in names:
        return names[b"rename to "]
    for start in (b"+++ ", b"--- "):
        if names.get(start, "/dev/null") != "/dev/null":
            return names[start][2:]
    # A binary file has the first line only: twice its path, with other prefixes.
    both = head.partition(b"\n")[0].removeprefix(b"diff --git ")
    return _unquoted(both[len(both) // 2 + 1 :])[2:]


def _unquoted(name: bytes) -> str:
    """A path as git prints it: in quotes with C escapes when it is unusual."""
    if name.startswith(b'"'):
        plain = name[1:-1].decode("ascii", "surrogateescape")
        name = (
            plain.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")
        )
    return _decoded(name)


def _decoded(name: bytes) -> str:
    import os

    return os.fsdecode(name)


def _read(section: bytes, change: FileChange) -> None:
    """The hunks of a section."""
    _, *hunks = re.split(rb"^(?=@@ -)", section, flags=re.MULTILINE)
    change.binary = not hunks and b"\nBinary files " in section
    for hunk in hunks:
        head, _, body = hunk.partition(b"\n")
        match = _HUNK.match(head)
        assert match is not None
        old, old_count, new, new_count = (int(g) if g is not None else 1 for g in match.groups())
        # Of an empty side git names the row before it.
        old, new = old + (old_count == 0), new + (new_count == 0)
        if new_count:
            change.shown.append((new, new + new_count - 1))
        _read_body(body, old, new, change)


def _read_body(body: bytes, old: int, new: int, change: FileChange) -> None:
    removed: list[str] = []
    added: list[str] = []

    def close() -> None:
        if removed or added:
            change.blocks.append(
                Block(old - len(removed), new - len(added), tuple(removed), tuple(added))
            )
            removed.clear()
            added.clear()

    for line in body.split(b"\n")[:-1]:
        text = line[1:].decode("utf-8", "replace").rstrip("\r")
        if line[:1] == b"-":
            if added:
                close()
            removed.append(text)
            old += 1
        elif line[:1] == b"+":
            added.append(text)
            new += 1
        elif line[:1] == b" ":
            close()
            old, new = old + 1, new + 1
    close()
