"""One release of one package, read from its wheel: modules, names and definitions made absolute.

A snapshot maps every module to its names (name -> target) and every definition, by the dotted path
of the module that holds it, to a record of `extract`. A target is `"."` for a name defined in that
module, `"?"` for one that a lazy `__getattr__` answers, else the dotted path it was imported from.
"""

from __future__ import annotations

import builtins
import email
import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from ppolint.torchrl_api.extract import extract_module
from ppolint.torchrl_api.histories import HERE, LAZY


@dataclass
class Snapshot:
    """What one release of `package` holds (see the module docstring)."""

    package: str
    version: str
    requires: list[str] = field(default_factory=list)
    modules: dict[str, dict[str, str]] = field(default_factory=dict)
    dynamic: set[str] = field(default_factory=set)
    functions: dict[str, str | list] = field(default_factory=dict)
    classes: dict[str, dict] = field(default_factory=dict)


class TextCache:
    """Extracted modules by the hash of their text: most files are the same in many releases."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._memory: dict[str, dict] = {}

    def extract(self, text: bytes) -> dict:
        key = hashlib.sha1(text).hexdigest()
        if key not in self._memory:
            self._memory[key] = self._read(key, text)
        return self._memory[key]

    def _read(self, key: str, text: bytes) -> dict:
        if self._folder is None:
            return extract_module(text.decode("utf-8"))
        stored = self._folder / f"{key}.json"
        if stored.is_file():
            return json.loads(stored.read_text())
        record = extract_module(text.decode("utf-8"))
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = stored.with_suffix(f".{os.getpid()}.part")
        unfinished.write_text(json.dumps(record))
        unfinished.replace(stored)
        return record


def read_wheel(path: Path, cache: TextCache) -> Snapshot:
    """The snapshot of the wheel at `path`; nothing of it is imported or run."""
    package, version = path.name.split("-")[:2]
    snapshot = Snapshot(package, version)
    raw: dict[str, tuple[bool, dict]] = {}
    with zipfile.ZipFile(path) as wheel:
        for name in sorted(wheel.namelist()):
            if name.endswith(".dist-info/METADATA"):
                metadata = email.message_from_bytes(wheel.read(name))
                snapshot.requires = list(metadata.get_all("Requires-Dist") or ())
            if not name.startswith(f"{package}/") or not name.endswith(".py"):
                continue
            parts = name[: -len(".py")].split("/")
            is_package = parts[-1] == "__init__"
            module = ".".join(parts[:-1] if is_package else parts)
            raw[module] = (is_package, cache.extract(wheel.read(name)))
    _Linker(snapshot, raw).link()
    return snapshot


class _Linker:
    """Turns the relative names of extracted modules into dotted paths."""

    def __init__(self, snapshot: Snapshot, raw: dict[str, tuple[bool, dict]]) -> None:
        self._snapshot = snapshot
        self._raw = raw
        self._names: dict[str, dict[str, str]] = {}

    def link(self) -> None:
        for module, (_, record) in self._raw.items():
            names = self.names(module)
            self._snapshot.modules[module] = names
            if record.get("dynamic"):
                self._snapshot.dynamic.add(module)
            for name, signature in record["def"].items():
                if names.get(name) == HERE:
                    self._snapshot.functions[f"{module}.{name}"] = self._signature(
                        signature, module
                    )
            for name, cls in record["class"].items():
                if names.get(name) == HERE:
                    self._snapshot.classes[f"{module}.{name}"] = self._class(cls, module)

    def names(self, module: str) -> dict[str, str]:
        """Every name of `module` with its target; star imports are expanded."""
        if module in self._names:
            return self._names[module]
        names: dict[str, str] = {}
        self._names[module] = names
        is_package, record = self._raw[module]
        for level, source in record["star"]:
            origin = self._absolute(module, is_package, level, source)
            if origin in self._raw:
                exported = self._raw[origin][1].get("all")
                for name in list(self.names(origin)):
                    if name in exported if exported is not None else not name.startswith("_"):
                        names[name] = f"{origin}.{name}"
        for name, binding in record["bind"].items():
            names[name] = self._target(module, is_package, binding, record)
        return names

    def _target(self, module: str, is_package: bool, binding: list, record: dict) -> str:
        kind = binding[0]
        if kind == "from":
            _, level, source, attribute = binding
            origin = self._absolute(module, is_package, level, source)
            return f"{origin}.{attribute}" if origin else attribute
        if kind == "alias":
            first, _, rest = binding[1].partition(".")
            bound = record["bind"].get(first)
            if bound is None or bound is binding or bound[0] in ("var", "lazy"):
                return HERE
            if bound[0] in ("def", "class"):
                return f"{module}.{binding[1]}"
            target = self._target(module, is_package, bound, record) if bound[0] == "from" else HERE
            return HERE if target == HERE else ".".join(filter(None, (target, rest)))
        return LAZY if kind == "lazy" else HERE

    def _absolute(self, module: str, is_package: bool, level: int, source: str) -> str:
        if level == 0:
            return source
        parts = module.split(".")
        up = level - 1 if is_package else level
        base = parts[: len(parts) - up] if up else parts
        return ".".join([*base, source] if source else base)

    def _path(self, name: str, module: str) -> str:
        """The dotted path of a name as written in `module`; "?" for one that is not a global."""
        if "|" in name:  # imported inside the function
            level, source, attribute = name.split("|")
            origin = self._absolute(module, self._raw[module][0], int(level), source)
            return f"{origin}.{attribute}"
        first, _, rest = name.partition(".")
        target = self.names(module).get(first)
        if target is None:
            return f"builtins.{name}" if hasattr(builtins, first) else LAZY
        if target == HERE:
            return f"{module}.{name}"
        return LAZY if target == LAZY else ".".join(filter(None, (target, rest)))

    def _signature(self, signature: str | list, module: str) -> str | list:
        if isinstance(signature, str) or "to" not in signature[1]:
            return signature
        text, use = signature
        to = []
        for callee, positional, keywords in use["to"]:
            path = callee if callee in ("super", LAZY) else self._path(callee, module)
            if [path, positional, keywords] not in to:
                to.append([path, positional, keywords])
        return [text, {**use, "to": to}]

    def _class(self, record: dict, module: str) -> dict:
        resolved = {
            **record,
            "bases": [self._path(base, module) for base in record["bases"]],
            "methods": {
                name: self._signature(signature, module)
                for name, signature in record["methods"].items()
            },
        }
        if "meta" in record:
            resolved["meta"] = self._path(record["meta"], module)
        if "deco" in record:
            resolved["deco"] = [self._path(name, module) for name in record["deco"]]
        return resolved


def public_paths(snapshot: Snapshot) -> dict[str, str]:
    """Definition -> the path people import it by: the shortest one without a private part."""
    best: dict[str, tuple] = {}
    for module, names in snapshot.modules.items():
        if re.search(r"(^|\.)_", module):
            continue
        for name in names:
            if name.startswith("_"):
                continue
            definition = follow(snapshot, f"{module}.{name}")
            if definition is None:
                continue
            home, _, own = definition.rpartition(".")
            path = f"{module}.{name}"
            # A package that holds the definition exports it on purpose; a module next door that
            # imports it for its own use does not.
            elsewhere = not f"{home}.".startswith(f"{module}.")
            rank = (name != own, elsewhere, path.count("."), len(path), path)
            if definition not in best or rank < best[definition]:
                best[definition] = rank
    return {definition: rank[-1] for definition, rank in best.items()}


def follow(snapshot: Snapshot, path: str) -> str | None:
    """The definition that `path` leads to inside the package, or None."""
    seen: set[str] = set()
    while path not in seen:
        seen.add(path)
        if path in snapshot.functions or path in snapshot.classes:
            return path
        module, _, name = path.rpartition(".")
        target = snapshot.modules.get(module, {}).get(name)
        if target in (None, HERE, LAZY):
            return None
        path = target
    return None
