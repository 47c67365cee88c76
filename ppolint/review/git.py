"""Git, asked for objects: nothing here writes to a repository or to a work tree.

Every command is run without the repository's own programs (external diffs, text converters, hooks),
because a pull request may come from anyone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "color.ui=false",
         "-c", "diff.suppressBlankEmpty=false")  # fmt: skip
# What changes the answers of git, besides configuration.
_MEDDLING = ("GIT_DIFF_OPTS", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS",
             "GIT_ICASE_PATHSPECS")  # fmt: skip
# The objects that a partial clone lacks are not fetched: ppolint keeps off the network. (An older git
# does not know the first, and gives up for the second.)
_OFFLINE = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}


class GitError(Exception):
    """A review cannot be made; the message is one line for people, saying what to do."""


class Repository:
    """The repository around a folder. `top` is its work tree (the git folder of a bare one);
    `place` is what the environment says of it.

    Raises `GitError` when there is no git, or no repository.
    """

    def __init__(self, folder: str, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        own = {k: v for k, v in os.environ.items() if k not in _MEDDLING}
        self._environment = {**own, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **_OFFLINE}
        # As hooks have them, relative to the folder.
        self.place = {
            name: os.path.abspath(os.path.join(folder, own[name]))
            for name in ("GIT_DIR", "GIT_WORK_TREE")
            if own.get(name)
        }
        self._environment.update(self.place)
        self._environment.update(environment or {})
        self.git_folder = os.path.abspath(
            os.path.join(folder, self.text("rev-parse", "--git-common-dir"))
        )
        bare = self.text("rev-parse", "--is-bare-repository") == "true"
        self.top = self.git_folder if bare else self.text("rev-parse", "--show-toplevel")
        self._folder = self.top

    def run(self, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """The result of a git command, whatever its status."""
        command = ["git", *_SAFE, *arguments]
        try:
            return subprocess.run(
                command,
                cwd=self._folder,
                env=self._environment,
                input=data,
                stdin=subprocess.DEVNULL if data is None else None,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise GitError("git is not installed (or not on the PATH)") from None

    def output(self, *arguments: str, data: bytes | None = None) -> bytes:
        """What a git command prints; raises `GitError` with its complaint when it fails."""
        done = self.run(*arguments, data=data)
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            said = next((line for line in lines if line.startswith("fatal: ")), "".join(lines[:1]))
            raise GitError(_advised(said.removeprefix("fatal: ") or f"git {arguments[0]} failed"))
        return done.stdout

    def text(self, *arguments: str) -> str:
        """`output` as a line of text."""
        return os.fsdecode(self.output(*arguments)).rstrip("\n")

    def commit(self, name: str) -> str | None:
        """The id of the commit called `name`, None when there is none."""
        done = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}")
        return done.stdout.decode().strip() or None

    def empty_tree(self) -> str:
        """The id of the tree without files."""
        return self.output("hash-object", "-t", "tree", "--stdin", data=b"").decode().strip()

    def missing(self, *trees: str) -> set[str]:
        """The objects of trees that a partial clone lacks; of any other clone none is looked for."""
        kinds = self.run(
            "config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$"
        )
        if not kinds.stdout:
            return set()
        listed = self.output(
            "rev-list", "--objects", "--no-object-names", "--missing=print", *trees
        )
        return {line[1:] for line in listed.decode().split() if line.startswith("?")}

    @property
    def shallow(self) -> bool:
        """Whether the history is cut off, as CI systems do."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def blobs(self, names: Iterable[str]) -> dict[str, bytes]:
        """The content of blobs, by id. Those that are not there (a partial clone) are left out."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        data = self.output("cat-file", "--batch", data="".join(f"{n}\n" for n in wanted).encode())
        found: dict[str, bytes] = {}
        position = 0
        for name in wanted:
            end = data.index(b"\n", position)
            words = data[position:end].split()
            position = end + 1
            if words[-1] == b"missing":
                continue
            size = int(words[2])
            found[name] = data[position : position + size]
            position += size + 1
        return found


def _advised(said: str) -> str:
    """What git complains of, with what to do about it where git says that in further lines."""
    if "dubious ownership" in said:
        folder = said.partition("'")[2].rstrip("'")
        return f"{said}: if you trust it, `git config --global --add safe.directory {folder}`"
    if "promisor remote" in said:
        return (
            "this partial clone lacks files that the change touches; complete it "
            "(`git fetch --refetch --no-filter`), or review in a full clone"
        )
    return said


class Scratch(AbstractContextManager["Scratch"]):
    """A place for objects and an index that the repository must not get: trees of an index, of a
    patch. `repository` reads both the real objects and these."""

    def __init__(self, real: Repository) -> None:
        self._folder = tempfile.mkdtemp(prefix="ppolint-")
        self.index = os.path.join(self._folder, "index")
        objects = os.path.join(self._folder, "objects")
        os.mkdir(objects)
        alternates = [real.text("rev-parse", "--path-format=absolute", "--git-path", "objects")]
        if inherited := os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES"):
            alternates.append(inherited)
        self.repository = Repository(
            real.top,
            {
                **real.place,
                "GIT_OBJECT_DIRECTORY": objects,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(alternates),
                "GIT_INDEX_FILE": self.index,
            },
        )

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def scratch(real: Repository, needed: bool) -> AbstractContextManager[Scratch | None]:
    """A scratch place when one is needed."""
    return Scratch(real) if needed else nullcontext()
