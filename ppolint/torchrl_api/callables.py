"""What can be called with what: signatures put together from what a release stores.

A stored signature is that of one function. What a caller can pass depends on more: the class that
provides the constructor, the functions that `**kwargs` go to, the metaclass, data classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.version import Version

from ppolint.torchrl_api.arguments import METACLASS_KEYWORDS, RAISING_KEYWORDS
from ppolint.torchrl_api.histories import LAZY, start_of, value_at
from ppolint.torchrl_api.signatures import (
    Extra,
    Kind,
    Parameter,
    Signature,
    forwarded,
    parse_parameters,
)

if TYPE_CHECKING:
    from ppolint.torchrl_api.view import View

_TENSORCLASS = ("tensordict.tensorclass.tensorclass", "tensordict.tensorclass.TensorClass")

# What the decorator adds to the fields; `batch_size` is optional despite its missing default.
_TENSORCLASS_PARAMETERS = (
    Parameter("batch_size", Kind.KEYWORD_ONLY),
    Parameter("device", Kind.KEYWORD_ONLY, "None"),
    Parameter("names", Kind.KEYWORD_ONLY, "None"),
)


class Callables:
    """The signatures of one `View`."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._signatures: dict[str, Signature | None] = {}

    def signature(self, path: str) -> Signature | None:
        """What a call of `path` takes: a function, a method (`Class.method`), or the effective
        constructor of a class; None when it cannot be known or does not exist."""
        if path not in self._signatures:
            self._signatures[path] = self._signature(path)
        return self._signatures[path]

    def _signature(self, path: str) -> Signature | None:
        entity = self._view.resolve(path)
        if entity is None:
            return None
        if entity.kind == "function":
            entry = self._view.entry(f"={entity.path}")
            stored = value_at(
                entry.get("sig"), self._view.index(entity.path), start_of(entry["at"])
            )
            return None if stored is None else self._expand(stored, None, None, 0)
        if entity.kind == "class":
            return self._constructor(entity.path)
        if entity.kind == "member":
            name = entity.path.rpartition(".")[2]
            return self._method(entity.owner, name, 0, self._view.mro(entity.owner))
        return None

    def _stored_method(self, cls: str, name: str):
        record = self._view.record(cls)
        if record is None:
            return None
        entry, index, start = record
        return value_at(entry.get("methods", {}).get(name), index, start)

    def _method(self, cls: str, name: str, depth: int, mro: tuple[str, ...]) -> Signature | None:
        stored = self._stored_method(cls, name)
        if stored is None:
            return None
        record = self._view.record(cls)
        static = value_at(record[0].get("static", {}).get(name), record[1], record[2])
        bound = name == "__new__" or not static
        return self._expand(stored, cls, name, depth, mro, bound=bound)

    def _constructor(
        self, cls: str, mro: tuple[str, ...] | None = None, depth: int = 0
    ) -> Signature | None:
        """The constructor found along `mro`: `__init__`, generated for data classes, `__new__`."""
        lookup = self._view.mro(cls) if mro is None else mro
        signature = None
        for position, name in enumerate(lookup):
            if self._view.record(name) is None:
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
        if self._view.class_part(lookup[0], "stub"):
            signature = replace(signature, stub=True)
        return signature

    def _without_raising(self, signature: Signature, lookup: Iterable[str]) -> Signature:
        """The hand-kept keywords that only raise, moved from what is taken to what is removed."""
        gone = set()
        for cls in lookup:
            base = self._view.resolve(cls)
            for name, since in RAISING_KEYWORDS.get(base.public if base else "", {}).items():
                release = self._view.torchrl if cls.startswith("torchrl") else self._view.tensordict
                if Version(release) >= Version(since):
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
        decorators = [self._view.resolve(d) for d in self._view.class_part(cls, "deco") or ()]
        return any(
            d is not None and (d.path == "dataclasses.dataclass" or d.path in _TENSORCLASS)
            for d in decorators
        ) or any(base in _TENSORCLASS for base in self._view.mro(cls)[1:])

    def _generated(self, lookup: Iterable[str]) -> Signature:
        fields: dict[str, Parameter] = {}
        tensorclass = False
        for cls in reversed(list(lookup)):
            if not self._is_dataclass(cls):
                continue
            for name, default, annotated in self._view.class_part(cls, "fields") or ():
                if annotated and not name.startswith("__"):
                    fields[name] = Parameter(name, Kind.POSITIONAL_OR_KEYWORD, default)
            tensorclass |= "dataclasses.dataclass" not in (self._view.class_part(cls, "deco") or ())
        added = _TENSORCLASS_PARAMETERS if tensorclass else ()
        return Signature((*fields.values(), *added))

    def _with_metaclass(self, signature: Signature, lookup: tuple[str, ...]) -> Signature:
        """Keywords that the metaclass reads, or passes to another class, before the constructor
        sees the call."""
        written = next(filter(None, (self._view.class_part(cls, "meta") for cls in lookup)), None)
        entity = self._view.resolve(written) if written else None
        if entity is None or entity.kind != "class":
            return signature
        names: dict[str, None] = {}
        for meta in self._view.mro(entity.path):
            stored = self._stored_method(meta, "__call__")
            if not isinstance(stored, list):
                continue
            text, use = stored
            own = parse_parameters(text)
            names.update({p.name: None for p in own if p.kind is Kind.KEYWORD_ONLY})
            names.update({name: None for name in use.get("take", ())})
            for callee, _, given in use.get("to", ()):
                if callee in ("super", LAZY):
                    continue
                inner, _ = self._callee(callee, None, None, 1, ())
                if inner is not None:
                    names.update({p: None for p in inner.keywords if p not in given})
        for cls in lookup:
            base = self._view.resolve(cls)
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
                if self._view.record(name) is None:
                    return None, ""
                if self._stored_method(name, method) is not None:
                    return self._method(name, method, depth + 1, rest[position:]), name
            return None, ""
        entity = self._view.resolve(callee) if callee != LAZY else None
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
