"""Values as rules want them: constants, names, dictionaries, or UNKNOWN; mixed into `Pipeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Component, Unknown
from ppolint.semantics.values import Value
from ppolint.semantics.wiring import Wiring, is_factory

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


class Readers:
    """The part of `Pipeline` that reads values."""

    file: FileModel
    wiring: Wiring

    def resolved(self, value: Value) -> list[Value]:
        """The values behind names, attributes and branches."""
        return self.wiring.leaves(value)

    def constant(self, value: Value | Unknown | None) -> Any:
        """The Python constant a value is (None too), or UNKNOWN."""
        if value is None or isinstance(value, Unknown):
            return value
        found = self.wiring.leaves(value)
        if len(found) == 1 and found[0].op in ("const", "bool"):
            return found[0].data
        return UNKNOWN

    def text(self, value: Value | Unknown | None) -> str | Unknown | None:
        found = self.constant(value)
        return found if isinstance(found, (str, Unknown)) or found is None else UNKNOWN

    def number(self, value: Value | Unknown | None) -> float | int | Unknown | None:
        """The number a value is, or UNKNOWN."""
        found = self.constant(value)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return found
        return None if found is None and value is None else UNKNOWN

    def same(self, a: Value | Unknown | None, b: Value | Unknown | None) -> bool:
        """Whether two values are certainly the same: one expression, or one known number."""
        if not isinstance(a, Value) or not isinstance(b, Value):
            return False
        if a.core is b.core:
            return True
        left, right = self.wiring.leaves(a), self.wiring.leaves(b)
        return len(left) == len(right) == 1 and left[0] is right[0]

    def dotted(self, value: Value | Unknown | None) -> str | Unknown | None:
        """The dotted name of a class or function given as a value; UNKNOWN for several."""
        if value is None or isinstance(value, Unknown):
            return value
        names = {leaf.dotted for leaf in self.wiring.leaves(value)}
        only = names.pop() if len(names) == 1 else None
        return only if only is not None else UNKNOWN

    def enum_member(self, value: Value | Unknown | None) -> str | Unknown | None:
        """ "RANDOM" for `ExplorationType.RANDOM`, `InteractionType.RANDOM` and "random"."""
        if value is None or isinstance(value, Unknown):
            return value
        names: set[str] = set()
        for leaf in self.wiring.leaves(value):
            if leaf.dotted is not None:
                names.add(leaf.dotted.rpartition(".")[2])
            elif leaf.string is not None:
                names.add(leaf.string.upper())
            elif leaf.op == "call" and str(leaf.args[0].data).endswith("Type.from_str"):
                names.add((leaf.args[1].string or "").upper())
            else:
                return UNKNOWN
        return names.pop() if len(names) == 1 else UNKNOWN

    def dictionary(self, value: Value | Unknown | None) -> Any:
        """The entries of a dict display by string key; UNKNOWN when it is not a plain one."""
        if value is None or isinstance(value, Unknown):
            return value
        found = self.wiring.leaves_of_container(value)
        if len(found) != 1 or found[0].op != "alloc":
            none = len(found) == 1 and found[0].op == "const" and found[0].data is None
            return None if none else UNKNOWN
        site: Any = found[0].data
        if site.kind != "dict" or site.entries is None or found[0] in self.wiring.stored:
            return UNKNOWN
        if len(site.items or ()) != len(site.entries):
            return UNKNOWN
        return dict(site.entries)

    def given(self, call: Value, *names: str) -> Value | None:
        """The first of these keyword arguments that a call has."""
        if call.core.op != "call":
            return None
        found = self.file.keywords(call)
        return next((found[n] for n in names if n in found), None)

    def is_instance(self, value: Value) -> bool | Unknown:
        """Whether a value is an object rather than a factory; a lambda that returns an existing
        object (`lambda: env`) counts as the object."""
        leaves = self.wiring.leaves(value)
        if any(is_factory(leaf) for leaf in leaves):
            return self._returns_existing(leaves)
        found = self.candidates(value)
        return True if all(isinstance(c, Component) for c in found) else UNKNOWN

    def _returns_existing(self, leaves: list[Value]) -> bool | Unknown:
        import libcst as cst

        for leaf in leaves:
            if leaf.op != "func":
                return False
            node = leaf.data.node  # type: ignore[attr-defined]
            if isinstance(node, cst.Lambda) and isinstance(node.body, (cst.Name, cst.Attribute)):
                return True
        return False
