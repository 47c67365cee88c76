"""Indentation that Python does not accept, put right so that the rest of a file can be read."""

from __future__ import annotations

import ast
import io
import tokenize
from itertools import takewhile

# Blocks mended in one file; a file with more was not written with these levels in mind.
_MOST = 20
_UNEXPECTED = "unexpected indent"
_BETWEEN_LEVELS = "unindent does not match"


def reindented(text: str) -> str | None:
    """`text` with misplaced blocks moved out to the nearest level; None where that is no help.

    Only lines that are indented too far are moved, and what they lose in front goes to the end of
    the line before: every character of code keeps its offset. No statement is dropped or added, so
    that what the code does not do is still told by the result.
    """
    for _ in range(_MOST):
        try:
            ast.parse(text)
        except IndentationError as error:
            row, reason = error.lineno, error.msg
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        else:
            return text
        if row is None or not reason.startswith((_UNEXPECTED, _BETWEEN_LEVELS)):
            return None
        moved = _moved_out(text, row)
        if moved is None:
            return None
        text = moved
    return None


def _moved_out(text: str, row: int) -> str | None:
    """The block that starts at a 1-based row, moved to the nearest level above it."""
    lines = text.split("\n")
    margin = _margin(lines[row - 1])
    outer = [level for level in _levels_before(text, row) if len(level) < len(margin)]
    if row < 2 or not outer or not margin.startswith(outer[-1]):
        return None
    surplus = margin[len(outer[-1]) :]
    for at in range(row - 1, len(lines)):
        line = lines[at]
        if not line.strip():
            continue
        if not line.startswith(margin):
            break
        if _margin(line) == margin:
            lines[at] = outer[-1] + line.lstrip()
            lines[at - 1] += surplus
    return "\n".join(lines)


def _levels_before(text: str, row: int) -> list[str]:
    """The margins of the blocks that are open in front of a row, outermost first."""
    levels = [""]
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.start[0] >= row and token.type != tokenize.DEDENT:
                break
            if token.type == tokenize.INDENT:
                levels.append(token.string)
            elif token.type == tokenize.DEDENT and token.start[0] < row:
                levels.pop()
    except (tokenize.TokenError, SyntaxError):
        pass
    return levels


def _margin(line: str) -> str:
    return "".join(takewhile(" \t".__contains__, line))
