"""Lines of a notebook cell that are IPython's, not Python's, made harmless in place."""

from __future__ import annotations

import re

from ppolint.source.lexer import next_logical_line

# Cell magics after which the rest of the cell is still Python that runs in the notebook's namespace.
PYTHON_CELL_MAGICS = frozenset({"capture", "prun", "time", "timeit", "python", "python3", "debug"})

_SUSPECT = re.compile(r"^\s*[%!?]|\?[ \t;]*$|=\s*[!%]", re.MULTILINE)
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_LINE_MAGIC = re.compile(r"[ \t]*(?:[%!?]|[\w.*\[\]'\"]+(?:\([^()\n]*\))?\?{1,2}[ \t;]*$)")
_ASSIGNED = re.compile(r"[ \t]*[\w.,\[\] \t]+(?<![=!<>])=[ \t]*(?=[!%])")
_COMMAND_END = re.compile(r"(?:[^\n\\]|\\(?!\n)|\\\n)*")


def neutralise(cell: str) -> str:
    """The code of a cell with magics, shell commands and help requests replaced.

    Every line keeps its length and its place, so offsets need no translation. A magic becomes
    `pass`, an assigned one (`files = !ls`) becomes `None`. A cell in another language
    (`%%bash`) becomes blank.
    """
    if not _SUSPECT.search(cell):
        return cell
    cell_magic = _CELL_MAGIC.match(cell)
    if cell_magic and cell_magic.group(1) not in PYTHON_CELL_MAGICS:
        return _blank(cell)
    pieces, position = [], 0
    while position < len(cell):
        end, piece = _line(cell, position)
        pieces.append(piece)
        if end < len(cell):
            pieces.append("\n")
        position = end + 1
    return "".join(pieces)


def _line(cell: str, start: int) -> tuple[int, str]:
    """Where the logical line that starts at `start` ends, and what stands for it."""
    assigned = _ASSIGNED.match(cell, start)
    if assigned:
        end = _command_end(cell, assigned.end())
        kept = cell[start : assigned.end()]
        return end, kept + _filled(cell[assigned.end() : end], "None")
    first_line_end = cell.find("\n", start)
    first_line = cell[start : first_line_end if first_line_end >= 0 else len(cell)]
    if _LINE_MAGIC.match(first_line):
        end = _command_end(cell, start)
        indent = len(first_line) - len(first_line.lstrip())
        return end, first_line[:indent] + _filled(cell[start + indent : end], "pass")
    end = next_logical_line(cell, start).end
    return end, cell[start:end]


def _command_end(cell: str, start: int) -> int:
    """Where a command ends: at the end of its line, unless a backslash carries it on."""
    match = _COMMAND_END.match(cell, start)
    assert match is not None
    return match.end()


def _filled(command: str, statement: str) -> str:
    """`statement` and blanks, with the length and the line breaks of `command`."""
    head, *rest = command.split("\n")
    if len(head) < len(statement):
        statement = "0"
    if rest:  # a backslash still joins the lines, so that the filling stays one statement
        return "\n".join([statement.ljust(len(head)), *(_blank(line) for line in rest)])
    return statement.ljust(len(head))


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
