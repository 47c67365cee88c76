"""Instances: the classes of objects, and what their attributes are set to anywhere."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import CallSite, Class
from ppolint.semantics.values import Value, walk

_ARITHMETIC = frozenset(
    {"add", "mul", "neg", "div", "pow", "const", "param", "attr", "ref", "item"}
)
_FORMULAS = frozenset(
    {"add", "mul", "neg", "div", "pow", "exp", "log", "clip", "min", "max", "where", "reduce", "fn"}
)
_NAMESPACES = frozenset({"types.SimpleNamespace", "argparse.Namespace"})


class Instances:
    """The part of the evaluator that knows objects; mixed into `Evaluator`."""

    values: Values
    self_classes: dict[Value, Class]
    assignments: dict[tuple[Value, str], list[Value]]

    def class_of(self, value: Value) -> Class | None:
        """The class of the project that `value` is an instance of, if that is known."""
        core = value.core
        if core.op == "call":
            return core.args[0].data if core.args[0].op == "class" else None  # type: ignore[return-value]
        if core.op == "param":
            return self.self_classes.get(core)
        if core.op == "attr":
            found = {c for d in self.definitions(core) if (c := self._direct_class(d)) is not None}
            return found.pop() if len(found) == 1 else None
        if core.op in ("phi", "after"):
            found = {c for a in core.args if (c := self._direct_class(a)) is not None}
            return found.pop() if len(found) == 1 else None
        return None

    @staticmethod
    def _direct_class(value: Value) -> Class | None:
        core = value.core
        if core.op == "call" and core.args[0].op == "class":
            return core.args[0].data  # type: ignore[return-value]
        return None

    def definitions(self, attribute: Value) -> list[Value]:
        """What is assigned to `base.name` anywhere: on this object, else by its class."""
        base, name = attribute.args[0].core, str(attribute.data)
        held = self.assignments.get((base, name))  # type: ignore[attr-defined]
        cls = self.self_classes.get(base) or self._direct_class(base)
        given = self._given_field(base, cls, name)
        if held or given is not None:
            return [*(held or ()), *(given or ())]
        if cls is None and base.op == "attr":
            cls = self.class_of(base)
        if cls is None:
            return []
        for owner in cls.lineage():
            if name in owner.attributes:
                return owner.attributes[name]
            if name in owner.constants:
                return [owner.constants[name]]
        if base.op != "attr":
            return []
        # of an object that another one holds: what its constructor did to it
        held_by = [self.assignments.get((d.core, name), ()) for d in self.definitions(base)]
        return [value for values in held_by for value in values]

    @staticmethod
    def _given_field(base: Value, cls: Class | None, name: str) -> list[Value] | None:
        """What a call sets a field to, where the constructor is made from the fields: dataclasses
        and namespaces. None where it says nothing about it, empty where it cannot be seen."""
        if base.op != "call":
            return None
        fields: tuple[str, ...] = ()
        if cls is None:
            made = tuple_fields(base.args[0].core)
            if made is None and base.args[0].dotted not in _NAMESPACES:
                return None
            fields = made or ()
        elif cls.method("__init__") is not None:
            return None
        else:
            fields = class_fields(cls)
        site: CallSite = base.data  # type: ignore[assignment]
        if name in site.keywords:
            return [base.args[1 + site.positional + site.keywords.index(name)]]
        if site.star or site.double_star:
            return []
        if name in fields:
            at = fields.index(name)
            return [base.args[1 + at]] if at < site.positional else None
        return [] if site.positional else None

    def class_attribute(self, base: Value, name: str, node: Any) -> Value:
        """`base.name` where nothing was assigned on this path: properties, derived numbers."""
        plain = self.values.attr(base, name)
        cls = self.class_of(base)
        computed = self._computed_field(base.core, cls, name)
        if computed is not None:
            return computed
        if cls is None:
            return plain
        method = cls.method(name)
        if method is not None:
            if method.is_property:
                return self.inline(method, [base], {}, node) or plain
            return plain
        found = self.definitions(plain.core if plain.core.op == "attr" else plain)
        if len(found) == 1 and found[0].op in (
            "add",
            "mul",
            "neg",
            "div",
            "func",
            "partial",
            "ref",
        ):
            only = found[0]
            if only.op in ("func", "partial", "ref"):
                return only
            if not only.loops and all(part.op in _ARITHMETIC for part in walk(only)):
                return only
        return plain

    def _computed_field(self, base: Value, cls: Class | None, name: str) -> Value | None:
        """A field of a record that a formula was put into when it was made, and nothing else."""
        if base.op != "call" or (base, name) in self.assignments:
            return None
        given = self._given_field(base, cls, name)
        return given[0] if given and given[0].core.op in _FORMULAS else None

    def field_at(self, base: Value, at: int) -> Value | None:
        """The same for a part of a named tuple, by its position."""
        if base.op != "call":
            return None
        cls = self._direct_class(base)
        if cls is None:
            fields = tuple_fields(base.args[0].core)
        else:
            named = "typing.NamedTuple" in cls.external_bases()
            fields = class_fields(cls) if named else None
        if fields is None or not -len(fields) <= at < len(fields):
            return None
        return self._computed_field(base, cls, fields[at])


def tuple_fields(callee: Value) -> tuple[str, ...] | None:
    """The fields of a class that `namedtuple("Step", "obs action")` made; None for another one."""
    if callee.op != "call" or callee.args[0].dotted != "collections.namedtuple":
        return None
    listed = callee.args[2].core if len(callee.args) > 2 else callee
    if listed.string is not None:
        return tuple(listed.string.replace(",", " ").split())
    members = listed.args if listed.op == "tuple" else getattr(listed.data, "items", None) or ()
    return tuple(m.string or "" for m in members)


def class_fields(cls: Class) -> tuple[str, ...]:
    """The annotated names in the body of a class, in order, those of its bases first."""
    out: dict[str, None] = {}
    for owner in reversed(cls.lineage()):
        for statement in getattr(owner.node.body, "body", ()):
            for small in getattr(statement, "body", ()) if _is_line(statement) else ():
                if type(small) is cst.AnnAssign and type(small.target) is cst.Name:
                    out[small.target.value] = None
    return tuple(out)


def _is_line(statement: Any) -> bool:
    return type(statement) is cst.SimpleStatementLine
