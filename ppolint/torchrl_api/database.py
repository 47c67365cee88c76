"""The API of TorchRL and TensorDict in every release: names, definitions, signatures.

`load()` opens the packaged data file once per process. Everything is asked by dotted path, as it is
written after imports are resolved (`torchrl.collectors.collectors.SyncDataCollector`), at a release
of TorchRL (`"0.14.1"`); the TensorDict release that goes with it is implied unless said otherwise.

The questions rules ask:

    db = load()
    at = db.at("0.14.1")
    at.resolve("torchrl.envs.utils.ExplorationType.MODE")  # -> Entity, or None when it is not there
    at.signature("torchrl.objectives.ClipPPOLoss")         # -> Signature of the constructor
    at.accepted_keys("torchrl.objectives.ClipPPOLoss")     # -> {"advantage": "'advantage'", ...}
    db.lifetime("torchrl.collectors.SyncDataCollector")    # -> releases that have it
    db.identify("torchrl.objectives.ppo.ClipPPOLoss")      # -> its public name, whatever the release

Data format: zlib over lines. The first is a header; then `key<TAB>JSON`, parsed when asked for.
A plain key is a module, `=key` a definition. Values are histories over the releases of their
package: `[value at start, index, value, ...]`, with the first index in front when the history
begins later than what it belongs to; None is absence.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from packaging.version import Version

from ppolint.torchrl_api.renames import METACLASS_KEYWORDS, RAISING_KEYWORDS, successor
from ppolint.torchrl_api.signatures import (
    Extra,
    Kind,
    Parameter,
    Signature,
    forwarded,
    parse_parameters,
)

PACKAGES = ("torchrl", "tensordict")
DATA = Path(__file__).resolve().parent / "api.json.z"
_HERE, _LAZY = ".", "?"
_TENSORCLASS = ("tensordict.tensorclass.tensorclass", "tensordict.tensorclass.TensorClass")

# What the decorator adds to the fields; `batch_size` is optional in calls despite its missing default.
_TENSORCLASS_PARAMETERS = (
    Parameter("batch_size", Kind.KEYWORD_ONLY),
    Parameter("device", Kind.KEYWORD_ONLY, "None"),
    Parameter("names", Kind.KEYWORD_ONLY, "None"),
)


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


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The releases of a package that have something, oldest first; `known` are all there are."""

    releases: tuple[str, ...]
    known: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.releases)

    def __contains__(self, release: str) -> bool:
        return release in self.releases

    @property
    def since(self) -> str | None:
        """The first release that has it; None when it was there from the first known one, or never."""
        if not self.releases or self.releases[0] == self.known[0]:
            return None
        return self.releases[0]

    @property
    def removed_in(self) -> str | None:
        """The first release after the last one that has it; None while the newest has it."""
        if not self.releases or self.releases[-1] == self.known[-1]:
            return None
        return self.known[self.known.index(self.releases[-1]) + 1]


class Database:
    """All releases; see the module docstring."""

    def __init__(self, data: bytes) -> None:
        text = zlib.decompress(data).decode()
        first, _, body = text.partition("\n")
        header = json.loads(first)
        self._lines = dict(line.split("\t", 1) for line in body.split("\n"))
        self._parsed: dict[str, dict | None] = {}
        self._views: dict[tuple[str, str], View] = {}
        self._identities: dict[str, str | None] = {}
        self.releases: dict[str, tuple[str, ...]] = {
            package: tuple(versions) for package, versions in header["releases"].items()
        }
        self.partners: dict[str, str] = header["partners"]

    @property
    def newest(self) -> str:
        """The newest TorchRL release known."""
        return self.releases["torchrl"][-1]

    def matching(self, package: str, specifier) -> tuple[str, ...]:
        """The known releases of `package` that a `packaging` specifier set admits."""
        return tuple(v for v in self.releases[package] if specifier.contains(v, prereleases=True))

    def at(self, torchrl: str, tensordict: str | None = None) -> View:
        """The API at a known release; raises `KeyError` for a release that is not known."""
        partner = tensordict if tensordict is not None else self.partners[torchrl]
        key = (torchrl, partner)
        if key not in self._views:
            indices = {
                "torchrl": self.releases["torchrl"].index(torchrl),
                "tensordict": self.releases["tensordict"].index(partner),
            }
            self._views[key] = View(self, torchrl, partner, indices)
        return self._views[key]

    def views(self, package: str) -> list[tuple[str, View]]:
        """Every release of `package` with a view that shows it, oldest first."""
        if package == "torchrl":
            return [(release, self.at(release)) for release in self.releases["torchrl"]]
        return [(r, self.at(self.newest, r)) for r in self.releases["tensordict"]]

    def lifetime(self, path: str) -> Lifetime:
        """The releases (of the package that `path` begins with) in which `path` exists."""
        package = path.partition(".")[0]
        if package not in PACKAGES:
            return Lifetime((), ("",))
        found = tuple(r for r, view in self.views(package) if view.resolve(path) is not None)
        return Lifetime(found, self.releases[package])

    def parameter_lifetime(self, path: str, name: str) -> Lifetime:
        """The releases in which the callable at `path` has a parameter `name` that works."""
        package = path.partition(".")[0]
        found = []
        for release, view in self.views(package):
            signature = view.signature(path)
            if signature is not None and signature.accepts(name):
                found.append(release)
        return Lifetime(tuple(found), self.releases[package])

    def identify(self, path: str) -> str | None:
        """One name for a thing in all releases: the public path it has in the newest release that
        knows `path`, renames followed. None when no release has it."""
        if path not in self._identities:
            self._identities[path] = None  # what a cycle of renames would find
            self._identities[path] = self._identify(path)
        return self._identities[path]

    def _identify(self, path: str) -> str | None:
        package = path.partition(".")[0]
        if package not in PACKAGES:
            return None
        next_path = successor(path)
        if next_path is not None:
            return self.identify(next_path)
        for _, view in reversed(self.views(package)):
            entity = view.resolve(path)
            if entity is not None:
                known = entity.public.partition(".")[0] in PACKAGES and entity.kind != "unknown"
                if not known or entity.public == path:
                    return entity.public
                return self.identify(entity.public)
        return None

    def entry(self, key: str) -> dict | None:
        """The parsed line of a module or, after `=`, of a definition."""
        if key not in self._parsed:
            line = self._lines.get(key)
            self._parsed[key] = None if line is None else json.loads(line)
        return self._parsed[key]

    def modules(self) -> list[str]:
        return [key for key in self._lines if not key.startswith("=")]


def value_at(history: list | None, index: int, start: int = 0):
    """The value of a history (see the module docstring) at release `index`."""
    if not history:
        return None
    if len(history) % 2:
        value, rest = (history[0] if index >= start else None), history[1:]
    else:
        value, rest = None, history
    for position in range(0, len(rest), 2):
        if rest[position] > index:
            break
        value = rest[position + 1]
    return value


def _start(at: list) -> int:
    return 0 if len(at) % 2 else at[0]


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
        self._signatures: dict[str, Signature | None] = {}

    def _index(self, path: str) -> int | None:
        return self._indices.get(path.partition(".")[0])

    def _has_module(self, module: str) -> bool:
        entry = self._db.entry(module)
        return entry is not None and bool(value_at(entry["at"], self._index(module)))

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
        index = self._index(path)
        if cut == len(parts):
            return self._shadowing(path, depth) or Entity("module", path, path)
        entry = self._db.entry(module)
        start = _start(entry["at"])
        target = value_at(entry["names"].get(parts[cut]), index, start)
        rest = parts[cut + 1 :]
        if target is None:
            if value_at(entry.get("dynamic"), index, start):
                return Entity("unknown", path, path)
            return None
        if target == _LAZY:
            return Entity("unknown", path, path)
        if target == _HERE:
            return self._definition(f"{module}.{parts[cut]}", rest)
        return self._resolve(".".join([target, *rest]), depth + 1)

    def _shadowing(self, path: str, depth: int) -> Entity | None:
        """What hides a submodule: `from .env_creator import env_creator` in its package."""
        package, _, name = path.rpartition(".")
        entry = self._db.entry(package)
        if entry is None or name not in entry["names"]:
            return None
        target = value_at(entry["names"][name], self._index(path), _start(entry["at"]))
        if target in (None, _HERE, _LAZY, path):
            return None
        return self._resolve(target, depth + 1)

    def _definition(self, path: str, rest: list[str]) -> Entity | None:
        entry = self._db.entry(f"={path}")
        index = self._index(path)
        if entry is None or not value_at(entry["at"], index):
            kind = "unknown" if rest else "variable"
            return Entity(kind, ".".join([path, *rest]), ".".join([path, *rest]))
        public = value_at(entry.get("pub"), index, _start(entry["at"])) or path
        is_class = self._record(path) is not None
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

    def _record(self, path: str) -> tuple[dict, int, int] | None:
        """(entry, index, start) of a class definition that this release has."""
        entry = self._db.entry(f"={path}")
        index = self._index(path)
        if entry is None or not value_at(entry["at"], index):
            return None
        start = _start(entry["at"])
        return None if value_at(entry.get("bases"), index, start) is None else (entry, index, start)

    def class_part(self, path: str, part: str):
        """The value of a part of a class record (`bases`, `meta`, `deco`, `fields`, `keys`)."""
        record = self._record(path)
        return None if record is None else value_at(record[0].get(part), record[1], record[2])

    def own_members(self, path: str) -> dict[str, str]:
        """Member name -> "method", "property", "attribute" (set on self) or "field" of a class,
        without what it inherits."""
        record = self._record(path)
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

    @lru_cache(maxsize=4096)
    def mro(self, path: str) -> tuple[str, ...]:
        """The classes that a class inherits from, itself first, in lookup order; a class of
        another package (or one that cannot be resolved) stands in it by its dotted path."""
        bases = []
        for base in self.class_part(path, "bases") or ():
            entity = self.resolve(base)
            bases.append(entity.path if entity is not None else base)
        return (
            path,
            *_merge(
                [[*map(str, self.mro(b))] if self._record(b) else [b] for b in bases] + [bases]
            ),
        )

    def is_closed(self, path: str) -> bool:
        """Whether every base of a class is known, so that a missing member is really missing."""
        known = ("builtins.object", "builtins.str", "abc.ABC", "enum.Enum", "enum.StrEnum")
        return all(self._record(c) is not None or c in known for c in self.mro(path))

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

    # Signatures

    def signature(self, path: str) -> Signature | None:
        """What a call of `path` takes: a function, a method (`Class.method`), or the effective
        constructor of a class; None when it cannot be known or does not exist."""
        if path not in self._signatures:
            self._signatures[path] = self._signature(path)
        return self._signatures[path]

    def _signature(self, path: str) -> Signature | None:
        entity = self.resolve(path)
        if entity is None:
            return None
        if entity.kind == "function":
            entry = self._db.entry(f"={entity.path}")
            stored = value_at(entry.get("sig"), self._index(entity.path), _start(entry["at"]))
            return None if stored is None else self._expand(stored, None, None, 0)
        if entity.kind == "class":
            return self._constructor(entity.path)
        if entity.kind == "member":
            name = entity.path.rpartition(".")[2]
            return self._method(entity.owner, name, 0, self.mro(entity.owner))
        return None

    def _stored_method(self, cls: str, name: str):
        record = self._record(cls)
        if record is None:
            return None
        entry, index, start = record
        return value_at(entry.get("methods", {}).get(name), index, start)

    def _method(self, cls: str, name: str, depth: int, mro: tuple[str, ...]) -> Signature | None:
        stored = self._stored_method(cls, name)
        if stored is None:
            return None
        record = self._record(cls)
        static = value_at(record[0].get("static", {}).get(name), record[1], record[2])
        bound = name == "__new__" or not static
        return self._expand(stored, cls, name, depth, mro, bound=bound)

    def _constructor(
        self, cls: str, mro: tuple[str, ...] | None = None, depth: int = 0
    ) -> Signature | None:
        """The constructor found along `mro`: `__init__`, generated for data classes, `__new__`."""
        lookup = self.mro(cls) if mro is None else mro
        signature = None
        for position, name in enumerate(lookup):
            if self._record(name) is None:
                if name in ("abc.ABC", "builtins.object") or name.startswith("typing."):
                    continue
                return None
            if self._stored_method(name, "__init__") is not None:
                signature = self._method(name, "__init__", depth, lookup[position:])
                break
            if self._is_dataclass(name):
                signature = self._generated(lookup[position:])
                break
            new = self._stored_method(name, "__new__")
            if isinstance(new, str):
                signature = self._method(name, "__new__", depth, lookup[position:])
                break
        if signature is None:
            return None
        if self._dispatches(lookup[0]):
            signature = replace(signature, extra=Extra.UNKNOWN)
        if depth == 0:
            signature = self._with_metaclass(signature, lookup)
        signature = self._without_raising(signature, lookup)
        if self.class_part(lookup[0], "stub"):
            signature = replace(signature, stub=True)
        return signature

    def _without_raising(self, signature: Signature, lookup: Iterable[str]) -> Signature:
        """The hand-kept keywords that only raise, moved from what is taken to what is removed."""
        gone = set()
        for cls in lookup:
            base = self.resolve(cls)
            for name, since in RAISING_KEYWORDS.get(base.public if base else "", {}).items():
                release = self.torchrl if cls.startswith("torchrl") else self.tensordict
                if not newer(since, release):
                    gone.add(name)
        if not gone:
            return signature
        kept = tuple(p for p in signature.parameters if p.name not in gone)
        return Signature(kept, signature.extra, signature.removed | gone, signature.stub)

    def _dispatches(self, cls: str) -> bool:
        """Whether a class has a `__new__` that reads keywords, or hands them to something else."""
        stored = self._stored_method(cls, "__new__")
        if not isinstance(stored, list):
            return False
        use = stored[1]
        onward = [callee for callee, _, _ in use.get("to", ()) if callee != "super"]
        return bool(onward or use.get("take") or use.get("other"))

    def _is_dataclass(self, cls: str) -> bool:
        decorators = [self.resolve(d) for d in self.class_part(cls, "deco") or ()]
        return any(
            d is not None and (d.path == "dataclasses.dataclass" or d.path in _TENSORCLASS)
            for d in decorators
        ) or any(base in _TENSORCLASS for base in self.mro(cls)[1:])

    def _generated(self, lookup: Iterable[str]) -> Signature:
        fields: dict[str, Parameter] = {}
        tensorclass = False
        for cls in reversed(list(lookup)):
            if not self._is_dataclass(cls):
                continue
            for name, default, annotated in self.class_part(cls, "fields") or ():
                if annotated and not name.startswith("__"):
                    fields[name] = Parameter(name, Kind.POSITIONAL_OR_KEYWORD, default)
            tensorclass |= "dataclasses.dataclass" not in (self.class_part(cls, "deco") or ())
        added = _TENSORCLASS_PARAMETERS if tensorclass else ()
        return Signature((*fields.values(), *added))

    def _with_metaclass(self, signature: Signature, lookup: tuple[str, ...]) -> Signature:
        """Keywords that the metaclass reads, or passes to another class, before the constructor
        sees the call."""
        written = next(filter(None, (self.class_part(cls, "meta") for cls in lookup)), None)
        entity = self.resolve(written) if written else None
        if entity is None or entity.kind != "class":
            return signature
        names: dict[str, None] = {}
        for meta in self.mro(entity.path):
            stored = self._stored_method(meta, "__call__")
            if not isinstance(stored, list):
                continue
            text, use = stored
            own = parse_parameters(text)
            names.update({p.name: None for p in own if p.kind is Kind.KEYWORD_ONLY})
            names.update({name: None for name in use.get("take", ())})
            for callee, _, given in use.get("to", ()):
                if callee in ("super", _LAZY):
                    continue
                inner, _ = self._callee(callee, None, None, 1, ())
                if inner is not None:
                    names.update({p: None for p in inner.keywords if p not in given})
        for cls in lookup:
            base = self.resolve(cls)
            names.update(dict.fromkeys(METACLASS_KEYWORDS.get(base.public if base else "", ())))
        known = {p.name for p in signature.parameters}
        added = tuple(
            Parameter(name, Kind.KEYWORD_ONLY, "...", entity.path)
            for name in names
            if name not in known and not name.startswith("_")
        )
        parameters = _before_kwargs(signature.parameters, added)
        return Signature(parameters, signature.extra, signature.removed)

    def _expand(
        self,
        stored: str | list,
        cls: str | None,
        method: str | None,
        depth: int,
        lookup: tuple[str, ...] = (),
        bound: bool = True,
    ) -> Signature:
        """A stored signature with its forwarded keywords followed."""
        text, use = (stored, None) if isinstance(stored, str) else stored
        own = parse_parameters(text)
        if cls is not None and bound and own and own[0].kind is not Kind.VAR_POSITIONAL:
            own = own[1:]
        if use is None:
            return Signature(own)
        removed = frozenset(use.get("bad", ()))
        names = {p.name for p in own}
        added = [
            Parameter(name, Kind.KEYWORD_ONLY, "...", "**")
            for name in use.get("take", ())
            if name not in removed and name not in names and not name.startswith("_")
        ]
        extra = self._extra(use)
        if "to" in use and extra is None:
            if depth > 12:
                return Signature(_before_kwargs(own, added), Extra.UNKNOWN, removed)
            for callee, positional, given in use["to"][:1]:
                inner, origin = self._callee(callee, cls, method, depth, lookup)
                if inner is None:
                    extra = Extra.UNKNOWN
                else:
                    taken = [*own, *added]
                    added += forwarded(inner, taken, positional, given, origin)
                    extra = inner.extra
                    removed |= inner.removed - {p.name for p in taken}
        return Signature(_before_kwargs(own, added), extra, removed)

    def _extra(self, use: dict) -> Extra | None:
        """What becomes of unknown keywords; None when the callee they go to decides."""
        if use.get("reject"):
            return Extra.REJECTS
        if "to" in use:
            several = len({callee for callee, _, _ in use["to"]}) > 1
            return Extra.UNKNOWN if several or use.get("other") else None
        return Extra.UNKNOWN if use.get("other") else Extra.SWALLOWS

    def _callee(
        self, callee: str, cls: str | None, method: str | None, depth: int, lookup: tuple[str, ...]
    ) -> tuple[Signature | None, str]:
        if callee == "super":
            if cls is None or method is None:
                return None, ""
            rest = lookup[1:]
            if method == "__init__":
                inner = self._constructor(rest[0], rest, depth + 1) if rest else None
                return inner, rest[0] if rest else ""
            for position, name in enumerate(rest):
                if self._record(name) is None:
                    return None, ""
                if self._stored_method(name, method) is not None:
                    return self._method(name, method, depth + 1, rest[position:]), name
            return None, ""
        entity = self.resolve(callee) if callee != _LAZY else None
        if entity is None or entity.kind not in ("class", "function"):
            return None, ""
        if entity.kind == "class":
            return self._constructor(entity.path, None, depth + 1), entity.public
        return self.signature(entity.path), entity.public


def _before_kwargs(own: Iterable[Parameter], added: Iterable[Parameter]) -> tuple[Parameter, ...]:
    own = tuple(own)
    if own and own[-1].kind is Kind.VAR_KEYWORD:
        return (*own[:-1], *added, own[-1])
    return (*own, *added)


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


@lru_cache(maxsize=1)
def load() -> Database:
    """The packaged database; read once per process."""
    return Database(DATA.read_bytes())


def newer(first: str, second: str) -> bool:
    """Whether release `first` is newer than `second`."""
    return Version(first) > Version(second)
