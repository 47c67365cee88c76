"""What the rules about releases share: the target, the names of a file, and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from ppolint.findings import Applicability
from ppolint.semantics.names import Names
from ppolint.semantics.scopes import Binding, Scope
from ppolint.settings.release import TargetRelease, newest_known
from ppolint.torchrl_api.database import PACKAGES, Database, View, load
from ppolint.torchrl_api.renames import NameChange, name_change

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

TITLES = {"torchrl": "TorchRL", "tensordict": "TensorDict"}


def package_of(path: str) -> str:
    return path.partition(".")[0]


def leaf(path: str) -> str:
    return path.rpartition(".")[2]


def parent(path: str) -> str:
    return path.rpartition(".")[0]


def part_of_a_package(path: str) -> bool:
    """Whether a file is part of TorchRL or TensorDict itself: a copy inside a project is of a
    release of its own, and what it imports by that name lies beside it."""
    package = None
    for folder in Path(path).absolute().parents:
        if not (folder / "__init__.py").is_file():
            break
        package = folder.name
    return package in PACKAGES


@dataclass(frozen=True, slots=True)
class Replacement:
    """What to write for a name: `path`; None when there is nothing.

    `everywhere`: the target's releases all have it. `since`: the release to raise the floor to
    otherwise. `exact` and `note` as in `NameChange`.
    """

    path: str | None
    everywhere: bool = False
    since: str | None = None
    exact: bool = True
    note: str = ""

    @property
    def applicability(self) -> Applicability:
        """Safe where the new spelling means the same in every release of the target."""
        return Applicability.SAFE if self.everywhere and self.exact else Applicability.SUGGEST

    def help(self, written: str | None = None) -> str:
        """What to do, as the help line of a finding."""
        if self.path is None:
            return self.note
        text = f"use `{written or self.path}`"
        if self.note:
            text += f": {self.note}"
        if not self.everywhere and self.since is not None:
            title = TITLES.get(package_of(self.path), self.path)
            text += f"; it exists since {title} {self.since}: raise the floor to that"
        return text


class Context:
    """One file, the releases it is judged by, and the questions the rules ask about both."""

    def __init__(self, file: FileModel) -> None:
        self.file = file
        self.names: Names = file.names
        self.target: TargetRelease = file.release if file.release is not None else newest_known()
        self.db: Database = load()

    @cached_property
    def _views(self) -> dict[str, list[tuple[str, View]]]:
        torchrl = [(r, self.db.at(r)) for r in self.target.torchrl]
        wanted = self.target.tensordict or tuple(
            dict.fromkeys(self.db.partners[r] for r in self.target.torchrl)
        )
        tensordict = [
            (r, self.db.at(self.target.newest, r))
            for r in self.db.releases["tensordict"]
            if r in wanted
        ]
        return {"torchrl": torchrl, "tensordict": tensordict}

    @cached_property
    def theirs(self) -> bool:
        """Whether the file is part of TorchRL or TensorDict itself."""
        return part_of_a_package(self.file.source.path)

    def views(self, path: str) -> list[tuple[str, View]]:
        """The target's releases of the package of `path`, oldest first."""
        return self._views[package_of(path)]

    @property
    def uses_api(self) -> bool:
        """Whether the file imports TorchRL or TensorDict at all, as something outside of it."""
        if self.theirs:
            return False
        imported = [b.dotted for b in self.names.imports] + [m for m, _ in self.names.stars]
        return any(package_of(d or "") in PACKAGES for d in imported)

    def missing(self, path: str) -> list[str]:
        """The target's releases in which `path` does not exist."""
        return [r for r, view in self.views(path) if view.resolve(path) is None]

    def was_removed(self, path: str) -> bool:
        """Whether `path` is missing because it is gone, not because it is still to come."""
        missing = self.missing(path)
        lifetime = self.db.lifetime(path)
        if not lifetime:
            return self.old_module(path) is not None or self.in_no_release(path)
        return any(Version(lifetime.releases[0]) < Version(r) for r in missing)

    def in_no_release(self, path: str) -> bool:
        """Whether a module that the target has lacks a name in every release known. (Of a module
        that is not known itself nothing can be said: it may be newer than the database.)"""
        if self.db.lifetime(path) or name_change(path) is not None:
            return False
        views = self.views(path)
        modules = [view.resolve(parent(path)) for _, view in views]
        return all(m is not None and m.kind == "module" for m in modules)

    def old_module(self, path: str) -> NameChange | None:
        """The entry about the name, or about a module it is in, for what no release known has."""
        parts = path.split(".")
        for length in range(len(parts), 1, -1):
            found = name_change(".".join(parts[:length]))
            if found is not None:
                if length == len(parts):
                    return found
                new = None if found.new is None else ".".join([found.new, *parts[length:]])
                return replace(found, old=path, new=new)
        return None

    def change(self, path: str) -> NameChange | None:
        """The hand-kept entry about `path`, under whatever public name it had."""
        found = name_change(path)
        if found is None and not self.db.lifetime(path):
            found = self.old_module(path)
        if found is not None:
            return found
        for _, view in reversed(self.db.views(package_of(path))):
            entity = view.resolve(path)
            if entity is not None:
                return name_change(entity.public)
        return None

    def replacement(self, path: str) -> Replacement:
        """What to write instead of `path`: in the module it is in now, if that has it, else under
        its public name."""
        change = self.change(path) or self.old_module(path)
        new = change.new if change is not None else self.db.identify(path)
        exact = change.exact if change is not None else True
        note = change.note if change is not None else ""
        if new is None or new == path:
            return Replacement(None, note=note)
        if package_of(new) not in PACKAGES:
            return Replacement(new, True, None, exact, note)
        identity = self.db.identify(new)
        candidates = [f"{parent(path)}.{leaf(new)}", new]
        if name_change(path) is None and identity is not None:
            candidates.insert(1, identity)  # its module has moved: better its public name
        for candidate in candidates:
            same = candidate != path and self.db.identify(candidate) == identity
            if same and not self.missing(candidate):
                return Replacement(candidate, True, None, exact, note)
        since = self.db.lifetime(new).since
        newest = self.db.at(self.db.newest).resolve(new) is not None
        return Replacement(new if newest else None, False, since, exact, note)

    def title(self, path: str, release: str) -> str:
        """ "TorchRL 0.13.1", "TensorDict 0.6.0"."""
        return f"{TITLES[package_of(path)]} {release}"

    def in_target(self, path: str, releases: Iterable[str]) -> str:
        """Which of the target's releases something is true of: all, or from one on."""
        releases = list(releases)
        every = [r for r, _ in self.views(path)]
        if releases == every and len(every) == 1:
            return self.title(path, every[0])
        if releases == every:
            return f"{self.title(path, every[0])} to {every[-1]}, which the project admits"
        if releases == every[-len(releases) :]:
            return f"{self.title(path, releases[0])} and later, which the project admits"
        if releases == every[: len(releases)] and len(releases) > 1:
            return f"{self.title(path, releases[0])} to {releases[-1]}, which the project admits"
        return f"{self.title(path, ', '.join(releases))}, which the project admits"

    def users(self, binding: Binding) -> list[tuple[Any, bool]]:
        """The Name nodes that refer to a binding; the flag tells that they may refer to another
        one as well."""
        found = []
        for use in self.names.chains:
            node = root_name(use.node)
            if node is not None and node.value == binding.name:
                bindings = self.names.lookup(node.value, use.scope)
                if binding in bindings:
                    found.append((node, len(bindings) > 1))
        return found

    def called_identities(self) -> set[str]:
        """The identities of everything of TorchRL and TensorDict that the file calls."""
        return self._called

    @cached_property
    def _called(self) -> set[str]:
        found = set()
        for use in self.names.calls:
            dotted = self.names.dotted(use.node.func, use.scope)
            if dotted is not None and package_of(dotted) in PACKAGES:
                found.add(self.db.identify(dotted) or dotted)
        return found

    def refers_to(self, identity: str) -> bool:
        """Whether the file imports or names something, under any of its spellings."""
        for use in self.names.chains:
            for dotted in self.names.alternatives(use.node, use.scope):
                ours = dotted is not None and package_of(dotted) in PACKAGES
                if ours and self.db.identify(dotted or "") == identity:
                    return True
        return False


@lru_cache(maxsize=1)
def context(file: FileModel) -> Context:
    """The context of a file; the rules about releases run one after the other on one file."""
    return Context(file)


def root_name(node: Any) -> Any | None:
    """The Name at the start of a chain, or None for a chain on something else."""
    while hasattr(node, "attr"):
        node = node.value
    return node if type(node).__name__ == "Name" else None


def scope_name(scope: Scope | None) -> str:
    return scope.qualname if scope is not None else ""


Check = Callable[["FileModel"], Iterable]
