"""What is no Python in a file, taken out so that the rest of it can be read."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ppolint.source.magics import neutralise

if TYPE_CHECKING:
    from ppolint.source.file import Source


def without_broken_parts(source: Source) -> str | None:
    """The text without the cells that are no Python, or, of a script that was exported from a
    notebook, without its shell commands and magics; None where that is no help.

    Lines keep their places and lengths. What is left says what a program does, not what it fails to do.
    """
    if all(segment.cell is None for segment in source.segments):
        text = neutralise(source.text)
        return text if text != source.text and _is_python(text) else None
    pieces, at = [], 0
    for segment in source.segments:
        cell = source.text[segment.start : segment.end]
        pieces.append(source.text[at : segment.start])
        pieces.append(cell if _is_python(cell) else _blank(cell))
        at = segment.end
    text = "".join([*pieces, source.text[at:]])
    return text if text != source.text and text.strip() else None


def _is_python(text: str) -> bool:
    try:
        compile(text, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _blank(cell: str) -> str:
    return "".join(c if c == "\n" else " " for c in cell)
