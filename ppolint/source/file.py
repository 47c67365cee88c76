"""A file as the linter sees it: one text, with the way back to the bytes it came from."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from ppolint.findings import Edit
from ppolint.source.decoding import SourceError, decode

__all__ = ["Segment", "Source", "SourceError", "read_source"]

_NEWLINE = re.compile(r"\r\n?")


@dataclass(frozen=True)
class Segment:
    """A stretch of `Source.text` that comes from one place: the whole file, or one cell.

    `start` and `end` are offsets in `Source.text`. `original` is the stretch before newlines were
    normalised and magics neutralised: what an edit is applied to.
    """

    cell: int | None
    start: int
    end: int
    original: str

    @cached_property
    def newline(self) -> str:
        """The line ending that most lines have."""
        crlf = self.original.count("\r\n")
        counts = {
            "\n": self.original.count("\n") - crlf,
            "\r\n": crlf,
            "\r": self.original.count("\r") - crlf,
        }
        return max(counts, key=counts.__getitem__)

    @cached_property
    def _shrunk(self) -> list[int]:
        """Offsets, after normalisation and from the segment's start, behind each CRLF."""
        places = [m.end() for m in _NEWLINE.finditer(self.original) if len(m.group()) == 2]
        return [place - count for count, place in enumerate(places, 1)]

    def original_offset(self, offset: int) -> int:
        """Where the character at `offset` of `Source.text` is in `original`."""
        relative = offset - self.start
        return relative + bisect_right(self._shrunk, relative)

    def edited(self, edits: Iterable[Edit]) -> str:
        """`original` with the edits applied; they must not overlap and lie in this segment."""
        pieces, done = [], 0
        for edit in sorted(edits):
            start, end = self.original_offset(edit.start), self.original_offset(edit.end)
            pieces += [self.original[done:start], edit.text.replace("\n", self.newline)]
            done = end
        return "".join([*pieces, self.original[done:]])


@dataclass
class Source:
    r"""One file, decoded.

    `text` has "\n" line ends only; for a notebook it is all code cells joined into one module, the
    lines that are not Python (magics, shell commands) replaced by harmless statements of the same
    length. All offsets of the linter are character offsets into `text`.
    """

    path: str
    text: str
    segments: tuple[Segment, ...]
    is_notebook: bool = False
    encoding: str = "utf-8"
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, path: str = "<stdin>") -> Source:
        """The source made of the bytes of a file; `path` tells notebooks from modules.

        Raises `SourceError` when the bytes are no text, or no notebook.
        """
        if path.endswith(".ipynb"):
            from ppolint.source.notebook import notebook_source

            return notebook_source(data, path)
        original, encoding = decode(data)
        text = normalised(original)
        return cls(path, text, (Segment(None, 0, len(text), original),), False, encoding, data)

    @classmethod
    def from_text(cls, text: str, path: str = "<stdin>") -> Source:
        """The source made of text that is in memory: an editor's buffer, a test."""
        source = normalised(text)
        data = text.encode("utf-8", "surrogatepass")
        return cls(path, source, (Segment(None, 0, len(source), text),), data=data)

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset at which each line of `text` starts."""
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def offset_at(self, row: int, column: int) -> int:
        """The offset of a 1-based row and column of `text`; a place outside is moved inside."""
        starts = self.line_starts
        if row > len(starts):
            return len(self.text)
        row = max(row, 1)
        end = starts[row] - 1 if row < len(starts) else len(self.text)
        return min(starts[row - 1] + max(column, 1) - 1, end)

    def row_column(self, offset: int) -> tuple[int, int]:
        """1-based row and column in `text` (of the joined module, for a notebook)."""
        row = bisect_right(self.line_starts, offset)
        return row, offset - self.line_starts[row - 1] + 1

    def segment_at(self, offset: int) -> Segment:
        """The segment that the character at `offset` belongs to."""
        index = bisect_right(self._segment_starts, offset) - 1
        return self.segments[max(index, 0)]

    @cached_property
    def _segment_starts(self) -> list[int]:
        return [segment.start for segment in self.segments]

    def position(self, offset: int) -> tuple[int | None, int, int]:
        """Where `offset` is for a person: (cell or None, row in that cell or file, column)."""
        row, column = self.row_column(offset)
        if not self.segments:
            return None, row, column
        segment = self.segment_at(offset)
        return segment.cell, row - self.row_column(segment.start)[0] + 1, column

    def line_at(self, offset: int) -> str:
        """The line of `text` that `offset` is on, without its newline."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return self.text[start : end if end >= 0 else len(self.text)]

    def editable(self, edit: Edit) -> bool:
        """Whether an edit stays within one segment, so that it can be written back."""
        if not self.segments:
            return False
        segment = self.segment_at(edit.start)
        return segment.start <= edit.start <= edit.end <= segment.end

    def rewritten(self, edits: Iterable[Edit]) -> bytes:
        """The bytes of the file after `edits`: encoding, newlines and notebook formatting kept.

        The edits must not overlap and each must be `editable`. Raises `SourceError` when the
        result cannot be written in the file's own encoding.
        """
        by_segment: dict[int, list[Edit]] = {}
        for edit in edits:
            index = max(bisect_right(self._segment_starts, edit.start) - 1, 0)
            by_segment.setdefault(index, []).append(edit)
        if self.is_notebook:
            from ppolint.source.notebook import notebook_rewritten

            cells = {
                self.segments[i].cell: self.segments[i].edited(e) for i, e in by_segment.items()
            }
            return notebook_rewritten(self.data, cells)
        (segment,) = self.segments
        text = segment.edited(by_segment.get(0, ()))
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise SourceError(
                f"the fixed text cannot be written in {self.encoding}: {error}"
            ) from None


def normalised(text: str) -> str:
    r"""`text` with every line end ("\r\n", a lone "\r") turned into "\n"."""
    return _NEWLINE.sub("\n", text) if "\r" in text else text


def read_source(path: str | os.PathLike[str]) -> Source:
    """The file at `path`, decoded. Raises `OSError` or `SourceError`, each with a clear message."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        return Source.from_bytes(file.read(), name)
