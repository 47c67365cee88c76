"""How far nodes reach: for the most frequent ones, from their parts and without writing them out.

Each writer takes a node, the offset at which it begins and the recorder of places; it notes the
places of the node and of its parts and returns the offset at which the node ends. They follow
libcst's `_codegen_impl`, but for trees that were parsed: nothing is left to a default there. What
has no writer is written out by libcst, which hands the parts back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import libcst as cst

if TYPE_CHECKING:
    from ppolint.semantics.spans import Recorder

_Space = cst.SimpleWhitespace


def write(node: Any, at: int, to: Recorder) -> int:
    """Note where `node` is, which begins at `at`; returns where it ends."""
    writer = WRITERS.get(type(node))
    if writer is not None:
        return writer(node, at, to)
    to.position = at
    node._codegen(to)
    return to.position


# -- whitespace and punctuation -------------------------------------------------------------
def _space(node: Any, at: int, to: Recorder) -> int:
    return at + len(node.value)


def _newline(node: Any, at: int, to: Recorder) -> int:
    return at + len(to.default_newline if node.value is None else node.value)


def _comment(node: Any, at: int, to: Recorder) -> int:
    end = at + len(node.value)
    to.spans[id(node)] = (at, end)
    return end


def _line_end(node: Any, at: int, to: Recorder) -> int:
    at += len(node.whitespace.value)
    if node.comment is not None:
        at = _comment(node.comment, at, to)
    value = node.newline.value
    return at + len(to.default_newline if value is None else value)


def _empty_line(node: Any, at: int, to: Recorder) -> int:
    end = _line_end(node, at + to.indent if node.indent else at, to)
    to.spans[id(node)] = (at, end)
    return end


def _lines_in_parentheses(node: Any, at: int, to: Recorder) -> int:
    start = at
    at = _line_end(node.first_line, at, to)
    for line in node.empty_lines:
        at = _empty_line(line, at, to)
    if node.indent:
        at += to.indent
    at += len(node.last_line.value)
    to.spans[id(node)] = (start, at)
    return at


def _sign(node: Any, at: int, to: Recorder) -> int:
    """A comma, a dot, an equal sign or a colon, with the whitespace around it."""
    before, after = node.whitespace_before, node.whitespace_after
    at = at + len(before.value) if type(before) is _Space else write(before, at, to)
    end = at + 1
    to.spans[id(node)] = (at, end)
    return end + len(after.value) if type(after) is _Space else write(after, end, to)


def _opening(node: Any, at: int, to: Recorder) -> int:
    after = node.whitespace_after
    end = at + 1 + len(after.value) if type(after) is _Space else write(after, at + 1, to)
    to.spans[id(node)] = (at, end)
    return end


def _closing(node: Any, at: int, to: Recorder) -> int:
    before = node.whitespace_before
    end = 1 + (at + len(before.value) if type(before) is _Space else write(before, at, to))
    to.spans[id(node)] = (at, end)
    return end


# -- expressions ----------------------------------------------------------------------------
def _atom(node: Any, at: int, to: Recorder) -> int:
    for parenthesis in node.lpar:
        at = _opening(parenthesis, at, to)
    end = at + len(node.value)
    to.spans[id(node)] = (at, end)
    for parenthesis in node.rpar:
        end = _closing(parenthesis, end, to)
    return end


def _attribute(node: Any, at: int, to: Recorder) -> int:
    for parenthesis in node.lpar:
        at = _opening(parenthesis, at, to)
    end = write(node.value, at, to)
    end = _atom(node.attr, _sign(node.dot, end, to), to)
    to.spans[id(node)] = (at, end)
    for parenthesis in node.rpar:
        end = _closing(parenthesis, end, to)
    return end


def _call(node: Any, at: int, to: Recorder) -> int:
    for parenthesis in node.lpar:
        at = _opening(parenthesis, at, to)
    end = write(node.func, at, to)
    end = write(node.whitespace_after_func, end, to) + 1
    before = node.whitespace_before_args
    end = end + len(before.value) if type(before) is _Space else write(before, end, to)
    for arg in node.args:
        end = _arg(arg, end, to)
    end += 1
    to.spans[id(node)] = (at, end)
    for parenthesis in node.rpar:
        end = _closing(parenthesis, end, to)
    return end


def _arg(node: Any, at: int, to: Recorder) -> int:
    end = at
    if node.star:
        end = write(node.whitespace_after_star, at + len(node.star), to)
    if node.keyword is not None:
        end = _sign(node.equal, _atom(node.keyword, end, to), to)
    end = write(node.value, end, to)
    to.spans[id(node)] = (at, end)
    if type(node.comma) is cst.Comma:
        end = _sign(node.comma, end, to)
    after = node.whitespace_after_arg
    return end + len(after.value) if type(after) is _Space else write(after, end, to)


def _element(node: Any, at: int, to: Recorder) -> int:
    end = write(node.value, at, to)
    to.spans[id(node)] = (at, end)
    return _sign(node.comma, end, to) if type(node.comma) is cst.Comma else end


def _binary(node: Any, at: int, to: Recorder) -> int:
    for parenthesis in node.lpar:
        at = _opening(parenthesis, at, to)
    end = write(node.left, at, to)
    end = write(node.operator, end, to)
    end = write(node.right, end, to)
    to.spans[id(node)] = (at, end)
    for parenthesis in node.rpar:
        end = _closing(parenthesis, end, to)
    return end


def _subscript(node: Any, at: int, to: Recorder) -> int:
    for parenthesis in node.lpar:
        at = _opening(parenthesis, at, to)
    end = write(node.value, at, to)
    end = _opening(node.lbracket, write(node.whitespace_after_value, end, to), to)
    for element in node.slice:
        start = end
        end = write(element.slice, end, to)
        to.spans[id(element)] = (start, end)
        if type(element.comma) is cst.Comma:
            end = _sign(element.comma, end, to)
    end = _closing(node.rbracket, end, to)
    to.spans[id(node)] = (at, end)
    for parenthesis in node.rpar:
        end = _closing(parenthesis, end, to)
    return end


# -- statements -----------------------------------------------------------------------------
def _assign(node: Any, at: int, to: Recorder) -> int:
    end = at
    for target in node.targets:
        start = end
        end = write(target.target, end, to)
        to.spans[id(target)] = (start, end)
        end = 1 + write(target.whitespace_before_equal, end, to)
        end = write(target.whitespace_after_equal, end, to)
    end = write(node.value, end, to)
    return _ended(node, at, end, to)


def _expression(node: Any, at: int, to: Recorder) -> int:
    return _ended(node, at, write(node.value, at, to), to)


def _ended(node: Any, at: int, end: int, to: Recorder) -> int:
    to.spans[id(node)] = (at, end)
    return write(node.semicolon, end, to) if type(node.semicolon) is cst.Semicolon else end


def _statement_line(node: Any, at: int, to: Recorder) -> int:
    for line in node.leading_lines:
        at = _empty_line(line, at, to)
    start = at = at + to.indent
    for small in node.body:
        at = write(small, at, to)
    to.spans[id(node)] = (start, to.spans[id(node.body[-1])][1])
    return _line_end(node.trailing_whitespace, at, to)


def _block(node: Any, at: int, to: Recorder) -> int:
    at = _line_end(node.header, at, to)
    to.increase_indent(to.default_indent if node.indent is None else node.indent)
    for statement in node.body:
        at = write(statement, at, to)
    to.spans[id(node)] = (to.spans[id(node.body[0])][0], to.spans[id(node.body[-1])][1])
    for line in node.footer:
        at = _empty_line(line, at, to)
    to.decrease_indent()
    return at


WRITERS: dict[type, Callable[[Any, int, Recorder], int]] = {
    cst.SimpleWhitespace: _space,
    cst.Newline: _newline,
    cst.Comment: _comment,
    cst.TrailingWhitespace: _line_end,
    cst.EmptyLine: _empty_line,
    cst.ParenthesizedWhitespace: _lines_in_parentheses,
    cst.Dot: _sign,
    cst.Comma: _sign,
    cst.AssignEqual: _sign,
    cst.Add: _sign,
    cst.Subtract: _sign,
    cst.Multiply: _sign,
    cst.Divide: _sign,
    cst.LeftParen: _opening,
    cst.RightParen: _closing,
    cst.LeftSquareBracket: _opening,
    cst.RightSquareBracket: _closing,
    cst.Name: _atom,
    cst.Integer: _atom,
    cst.Float: _atom,
    cst.SimpleString: _atom,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.Arg: _arg,
    cst.Element: _element,
    cst.BinaryOperation: _binary,
    cst.Subscript: _subscript,
    cst.Assign: _assign,
    cst.Expr: _expression,
    cst.SimpleStatementLine: _statement_line,
    cst.IndentedBlock: _block,
}
