"""Which TensorDict keys the parts of a pipeline read and write.

A key is a string or a tuple of strings (a tuple of one is the string). A set of keys that cannot be
seen in full says so: `Keys.complete` is False, and `Keys.has` answers UNKNOWN instead of False.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Unknown
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

Key = Any  # str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """Some keys; `complete` when there are certainly no others."""

    found: frozenset[Key]
    complete: bool

    def has(self, key: Key) -> bool | Unknown:
        if key in self.found:
            return True
        return False if self.complete else UNKNOWN

    def __or__(self, other: Keys) -> Keys:
        return Keys(self.found | other.found, self.complete and other.complete)


NOTHING = Keys(frozenset(), True)
ANYTHING = Keys(frozenset(), False)


def parse_key(pipeline: Pipeline, value: Value) -> Key | Unknown | None:
    """One key as written: "a", ("agents", "a"); None for a Python None."""
    found = [_key(leaf) for leaf in _leaves(pipeline, value)]
    return found[0] if len(found) == 1 else UNKNOWN


def _leaves(pipeline: Pipeline, value: Value) -> list[Value]:
    core = value.core
    return [core] if core.op == "tuple" else pipeline.wiring.leaves(value)


def _key(leaf: Value) -> Key | Unknown | None:
    if leaf.string is not None:
        return leaf.string
    if leaf.op == "const" and leaf.data is None:
        return None
    if leaf.op == "tuple":
        parts: list[str] = []
        for arg in leaf.args:
            inner = _key(arg.core)
            if isinstance(inner, str):
                parts.append(inner)
            elif isinstance(inner, tuple):
                parts.extend(inner)
            else:
                return UNKNOWN
        return parts[0] if len(parts) == 1 else tuple(parts)
    return UNKNOWN


def parse_keys(pipeline: Pipeline, value: Value) -> tuple | Unknown | None:
    """A list of keys as written; UNKNOWN when any of them cannot be seen."""
    core = value.core
    if core.op == "fn" and core.data == "cat":
        parts = [parse_keys(pipeline, a) for a in core.args]
        if all(isinstance(p, tuple) for p in parts):
            return tuple(k for p in parts for k in p)  # type: ignore[union-attr]
        return UNKNOWN
    found = pipeline.wiring.leaves_of_container(value)
    if len(found) != 1:
        return UNKNOWN
    leaf = found[0]
    if leaf.string is not None:
        return (leaf.string,)
    if leaf.op == "const" and leaf.data is None:
        return None
    items: tuple[Value, ...]
    if leaf.op == "tuple":
        items = leaf.args
    elif leaf.op == "alloc":
        site: Any = leaf.data
        if site.kind == "dict":
            if site.entries is None or len(site.entries) != len(site.items or ()):
                return UNKNOWN
            return tuple(site.entries)
        if site.kind != "list" or leaf in pipeline.wiring.stored:
            return UNKNOWN
        items = site.items or ()
    else:
        return UNKNOWN
    out = []
    for item in items:
        key = parse_key(pipeline, item)
        if key is None or key is UNKNOWN:
            return UNKNOWN
        out.append(key)
    return tuple(out)
