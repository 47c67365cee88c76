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
    db.identify("torchrl.objectives.ppo.ClipPPOLoss")      # -> its public name in all releases

Data format: zlib over lines. The first is a header; then `key<TAB>JSON`, parsed when asked for.
A plain key is a module, `=key` a definition. Values are histories over the releases of their
package: `[value at start, index, value, ...]`, with the first index in front when the history
begins later than what it belongs to; None is absence.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.version import Version

from ppolint.torchrl_api.renames import successor
from ppolint.torchrl_api.view import PACKAGES, Entity, View

__all__ = ["DATA", "PACKAGES", "Database", "Entity", "Lifetime", "View", "load", "newer"]

DATA = Path(__file__).resolve().parent / "api.json.z"


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
        """The first release that has it; None when the first known one does, or none."""
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


@lru_cache(maxsize=1)
def load() -> Database:
    """The packaged database; read once per process."""
    return Database(DATA.read_bytes())


def newer(first: str, second: str) -> bool:
    """Whether release `first` is newer than `second`."""
    return Version(first) > Version(second)
