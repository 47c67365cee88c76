"""Notebooks: code cells joined into one module, and edits written back into the JSON.

The JSON is never dumped as a whole: only the `source` of an edited cell is replaced, in the layout
it has, so that a fix changes the lines it is about and nothing else of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ppolint.source.decoding import SourceError
from ppolint.source.file import Segment, Source, normalised
from ppolint.source.magics import neutralise

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class RawCell:
    """A code cell where it stands in the JSON: the span of its `source` value, and its text."""

    number: int
    start: int
    end: int
    lines: str | list[str]

    @property
    def text(self) -> str:
        return self.lines if isinstance(self.lines, str) else "".join(self.lines)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _members(text: str, position: int) -> Iterator[tuple[str, int, list[int]]]:
    """The (key, where its value starts, [where it ends]) of the object that starts here.

    The consumer must put the end of the value into the list before it asks for the next member;
    after the last one the list yielded holds the end of the object, under the key "".
    """
    position = _skip(text, position + 1)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        position = _skip(text, position)
        position = _skip(text, position + 1)  # ":"
        end: list[int] = []
        yield key, position, end
        position = _skip(text, end[0])
        if text[position] == ",":
            position = _skip(text, position + 1)
    yield "", position, [position + 1]


def _value(text: str, position: int) -> tuple[object, int]:
    return _DECODER.raw_decode(text, position)


def _cell(text: str, position: int, number: int) -> tuple[RawCell | None, int]:
    """The code cell that starts at `position` (None for Markdown), and where it ends."""
    kind, source, after = "", None, position
    for key, start, end in _members(text, position):
        if key == "":
            after = end[0]
            break
        value, stop = _value(text, start)
        end.append(stop)
        if key == "cell_type":
            kind = str(value)
        elif key in ("source", "input"):
            source = RawCell(number, start, stop, value)  # type: ignore[arg-type]
    if kind != "code" or source is None:
        return None, after
    if not isinstance(source.lines, str) and not (
        isinstance(source.lines, list) and all(isinstance(line, str) for line in source.lines)
    ):
        raise SourceError(f"cell {number} of the notebook has a source that is no text")
    return source, after


def _scan(text: str) -> tuple[list[RawCell], dict]:
    """The code cells and the metadata of a notebook."""
    cells: list[RawCell] = []
    metadata: dict = {}
    position = _skip(text, 0)
    if not text.startswith("{", position):
        raise SourceError("the notebook is not a JSON object")
    for key, start, end in _members(text, position):
        if key == "":
            break
        if key == "cells" and text.startswith("[", start):
            stop = _skip(text, start + 1)
            number = 0
            while text[stop] != "]":
                number += 1
                cell, stop = _cell(text, stop, number)
                if cell is not None:
                    cells.append(cell)
                stop = _skip(text, stop)
                if text[stop] == ",":
                    stop = _skip(text, stop + 1)
            end.append(stop + 1)
        else:
            value, stop = _value(text, start)
            end.append(stop)
            if key == "metadata" and isinstance(value, dict):
                metadata = value
    return cells, metadata


def _language(metadata: dict) -> str:
    info, kernel = metadata.get("language_info"), metadata.get("kernelspec")
    if isinstance(info, dict) and isinstance(info.get("name"), str):
        return info["name"]
    if isinstance(kernel, dict) and isinstance(kernel.get("language"), str):
        return kernel["language"]
    return "python"


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"the notebook is not valid UTF-8: {error.reason}") from None


def _checked(text: str) -> tuple[list[RawCell], dict]:
    try:
        return _scan(text)
    except IndexError:
        raise SourceError("the notebook is not valid JSON: it is cut short") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"the notebook is not valid JSON: {error}") from None


def notebook_source(data: bytes, path: str) -> Source:
    """The code cells of a notebook as one module; empty for a notebook that is not in Python.

    Raises `SourceError` when the bytes are no notebook.
    """
    cells, metadata = _checked(_decoded(data)) if data.strip() else ([], {})
    if _language(metadata).lower() not in ("python", "python3", "ipython"):
        cells = []
    segments: list[Segment] = []
    pieces: list[str] = []
    position = 0
    for cell in cells:
        text = neutralise(normalised(cell.text))
        segments.append(Segment(cell.number, position, position + len(text), cell.text))
        pieces.append(text)
        position += len(text) + 1
    return Source(path, "\n".join([*pieces, ""]), tuple(segments), True, "utf-8", data)


def notebook_rewritten(data: bytes, changed: dict[int | None, str]) -> bytes:
    """The bytes of the notebook after the code of the cells in `changed` became what it maps to."""
    bom = "\ufeff" if data.startswith(b"\xef\xbb\xbf") else ""
    text = _decoded(data)
    cells, _ = _checked(text)
    escape = text.isascii()
    pieces, done = [bom], 0
    for cell in cells:
        if cell.number in changed:
            pieces += [text[done : cell.start], _dumped(text, cell, changed[cell.number], escape)]
            done = cell.end
    return "".join([*pieces, text[done:]]).encode()


def _dumped(text: str, cell: RawCell, code: str, escape: bool) -> str:
    """JSON of the cell's new code: a string or a list of lines, as the cell had it before."""
    if isinstance(cell.lines, str):
        return json.dumps(code, ensure_ascii=escape)
    before = text[cell.start : cell.end]
    as_written = _elements(before)
    opening = re.match(r"\[([ \t\r\n]*)", before)
    closing = re.search(r"([ \t\r\n]*)\]$", before)
    assert opening is not None and closing is not None
    lines = [
        as_written.get(line) or json.dumps(line, ensure_ascii=escape)
        for line in code.splitlines(keepends=True)
    ]
    if not lines:
        return "[]"
    between = "," + (opening.group(1) if cell.lines else "")
    if between == "," and len(cell.lines) > 1:
        between = ", " if '", "' in before else ","
    head, tail = (opening.group(1), closing.group(1)) if cell.lines else ("", "")
    return f"[{head}{between.join(lines)}{tail}]"


def _elements(array: str) -> dict[str, str]:
    """Each string of a JSON array with the way it is written there."""
    found: dict[str, str] = {}
    position = _skip(array, 1)
    while array[position] != "]":
        value, end = _DECODER.raw_decode(array, position)
        found[value] = array[position:end]
        position = _skip(array, end)
        if array[position] == ",":
            position = _skip(array, position + 1)
    return found
