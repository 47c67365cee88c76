"""Modules: imports, and what other files of the project define."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from ppolint.semantics.inlining import MAX_DEPTH
from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import Event, Frame, ModuleInfo, Site, State
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.project import Project

# Packages that are known by name, also where the project is their own repository.
_NOT_LOOKED_INTO = frozenset({"builtins", "torch", "torchrl", "tensordict", "numpy", "gymnasium"})

_OF_TORCH = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional"}


class Modules:
    """The part of the evaluator that imports; mixed into `Evaluator`."""

    values: Values
    frame: Frame
    site: Site
    heap: State
    events: list[Event]
    modules: dict[str, ModuleInfo]
    dependencies: set[str]
    project: Project | None

    def _import(self, node: Any) -> None:
        values = self.values
        env = self.frame.env
        if type(node) is cst.Import:
            for alias in node.names:
                dotted = dotted_name(alias.name)
                if alias.asname is not None and type(alias.asname.name) is cst.Name:
                    env[alias.asname.name.value] = values.ref(dotted)
                else:
                    root = dotted.partition(".")[0]
                    env[root] = values.ref(root)
            return
        prefix = "." * len(node.relative)
        module = dotted_name(node.module) if node.module is not None else ""
        base = f"{prefix}{module}"
        if type(node.names) is cst.ImportStar:
            self._import_star(base)
            return
        joiner = "" if base.endswith(".") or not base else "."
        # a module of the project may set PyTorch up and hand it on, as some of its own do
        handed_on = any(alias.name.value == "torch" for alias in node.names)
        handed_on = handed_on or base == "torch.functional"
        for alias in node.names:
            name = alias.name.value
            bound = name
            if alias.asname is not None and type(alias.asname.name) is cst.Name:
                bound = alias.asname.name.value
            known = _OF_TORCH.get(name) if handed_on else None
            env[bound] = values.ref(known or f"{base}{joiner}{name}")

    def _import_star(self, base: str) -> None:
        self.frame.env.setdefault("*", self.values.ref(base))
        self.frame.env[f"*{base}"] = self.values.ref(base)
        module = self.module_named(base)
        if module is not None and module.frame is not None and module.frame is not self.frame:
            for name, value in module.frame.env.items():
                if isinstance(name, str) and not name.startswith("_"):
                    self.frame.env.setdefault(name, self._seen_from_here(value, base, module.path))

    def from_stars(self, name: str, frame: Frame) -> Value | None:
        """What `name` is in a module that imports everything from packages which only hand on what
        their modules define: such a package is not evaluated."""
        project = self.project
        for key, star in frame.env.items() if project is not None else ():
            if not (isinstance(key, str) and key.startswith("*") and key != "*"):
                continue
            located = project.locate(star.dotted, frame.module.path)  # type: ignore[union-attr]
            if located is not None and not located[1]:
                source = project.handed_on(located[0], name)  # type: ignore[union-attr]
                if source is not None and source.startswith(".") and source[1:2] != ".":
                    return self.resolved(self.values.ref(f"{star.dotted}{source}"))
        return None

    def _seen_from_here(self, value: Value, base: str, path: str) -> Value:
        """A name that the module `base` imports relative to itself, as it is called here."""
        dotted = value.dotted or ""
        if not dotted.startswith("."):
            return value
        name = dotted.lstrip(".")
        up = len(dotted) - len(name) - path.endswith("__init__.py")
        package = base
        for _ in range(up):
            package, _, last = package.rpartition(".")
            if not last or not package:
                return value
        return self.values.ref(f"{package}.{name}")

    # -- other files of the project ---------------------------------------------------------
    def resolved(self, value: Value) -> Value:
        """The definition an imported name stands for, when a file of the project has it."""
        return self._resolved_from(value, self.frame.module.path, 4)

    def _resolved_from(self, value: Value, importer: str, steps: int) -> Value:
        """The same for a name as it is written in the file `importer`."""
        dotted = value.dotted
        project = self.project  # type: ignore[attr-defined]
        if dotted is None or project is None or dotted.partition(".")[0] in _NOT_LOOKED_INTO:
            return value
        located = project.locate(dotted, importer) if steps else None
        if located is None:
            return value
        path, rest = located
        if not rest:
            return value
        module = self._load(path)
        if module is None or module.frame is None:
            # a package that hands on what its modules define is not evaluated for that
            source = project.handed_on(path, rest[0])
            if source is None or not (source[0] == "." or project.is_beside(importer, path)):
                return value
            name = self.values.ref(".".join((source, *rest[1:])))
            found = self._resolved_from(name, path, steps - 1)
            return value if found is name else found
        found = module.frame.env.get(rest[0])
        if found is None or found is value:
            return value
        for name in rest[1:]:
            if found.op == "class":
                method = found.data.method(name)  # type: ignore[attr-defined]
                if method is None:
                    return value
                found = self.values.make("func", (), method)
            else:
                found = self.values.attr(found, name)
        if found.op == "ref":
            if found.dotted == dotted:
                return value
            known = self._resolved_from(found, path, steps - 1)
            relative = known is found and str(found.dotted).startswith(".")
            return value if relative else known
        return found

    def module_named(self, dotted: str) -> ModuleInfo | None:
        """The module of the project called `dotted`, evaluated down to its definitions."""
        project = self.project  # type: ignore[attr-defined]
        located = project.locate(dotted, self.frame.module.path) if project is not None else None
        if located is None or located[1]:
            return None
        return self._load(located[0])

    def _load(self, path: str) -> ModuleInfo | None:
        known = self.modules.get(path)
        if known is not None:
            return known
        tree = self.project.tree(path)  # type: ignore[attr-defined]
        self.dependencies.add(path)  # type: ignore[attr-defined]
        info = ModuleInfo(path, tree, main=False)
        self.modules[path] = info
        if tree is None:
            return info
        frame = Frame(None, info, None, None, depth=MAX_DEPTH)
        info.frame = frame
        saved = (self.frame, self.site, self.events, self.occurrences, self.heap)
        self.frame, self.events, self.occurrences, self.heap = frame, [], {}, State()
        self.site = Site(tree, frame, None)
        self.exec_block(tree.body)  # type: ignore[attr-defined]
        self.frame, self.site, self.events, self.occurrences, self.heap = saved
        return info


def dotted_name(node: Any) -> str:
    """`a.b.c` of a Name or Attribute node."""
    parts: list[str] = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    parts.append(node.value)
    return ".".join(reversed(parts))
