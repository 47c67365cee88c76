"""The API at one release: what names lead to, and what classes are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ppolint.torchrl_api.callables import Callables
from ppolint.torchrl_api.histories import HERE, LAZY, start_of, value_at
from ppolint.torchrl_api.signatures import Signature

if TYPE_CHECKING:
    from ppolint.torchrl_api.database import Database

PACKAGES = ("torchrl", "tensordict")


@dataclass(frozen=True, slots=True)
class Entity:
    """What a dotted path leads to in one release.

    `kind`: "module", "class", "function", "variable", "member" (an attribute of a class: `owner`
    and `path` tell which), "external" (of another package) or "unknown" (answered at run time).
    `path` is where it is defined; `public` the shortest public path people import it by.
    """

    kind: str
    path: str
    public: str
    owner: str | None = None


class View:
    """The API at one release of TorchRL and one of TensorDict."""

    def __init__(
        self, db: Database, torchrl: str, tensordict: str, indices: dict[str, int]
    ) -> None:
        self._db = db
        self.torchrl = torchrl
        self.tensordict = tensordict
        self._indices = indices
        self._resolved: dict[str, Entity | None] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._callables = Callables(self)

    def entry(self, key: str) -> dict | None:
        """A line of the data (see `Database.entry`)."""
        return self._db.entry(key)

    def index(self, path: str) -> int | None:
        """The position of this release among those of the package of `path`."""
        return self._indices.get(path.partition(".")[0])

    def _has_module(self, module: str) -> bool:
        entry = self._db.entry(module)
        return entry is not None and bool(value_at(entry["at"], self.index(module)))

    def resolve(self, path: str) -> Entity | None:
        """What `path` leads to, through re-exports; None when this release does not have it."""
        if path not in self._resolved:
            self._resolved[path] = self._resolve(path, 0)
        return self._resolved[path]

    def _resolve(self, path: str, depth: int) -> Entity | None:
        if path.partition(".")[0] not in PACKAGES:
            return Entity("external", path, path)
        if depth > 20:
            return Entity("unknown", path, path)
        parts = path.split(".")
        for cut in range(len(parts), 0, -1):
            module = ".".join(parts[:cut])
            if self._has_module(module):
                break
        else:
            return None
        index = self.index(path)
        if cut == len(parts):
            return self._shadowing(path, depth) or Entity("module", path, path)
        entry = self._db.entry(module)
        start = start_of(entry["at"])
        target = value_at(entry["names"].get(parts[cut]), index, start)
        rest = parts[cut + 1 :]
        if target is None:
            if value_at(entry.get("dynamic"), index, start):
                return Entity("unknown", path, path)
            return None
        if target == LAZY:
            return Entity("unknown", path, path)
        if target == HERE:
            return self._definition(f"{module}.{parts[cut]}", rest)
        return self._resolve(".".join([target, *rest]), depth + 1)

    def _shadowing(self, path: str, depth: int) -> Entity | None:
        """What hides a submodule: `from .env_creator import env_creator` in its package."""
        package, _, name = path.rpartition(".")
        entry = self._db.entry(package)
        if entry is None or name not in entry["names"]:
            return None
        target = value_at(entry["names"][name], self.index(path), start_of(entry["at"]))
        if target in (None, HERE, LAZY, path):
            return None
        return self._resolve(target, depth + 1)

    def _definition(self, path: str, rest: list[str]) -> Entity | None:
        entry = self._db.entry(f"={path}")
        index = self.index(path)
        if entry is None or not value_at(entry["at"], index):
            kind = "unknown" if rest else "variable"
            return Entity(kind, ".".join([path, *rest]), ".".join([path, *rest]))
        public = value_at(entry.get("pub"), index, start_of(entry["at"])) or path
        is_class = self.record(path) is not None
        if not rest:
            return Entity("class" if is_class else "function", path, public)
        if not is_class:
            return Entity("unknown", ".".join([path, *rest]), ".".join([public, *rest]))
        owner = self.member_owner(path, rest[0])
        if owner is None:
            if self.is_closed(path):
                return None
            return Entity("unknown", ".".join([path, *rest]), ".".join([public, *rest]))
        kind = "member" if len(rest) == 1 else "unknown"
        return Entity(kind, ".".join([owner, *rest]), ".".join([public, *rest]), owner)

    # Classes

    def record(self, path: str) -> tuple[dict, int, int] | None:
        """(entry, index, start) of a class definition that this release has."""
        entry = self._db.entry(f"={path}")
        index = self.index(path)
        if entry is None or not value_at(entry["at"], index):
            return None
        start = start_of(entry["at"])
        return None if value_at(entry.get("bases"), index, start) is None else (entry, index, start)

    def class_part(self, path: str, part: str):
        """The value of a part of a class record (`bases`, `meta`, `deco`, `fields`, `keys`)."""
        record = self.record(path)
        return None if record is None else value_at(record[0].get(part), record[1], record[2])

    def own_members(self, path: str) -> dict[str, str]:
        """Member name -> "method", "property", "attribute" (set on self) or "field" of a class,
        without what it inherits."""
        record = self.record(path)
        if record is None:
            return {}
        entry, index, start = record
        members = {f[0]: "field" for f in value_at(entry.get("fields"), index, start) or ()}
        kinds = (("attrs", "attribute"), ("props", "property"), ("methods", "method"))
        for part, kind in kinds:
            for name, changes in entry.get(part, {}).items():
                if value_at(changes, index, start):
                    members[name] = kind
        return members

    def mro(self, path: str) -> tuple[str, ...]:
        """The classes that a class inherits from, itself first, in lookup order; a class of
        another package (or one that cannot be resolved) stands in it by its dotted path."""
        if path not in self._orders:
            self._orders[path] = (path,)  # what a class that inherits from itself would see
            bases = []
            for base in self.class_part(path, "bases") or ():
                entity = self.resolve(base)
                bases.append(entity.path if entity is not None else base)
            orders = [list(self.mro(b)) if self.record(b) else [b] for b in bases]
            self._orders[path] = (path, *_merge([*orders, bases]))
        return self._orders[path]

    def is_closed(self, path: str) -> bool:
        """Whether every base of a class is known, so that a missing member is really missing."""
        known = ("builtins.object", "builtins.str", "abc.ABC", "enum.Enum", "enum.StrEnum")
        return all(self.record(c) is not None or c in known for c in self.mro(path))

    def members(self, path: str) -> dict[str, str]:
        """As `own_members`, inherited ones included."""
        entity = self.resolve(path)
        members: dict[str, str] = {}
        if entity is not None and entity.kind == "class":
            for cls in reversed(self.mro(entity.path)):
                members.update(self.own_members(cls))
        return members

    def member_owner(self, path: str, name: str) -> str | None:
        """The class of `path`'s lookup order that defines member `name`."""
        return next((cls for cls in self.mro(path) if name in self.own_members(cls)), None)

    def enum_members(self, path: str) -> tuple[str, ...]:
        """The members of an enumeration; empty for anything else."""
        entity = self.resolve(path)
        if entity is None or entity.kind != "class":
            return ()
        if not any(c.startswith("enum.") or c.endswith("._StrEnum") for c in self.mro(entity.path)):
            return ()
        fields = self.class_part(entity.path, "fields") or ()
        return tuple(f[0] for f in fields if f[1] is not None and not f[0].startswith("_"))

    def is_subclass(self, path: str, base: str) -> bool | None:
        """Whether the class at `path` inherits from the one at `base`; None when not known."""
        entity, parent = self.resolve(path), self.resolve(base)
        if entity is None or parent is None or entity.kind != "class":
            return None
        return parent.path in self.mro(entity.path)

    def accepted_keys(self, path: str) -> dict[str, str | None]:
        """The names `set_keys` of a loss or estimator takes, with the source of their default
        (None when it is computed); empty when the class has none."""
        entity = self.resolve(path)
        keys: dict[str, str | None] = {}
        if entity is not None and entity.kind == "class":
            for cls in reversed(self.mro(entity.path)):
                keys.update({name: value for name, value, _ in self.class_part(cls, "keys") or ()})
        return keys

    def signature(self, path: str) -> Signature | None:
        """What a call of `path` takes: a function, a method (`Class.method`), or the effective
        constructor of a class; None when it cannot be known or does not exist."""
        return self._callables.signature(path)


def _merge(sequences: list[list[str]]) -> list[str]:
    """C3 merge of the lookup orders of the bases; falls back to order of appearance for classes
    that Python itself would refuse."""
    merged: list[str] = []
    sequences = [list(s) for s in sequences if s]
    while sequences:
        for sequence in sequences:
            head = sequence[0]
            if not any(head in other[1:] for other in sequences):
                break
        else:
            head = sequences[0][0]
        merged.append(head)
        sequences = [[c for c in s if c != head] for s in sequences]
        sequences = [s for s in sequences if s]
    return merged
