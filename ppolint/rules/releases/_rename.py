"""Edits that give an imported name its new path."""

from __future__ import annotations

from typing import Any

from ppolint.findings import Edit
from ppolint.rules.releases._context import Context, leaf, parent
from ppolint.rules.releases._lists import without
from ppolint.semantics.scopes import Binding


def rename_import(context: Context, binding: Binding, new_path: str) -> list[Edit]:
    """Edits after which `binding`, a name of a `from ... import ...`, comes from `new_path`, and
    every use of it is spelled accordingly. Empty when the statement has a form not known here."""
    statement, alias = binding.statement, binding.node
    if not hasattr(statement, "module") or statement.module is None or statement.relative:
        return []
    new_name, new_module = leaf(new_path), parent(new_path)
    edits: list[Edit] = []
    if alias.asname is not None:
        imported = f"{new_name} as {alias.asname.name.value}"
    elif _keeps_local_name(context, binding, new_name):
        imported = f"{new_name} as {binding.name}"
    else:
        imported = new_name
        edits = [Edit(*context.file.span(node), new_name) for node, _ in context.users(binding)]
    if imported == f"{new_name} as {new_name}":
        imported = new_name
    if new_module == parent(binding.dotted or ""):
        return [*edits, Edit(*_alias_span(context, alias), imported)]
    return [*edits, *_move(context, binding, new_module, imported)]


def _alias_span(context: Context, alias: Any) -> tuple[int, int]:
    start, end = context.file.span(alias.name)
    if alias.asname is not None:
        end = context.file.span(alias.asname.name)[1]
    return start, end


def _keeps_local_name(context: Context, binding: Binding, new_name: str) -> bool:
    """Whether other code relies on the name the import binds, or the new one is taken."""
    if new_name == binding.name:
        return False
    names = context.names
    for other in names.bound.get(new_name, ()):
        if other.dotted is None or context.db.identify(other.dotted) != context.db.identify(
            binding.dotted or ""
        ):
            return True
    if any(use.node.attr.value == new_name for use in names.chains if hasattr(use.node, "attr")):
        return True
    if any(shared for _, shared in context.users(binding)):
        return True
    # A string of that name: `__all__`, a quoted annotation, `getattr`.
    quoted = any(string.node.value[1:-1] == binding.name for string in names.strings)
    return quoted or context.file.source.path.endswith("__init__.py")


def _move(context: Context, binding: Binding, module: str, imported: str) -> list[Edit]:
    """Take an alias out of its statement and import it from another module below."""
    statement, alias = binding.statement, binding.node
    span = context.file.span
    if len(statement.names) == 1:
        return [Edit(*span(statement.module), module), Edit(*_alias_span(context, alias), imported)]
    text = context.file.source.text
    at = next(i for i, other in enumerate(statement.names) if other is alias)
    previous_end = _alias_span(context, statement.names[at - 1])[1] if at else None
    removal = without(text, *_alias_span(context, alias), previous_end)
    start = span(statement)[0]
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    if indent.strip():  # another statement stands before it on the line
        return [removal, Edit(start, start, f"from {module} import {imported}; ")]
    return [removal, Edit(start, start, f"from {module} import {imported}\n{indent}")]
