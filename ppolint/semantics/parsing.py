"""libcst's parser, with the garbage collector out of its way and one kind of error."""

from __future__ import annotations

import ast
import gc

import libcst as cst


class ParseError(Exception):
    """The text is no Python module; `row` and `column` are 1-based places in it."""

    def __init__(self, message: str, row: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.row = row
        self.column = column


def parse(text: str) -> cst.Module:
    """The concrete syntax tree of `text`; raises `ParseError`.

    The collector is off meanwhile: a tree is one large allocation without garbage, and collecting
    in between costs half as much again as parsing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        row, column = error.raw_line, error.raw_column + 1
        if row <= 1:
            row, column = _place(text) or (row, column)
        reason = error.message.partition("\n")[0]
        raise ParseError(reason, max(row, 1), max(column, 1)) from None
    except (RecursionError, UnicodeError, ValueError) as error:
        raise ParseError(str(error) or type(error).__name__, 1, 1) from None
    finally:
        if enabled:
            gc.enable()


def _place(text: str) -> tuple[int, int] | None:
    """Where Python's own parser stops: for a wrong indent libcst only knows the file."""
    try:
        ast.parse(text)
    except IndentationError as error:
        if error.lineno is None:
            return None
        line = text.split("\n")[error.lineno - 1]
        return error.lineno, len(line) - len(line.lstrip()) + 1
    except SyntaxError as error:
        return (error.lineno, error.offset or 1) if error.lineno is not None else None
    except (ValueError, RecursionError, MemoryError):
        return None
    return None
