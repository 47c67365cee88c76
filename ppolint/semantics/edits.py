"""Edits that several rules make: arguments, keywords, statements next to each other, imports.

Everything returns edits over the text of the linted file, or None where the place is not in it or
cannot be changed without guessing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from ppolint.findings import Edit
from ppolint.semantics.scopes import children

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def text_of(file: FileModel, node: Any) -> str:
    """The source text of a node of this file."""
    return file.source.text[slice(*file.span(node))]


def add_argument(file: FileModel, call: cst.Call, argument: str) -> Edit | None:
    """Append `argument` to a call, in the layout the call has."""
    if not call.args:
        end = file.span(call)[1] - 1
        return Edit(end, end, argument)
    last = call.args[-1]
    text = file.source.text
    start, end = file.span(last)
    closing = text.rfind(")", 0, file.span(call)[1])
    between = text[end:closing]
    comma = between.lstrip().startswith(",")
    line = text.rfind("\n", 0, start) + 1
    indent = text[line:start]
    if "#" in between:
        if not comma or indent.strip() or "\n" not in between:
            return None
        newline = text.index("\n", end)
        return Edit(newline, newline, f"\n{indent}{argument},")
    if "\n" not in between or indent.strip():
        return Edit(end, closing, f", {argument}")
    at = end + between.index(",") + 1 if comma else end
    return Edit(at, at, f"{'' if comma else ','}\n{indent}{argument},")


def remove_argument(file: FileModel, call: cst.Call, argument: cst.Arg) -> Edit:
    """Take an argument out of a call, with its comma, its line and the comment behind it."""
    text = file.source.text
    start, end = file.span(argument)
    after = end
    while text[after] in " \t":
        after += 1
    has_comma = text[after] == ","
    if has_comma:
        after += 1
    line = text.rfind("\n", 0, start) + 1
    newline = text.find("\n", after)
    rest = text[after:newline].strip()
    if not text[line:start].strip() and newline > 0 and (not rest or rest.startswith("#")):
        return Edit(line, newline + 1, "")
    if has_comma:
        while text[after] in " \t":
            after += 1
        return Edit(start, after, "")
    at = list(call.args).index(argument)
    if at == 0:
        return Edit(start, end, "")
    return Edit(file.span(call.args[at - 1])[1], end, "")


def statement_lines(file: FileModel, statement: Any) -> tuple[int, int]:
    """The offsets of the whole lines a statement takes, the comment behind it included."""
    text = file.source.text
    start, end = file.span(statement)
    first = text.rfind("\n", 0, start) + 1
    newline = text.find("\n", end)
    return first, len(text) if newline < 0 else newline + 1


def block_of(tree: cst.Module, statement: Any) -> list[Any] | None:
    """The statements beside a statement, in order."""
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        body = getattr(node, "body", None)
        if isinstance(body, (list, tuple)) and any(s is statement for s in body):
            return list(body)
        stack.extend(children(node))
    return None


def is_alone(statement: Any) -> bool:
    """Whether a statement is one small statement on lines of its own."""
    return isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1


def move_before(file: FileModel, moved: Any, other: Any) -> tuple[Edit, ...] | None:
    """Move a statement in front of an earlier one of the same block."""
    block = block_of(file.tree, moved)
    if block is None or not any(s is other for s in block) or not is_alone(moved):
        return None
    start, end = statement_lines(file, moved)
    target = statement_lines(file, other)[0]
    text = file.source.text[start:end]
    if target >= start or not text.endswith("\n"):
        return None
    return (Edit(target, target, text), Edit(start, end, ""))


def swap_neighbours(file: FileModel, first: Any, second: Any) -> tuple[Edit, ...] | None:
    """Exchange two statements that follow each other directly."""
    block = block_of(file.tree, first)
    if block is None or not is_alone(first) or not is_alone(second):
        return None
    at = next(i for i, s in enumerate(block) if s is first)
    if at + 1 >= len(block) or block[at + 1] is not second:
        return None
    return move_before(file, second, first)


def insert_after(file: FileModel, statement: Any, line: str) -> Edit | None:
    """A line behind a statement, indented like it."""
    if not is_alone(statement):
        return None
    text = file.source.text
    start, end = statement_lines(file, statement)
    indent = text[start : file.span(statement)[0]]
    if indent.strip():
        return None
    lead = "" if text[end - 1 : end] == "\n" else "\n"
    return Edit(end, end, f"{lead}{indent}{line}\n")


def wrap_in_with(file: FileModel, statement: Any, manager: str) -> tuple[Edit, ...] | None:
    """Put a simple statement into a `with` block."""
    if not is_alone(statement):
        return None
    text = file.source.text
    start, end = statement_lines(file, statement)
    body = text[start:end]
    indent = text[start : file.span(statement)[0]]
    if indent.strip() or '"""' in body or "'''" in body:
        return None
    step = "\t" if indent.startswith("\t") else "    "
    edits = [Edit(start, start, f"{indent}with {manager}:\n{step}")]
    position = start
    while True:
        position = text.find("\n", position, end - 1) + 1
        if position == 0:
            break
        if text[position : position + 1] != "\n":
            edits.append(Edit(position, position, step))
    return tuple(edits)


def imported_beside(
    file: FileModel, known: str, wanted: str, modules: tuple[str, ...]
) -> tuple[str, tuple[Edit, ...]] | None:
    """How to write `wanted` in a file that imports `known` from one of `modules`, and the import
    to add for it: (text, edits). None when the file does neither import nor reach it."""
    for statement in _imports(file.tree):
        if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
            continue
        if statement.module is None or statement.relative:
            continue
        module = text_of(file, statement.module)
        names = {a.name.value: a for a in statement.names}
        if wanted in names and module.startswith("torchrl"):
            alias = names[wanted].asname
            return (alias.name.value if alias is not None else wanted), ()  # type: ignore[union-attr]
    for statement in _imports(file.tree):
        if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
            continue
        if statement.module is None or statement.relative:
            continue
        names = {a.name.value: a for a in statement.names}
        if known not in names:
            continue
        if text_of(file, statement.module) in modules:
            end = file.span(statement.names[-1])[1]
            separator = ", "
            if statement.lpar is not None:
                line = file.source.text.rfind("\n", 0, file.span(statement.names[-1])[0]) + 1
                indent = file.source.text[line : file.span(statement.names[-1])[0]]
                if not indent.strip():
                    separator = f",\n{indent}"
            return wanted, (Edit(end, end, f"{separator}{wanted}"),)
        start = file.span(statement)[0]
        return wanted, (Edit(start, start, f"from {modules[0]} import {wanted}\n"),)
    return None


def _imports(tree: cst.Module) -> list[Any]:
    out = []
    for line in tree.body:
        if isinstance(line, cst.SimpleStatementLine):
            out += [s for s in line.body if isinstance(s, (cst.Import, cst.ImportFrom))]
    return out
