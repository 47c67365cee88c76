"""libcst's parser, with the garbage collector out of its way and one kind of error."""

from __future__ import annotations

import ast
import gc
import re
import warnings

import libcst as cst

from ppolint.semantics.nodes import slim

# What the parser allocates grows faster than the text, to 500 MB for one of 1 MB; piece by piece it
# is 70 MB. Pieces start at definitions after an empty line: nothing above them is open there,
# except in a string, and then the piece above is no Python.
_START = re.compile(r"(?<=\n\n)(?:@|(?:def|class|async)\b)")
_PREFIX = re.compile(r"^(?:parser|tokenizer) error: (?:error at \d+:\d+: )?")
_ON_LINE = re.compile(r" on line \d+")
_LARGE = 50_000
_PIECE = 10_000


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
    slim()
    try:
        large = _of_pieces(text) if len(text) > _LARGE else None
        return large or cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        known = (_reason(error), error.raw_line, error.raw_column + 1)
        reason, row, column = _said_by_python(text) or known
        raise ParseError(reason, max(row, 1), max(column, 1)) from None
    except cst.CSTValidationError as error:
        reason, row, column = _said_by_python(text) or (str(error), 1, 1)
        raise ParseError(reason, row, column) from None
    except (RecursionError, UnicodeError, ValueError) as error:
        raise ParseError(str(error) or type(error).__name__, 1, 1) from None
    finally:
        if enabled:
            gc.enable()


def _of_pieces(text: str) -> cst.Module | None:
    """The module of a text that is parsed in pieces; None where it has to be parsed as a whole."""
    cuts = [0]
    for match in _START.finditer(text):
        if match.start() - cuts[-1] >= _PIECE:
            cuts.append(match.start())
    if len(cuts) == 1:
        return None
    pieces = [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)])]
    try:
        modules = [cst.parse_module(piece) for piece in pieces]
    except (cst.ParserSyntaxError, cst.CSTValidationError):
        return None
    indents = {m.default_indent for m, piece in zip(modules, pieces) if _is_indented(piece)}
    if len(indents) > 1 or len({m.default_newline for m in modules}) > 1:
        return None
    return _joined(modules, indents)


def _is_indented(text: str) -> bool:
    return "\n " in text or "\n\t" in text


def _joined(modules: list[cst.Module], indents: set[str]) -> cst.Module | None:
    """One module with the statements of all; the lines between them lead the next statement."""
    body = [*modules[0].body]
    between = modules[0].footer
    for module in modules[1:]:
        if not module.body or not body:
            return None
        first, *rest = module.body
        lines = [*between, *module.header, *first.leading_lines]
        body += [first.with_changes(leading_lines=lines), *rest]
        between = module.footer
    return modules[0].with_changes(
        body=body,
        footer=between,
        default_indent=min(indents, default=modules[0].default_indent),
        has_trailing_newline=modules[-1].has_trailing_newline,
    )


def _reason(error: cst.ParserSyntaxError) -> str:
    """What libcst did not understand, without the name of its parser and the place once more."""
    reason = _PREFIX.sub("", error.message.partition("\n")[0])
    return "unexpected here" if reason.startswith("expected one of") else reason


def _said_by_python(text: str) -> tuple[str, int, int] | None:
    """What Python's own parser says, and where: for a wrong indent libcst only knows the file.

    Rows in the text of a message are left out: those of a notebook are rows of all cells at once.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except IndentationError as error:
        if error.lineno is None:
            return None
        line = text.split("\n")[error.lineno - 1]
        reason = _ON_LINE.sub("", error.msg)
        return reason, error.lineno, len(line) - len(line.lstrip()) + 1
    except SyntaxError as error:
        if error.lineno is None:
            return None
        return _ON_LINE.sub("", error.msg), error.lineno, error.offset or 1
    except (ValueError, RecursionError, MemoryError):
        return None
    return None
