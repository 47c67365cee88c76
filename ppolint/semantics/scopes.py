"""Scopes and what is bound in them; the parts of a node that carry meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import libcst as cst

_LAYOUT = ("whitespace", "leading_lines", "lpar", "rpar", "lbracket", "rbracket", "comma")
_LAYOUT += ("semicolon", "equal", "dot", "header", "footer", "trailing_whitespace", "lines_after")
_LAYOUT += ("colon", "encoding", "default_", "has_trailing", "operator", "relative")
_fields: dict[type, tuple[str, ...]] = {}
# What a field holds, by its class: nothing to follow, a node, or several.
_NOTHING, _NODE, _SEVERAL = range(3)
_held: dict[type, int] = {}


def children(node: Any) -> list[Any]:
    """The parts of a node that carry meaning: no whitespace, commas or brackets."""
    kind = type(node)
    names = _fields.get(kind)
    if names is None:
        names = tuple(n for n in kind.__dataclass_fields__ if not n.startswith(_LAYOUT))
        _fields[kind] = names
    found: list[Any] = []
    for name in names:
        value = getattr(node, name)
        held = _held.get(type(value))
        if held is None:
            held = _what_is_held(type(value))
        if held == _NODE:
            found.append(value)
        elif held == _SEVERAL:
            found += [each for each in value if _is_node(type(each))]
    return found


def _is_node(kind: type) -> bool:
    held = _held.get(kind)
    return (_what_is_held(kind) if held is None else held) == _NODE


def _what_is_held(kind: type) -> int:
    # `isinstance` with libcst's classes is slow, because they are abstract ones
    held = _NOTHING
    if issubclass(kind, cst.CSTNode):
        held = _NODE
    elif issubclass(kind, (tuple, list)):
        held = _SEVERAL
    _held[kind] = held
    return held


@dataclass(eq=False, slots=True)
class Binding:
    """One way a name gets its value in a scope.

    `dotted` is what an import binds; `value` is the expression of a plain assignment; both None
    for anything else (parameters, loops, definitions). `node` is the ImportAlias of an import, or
    the definition. `statement` is the import statement.
    """

    name: str
    dotted: str | None = None
    value: Any = None
    node: Any = None
    statement: Any = None
    scope: Scope | None = None
    guarded: bool = False


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function or comprehension, and what is bound in it."""

    node: Any
    kind: str
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer_names: set[str] = field(default_factory=set)

    @property
    def qualname(self) -> str:
        """As findings name it: "Agent.update", "" for the module."""
        names = []
        scope: Scope | None = self
        while scope is not None:
            if isinstance(scope.node, (cst.FunctionDef, cst.ClassDef)):
                names.append(scope.node.name.value)
            scope = scope.parent
        return ".".join(reversed(names))

    def function(self) -> Scope | None:
        """The innermost function around, this scope included."""
        scope: Scope | None = self
        while scope is not None and scope.kind != "function":
            scope = scope.parent
        return scope

    def enclosing_class(self) -> Scope | None:
        """The class whose method (or body) this is in, or None."""
        scope: Scope | None = self
        while scope is not None and scope.kind != "class":
            scope = scope.parent
        return scope


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A place: an expression node, the scope it stands in, and whether the code around it chooses
    between releases."""

    node: Any
    scope: Scope
    guarded: bool


def scope_binding(scope: Scope, name: str, module: Scope) -> Binding:
    """The binding that was made last for `name` in `scope` (or, with `global`, in the module)."""
    home = module if name in scope.outer_names else scope
    return home.bindings[name][-1]


def dotted_path(node: Any) -> str:
    """`a.b.c` of a Name or an Attribute chain on one."""
    parts = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    parts.append(node.value)
    return ".".join(reversed(parts))
