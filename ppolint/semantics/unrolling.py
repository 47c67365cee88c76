"""Loops over something that is written out: `for key, value in {"obs": obs, "act": act}.items()`.

Where each iteration is about another thing that has a name, one run of the body with a placeholder
would mix them up. Such a loop is what its iterations are, one after the other.
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import State
from ppolint.semantics.values import Value

_MOST_MEMBERS = 16
_MOST_STATEMENTS = 8
_VIEWS = frozenset({"items", "keys", "values"})


class Unrolling:
    """The part of the evaluator that knows what a loop goes over; mixed into `Evaluator`."""

    values: Values
    heap: State

    def iterations(self, iterable: Value) -> list[Value] | None:
        """What a loop over `iterable` yields, one by one; None where that is not written out, or
        where it yields things of one kind only: those are one computation, done several times."""
        members = self._written_out(iterable.core)
        if members is None or not 0 < len(members) <= _MOST_MEMBERS:
            return None
        return members if all(_has_a_name(m) for m in members) else None

    def _written_out(self, core: Value) -> list[Value] | None:
        if core.op == "attr":
            held = self.definitions(core)  # type: ignore[attr-defined]
            core = held[0].core if len(held) == 1 else core
        if core.op == "tuple":
            return None if any(_is_star(m) for m in core.args) else list(core.args)
        if core.op == "alloc":
            entries = self._entries(core)
            if entries is not None:
                return [self.values.const(key) for key in entries]
            items = core.data.items if core.data.kind in ("list", "set") else None  # type: ignore[attr-defined]
            return None if items is None or any(_is_star(m) for m in items) else list(items)
        if core.op == "call":
            return self._view(core)
        if core.op == "fn" and core.data == "zip":
            return self._zipped(core)
        return None

    def _entries(self, core: Value) -> dict[str, Value] | None:
        """The entries of a dict whose keys are all written out as texts."""
        if core.op == "attr":
            held = self.definitions(core)  # type: ignore[attr-defined]
            core = held[0].core if len(held) == 1 else core
        if core.op != "alloc" or core.data.kind != "dict":  # type: ignore[attr-defined]
            return None
        entries = dict(core.data.entries or {})  # type: ignore[attr-defined]
        written = core.data.node  # type: ignore[attr-defined]
        if type(written) is cst.Dict and len(written.elements) != len(entries):
            return None
        for key, value in self.heap.items():
            if key[0] is core and isinstance(key[1], tuple) and key[1][0] == "item":
                entries[key[1][1]] = value
        return entries if all(isinstance(key, str) for key in entries) else None

    def _view(self, core: Value) -> list[Value] | None:
        """`d.items()`, `d.keys()` and `d.values()`."""
        callee = core.args[0]
        if callee.op != "attr" or callee.data not in _VIEWS or len(core.args) > 1:
            return None
        entries = self._entries(callee.args[0].core)
        if entries is None:
            return None
        make = self.values
        if callee.data == "values":
            return list(entries.values())
        keys = [make.const(key) for key in entries]
        if callee.data == "keys":
            return keys
        return [make.make("tuple", pair) for pair in zip(keys, entries.values())]

    def _zipped(self, core: Value) -> list[Value] | None:
        """The rows of a zip of which one part at least is written out."""
        columns = [self._written_out(part.core) for part in core.args]
        known = [c for c in columns if c is not None]
        if not known:
            return None
        out = []
        for at in range(min(map(len, known))):
            row = [
                column[at] if column is not None else self.item(part, self.values.const(at))  # type: ignore[attr-defined]
                for column, part in zip(columns, core.args)
            ]
            out.append(self.values.make("tuple", tuple(row)))
        return out


def is_short(loop: Any) -> bool:
    """Whether the body of a loop is a few plain statements, which may be run several times."""
    body = loop.body.body
    if type(loop.body) is cst.SimpleStatementSuite:
        return _are_plain(body)
    return len(body) <= _MOST_STATEMENTS and all(_is_plain(statement) for statement in body)


def _is_plain(statement: Any) -> bool:
    if type(statement) is cst.SimpleStatementLine:
        return _are_plain(statement.body)
    if type(statement) is cst.If:
        parts = [statement.body]
        if statement.orelse is not None:
            if type(statement.orelse) is cst.If:
                return is_short(statement) and _is_plain(statement.orelse)
            parts.append(statement.orelse.body)
        return all(
            _are_plain(part.body)
            if type(part) is cst.SimpleStatementSuite
            else all(_is_plain(inner) for inner in part.body)
            for part in parts
        )
    return False


def _are_plain(statements: Any) -> bool:
    return all(type(small) not in (cst.Break, cst.Return) for small in statements)


def _has_a_name(member: Value) -> bool:
    """A text, a container, or a pair with one of these: what an iteration is about."""
    core = member.core
    parts = core.args if core.op == "tuple" else (core,)
    return any(p.core.string is not None or p.core.op == "alloc" or _is_field(p) for p in parts)


def _is_field(value: Value) -> bool:
    """An attribute that stands beside what it gets: `(self.obs, obs)`."""
    return value.core.op == "attr"


def _is_star(value: Value) -> bool:
    return value.op == "fn" and value.data == "star"
