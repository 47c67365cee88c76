"""Results of earlier runs, valid while everything they depended on is unchanged.

One JSON file holds, for each file: how it looked on disk (so that unchanged ones need not be
read), the hash of its content, its diagnostics, and the other files those depend on. A result
counts only for the same content under the same plan (rules, severities, target release), the same
ppolint, the same list of project files when the file was parsed, and the same content of every
file it was made from.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ppolint import __version__
from ppolint.engine.targets import inputs

FOLDER = ".ppolint_cache"
FORMAT = 1
# A file changed this shortly before it was looked at may change again within the clock's grain.
RACY_NS = 2_000_000_000
KEPT_DAYS = 30


class Entry(NamedTuple):
    """The result for one file. `root` is None when the file was not parsed.

    `state` stands for what the result depended on beyond the file itself.
    """

    content: str
    plan: int
    root: str | None
    dependencies: tuple[str, ...]
    consulted_project: bool
    state: int
    diagnostics: list[dict[str, Any]]


def content_hash(data: bytes) -> str:
    """The hash that tells one content of a file from another."""
    from hashlib import blake2b

    return blake2b(data, digest_size=16).hexdigest()


def code_stamp() -> str:
    """What identifies this ppolint: its version, or, in a checkout, the state of its files."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not os.path.exists(os.path.join(os.path.dirname(package), "pyproject.toml")):
        return __version__
    total = 0
    for folder, folders, names in os.walk(package):
        folders[:] = [f for f in folders if f != "__pycache__"]
        for name in names:
            status = os.stat(os.path.join(folder, name))
            total = zlib.crc32(f"{name}{status.st_mtime_ns}{status.st_size}".encode(), total)
    return f"{__version__}+{total:08x}"


class FileStates:
    """Content hashes of files, read only when they may have changed since the last run."""

    def __init__(self, known: dict[str, list], written_ns: int) -> None:
        self._known = known
        self._written_ns = written_ns
        self._now: dict[str, str] = {}
        self.fresh: dict[str, list] = {}
        self.changed = False

    def hash(self, path: str) -> str:
        """The hash of the file's content now; empty for a file that cannot be read."""
        now = self._now.get(path)
        if now is None:
            now = self._now[path] = self._look(path)
        return now

    def _look(self, path: str) -> str:
        try:
            status = os.stat(path)
            look = [status.st_mtime_ns, status.st_ctime_ns, status.st_size]
            known = self._known.get(path)
            settled = status.st_ctime_ns + RACY_NS < self._written_ns
            if known is not None and known[:3] == look and settled:
                self.fresh[path] = known
                return known[3]
            with open(path, "rb") as file:
                digest = content_hash(file.read())
        except OSError:
            return ""
        self.fresh[path] = [*look, digest]
        self.changed = True
        return digest


class Cache:
    """The results kept in `folder`, for runs with the same `options` (a text).

    `list_files(root)` gives the files of a project; it is asked only for files that were parsed.
    """

    def __init__(
        self, folder: str, options: str, list_files: Callable[[str], Iterable[str]]
    ) -> None:
        self._folder = folder
        self._options = options
        self._file = os.path.join(folder, f"{zlib.crc32(options.encode()):08x}.json")
        self._list_files = list_files
        self._header = [FORMAT, code_stamp(), options]
        self._entries: dict[str, Entry] = {}
        self._plans: dict[str, int] = {}
        self.states = FileStates({}, 0)
        try:
            self._take(self._load())
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            self._entries, self._plans = {}, {}  # written by something else: start afresh
        self._changed = False
        self._projects: dict[tuple[str, bool], int] = {}
        self._releases: dict[str, int] = {}
        self._inputs: dict[str, tuple[str, ...]] = {}

    def reopened(self, list_files: Callable[[str], Iterable[str]]) -> Cache:
        """The cache as it was saved, to be asked again after files have changed."""
        return Cache(self._folder, self._options, list_files)

    def _load(self) -> dict:
        try:
            with open(self._file, encoding="utf-8") as file:
                stored = json.load(file)
        except (OSError, ValueError):  # none yet, or cut short: start afresh
            return {}
        known = isinstance(stored, dict) and stored.get("header") == self._header
        return stored if known else {}

    def _take(self, stored: dict) -> None:
        self._plans = {p: i for i, p in enumerate(stored.get("plans", ()))}
        self._entries = {
            path: Entry(entry[0], entry[1], entry[2], tuple(entry[3]), *entry[4:])
            for path, entry in stored.get("entries", {}).items()
        }
        states = {path: [*each[:3], each[3]] for path, each in stored.get("files", {}).items()}
        self.states = FileStates(states, int(stored.get("written", 0)))

    def _plan(self, plan: str) -> int:
        return self._plans.setdefault(plan, len(self._plans))

    def get(self, path: str, plan: str) -> list[dict[str, Any]] | None:
        """The diagnostics of the file at this absolute path, or None when they must be made."""
        entry = self._entries.get(path)
        if entry is None or entry.plan != self._plan(plan):
            return None
        if not entry.content or entry.content != self.states.hash(path):
            return None
        if entry.root is not None and entry.state != self._state(
            path, entry.root, entry.dependencies, entry.consulted_project
        ):
            return None
        return entry.diagnostics

    def put(
        self,
        path: str,
        plan: str,
        content: str,
        diagnostics: list[dict[str, Any]],
        root: str | None = None,
        dependencies: tuple[str, ...] = (),
        consulted_project: bool = False,
    ) -> None:
        """Keep the result for a file; `root` is its project, for a file that was parsed."""
        state = 0 if root is None else self._state(path, root, dependencies, consulted_project)
        self._entries[path] = Entry(
            content, self._plan(plan), root, dependencies, consulted_project, state, diagnostics
        )
        self._changed = True

    def _state(self, path: str, root: str, dependencies: tuple[str, ...], whole: bool) -> int:
        state = self._release_state(os.path.dirname(path)) ^ self._project_state(root, whole)
        return self._mixed(state, dependencies)

    def _mixed(self, state: int, paths: Iterable[str]) -> int:
        for path in paths:
            part = f"{path}\0{self.states.hash(path)}\0"
            state = zlib.crc32(part.encode("utf-8", "surrogateescape"), state)
        return state

    def _release_state(self, folder: str) -> int:
        """A number for the files that say which TorchRL release `folder` uses."""
        known = self._releases.get(folder)
        if known is None:
            known = self._mixed(1, inputs(folder, self._inputs))
            self._releases[folder] = known
        return known

    def _project_state(self, root: str, whole: bool) -> int:
        """A number for the files of a project, with their content when `whole`."""
        known = self._projects.get((root, whole))
        if known is None:
            known = 0
            for path in self._list_files(root):
                part = f"{path}\0{self.states.hash(path) if whole else ''}\0"
                known = zlib.crc32(part.encode("utf-8", "surrogateescape"), known)
            self._projects[root, whole] = known
        return known

    def save(self) -> None:
        """Write what changed, atomically. Raises `OSError` where the folder cannot be written."""
        if not (self._changed or self.states.changed):
            return
        plans = list(self._plans)
        stored = {
            "header": self._header,
            "written": time.time_ns(),
            "plans": plans,
            "files": {**self.states.fresh},
            "entries": self._entries,
        }
        os.makedirs(self._folder, exist_ok=True)
        ignore = os.path.join(self._folder, ".gitignore")
        if not os.path.exists(ignore):
            write_atomically(ignore, b"*\n")
        write_atomically(self._file, json.dumps(stored).encode("utf-8"))
        self._prune()

    def _prune(self) -> None:
        """Remove the results of option sets that nobody has used for a while."""
        oldest = time.time() - KEPT_DAYS * 86_400
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            if name.endswith(".json") and os.stat(path).st_mtime < oldest:
                os.unlink(path)


def write_atomically(path: str, data: bytes) -> None:
    """Write `data` to a temporary file beside `path`, then rename it: all of it, or nothing.

    The mode of an existing file is kept, and a symbolic link stays one. Devices and pipes
    (`/dev/null`, `/dev/stdout`) are written to as they are.
    """
    import tempfile

    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        with open(path, "wb") as file:  # a device or a pipe must not be replaced by a file
            file.write(data)
        return
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".ppolint-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        try:
            mode = os.stat(path).st_mode & 0o7777
        except FileNotFoundError:
            mask = os.umask(0)
            os.umask(mask)
            mode = 0o666 & ~mask
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
