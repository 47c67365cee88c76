"""Build the API database from the published wheels.

    python -m ppolint.torchrl_api.build [--add torchrl==0.15.0] [--wheels FOLDER]

The releases are listed in `releases.txt`; `--add` appends one. Wheels that FOLDER lacks are
downloaded by pip, without dependencies; they are read with `ast`, never installed or imported.
Two files come out, for review together: the data file, and `docs/torchrl-changes.md`, which tells
in words what each release changed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from ppolint.torchrl_api.snapshot import Snapshot, TextCache, public_paths, read_wheel

PACKAGES = ("torchrl", "tensordict")
HERE = Path(__file__).resolve().parent
RELEASES = HERE / "releases.txt"
DATA = HERE / "api.json.z"
CHANGES = HERE.parent.parent / "docs" / "torchrl-changes.md"
FORMAT = 1
# Wheels are read, not run: any platform serves as long as every release has a wheel for it.
PLATFORMS = ("manylinux1_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64", "linux_x86_64")
PYTHON = "3.11"


def listed_releases(text: str) -> dict[str, list[str]]:
    """`name==version` lines, sorted by version per package."""
    found: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line:
            package, _, version = line.partition("==")
            found[package].add(version)
    return {package: sorted(found[package], key=Version) for package in PACKAGES}


def find_wheel(folder: Path, package: str, version: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"{package}-{version}-*.whl"))), None)


def download(folder: Path, package: str, version: str) -> Path:
    """The wheel of a release in `folder`, downloaded when it is not there yet."""
    wheel = find_wheel(folder, package, version)
    if wheel is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-version", PYTHON, "--dest", str(folder)]
        for platform in PLATFORMS:
            command += ["--platform", platform]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        wheel = find_wheel(folder, package, version)
    if wheel is None:
        raise FileNotFoundError(f"no wheel of {package} {version} in {folder}")
    return wheel


def partner_releases(torchrl: list[Snapshot], tensordict: list[str]) -> dict[str, str]:
    """For each TorchRL release, the TensorDict release that belongs to it: the newest of the same
    minor series that its requirement admits (early requirements have no upper bound)."""
    partners: dict[str, str] = {}
    for snapshot in torchrl:
        requirement = next(
            (r for r in map(Requirement, snapshot.requires) if r.name == "tensordict"), None
        )
        allowed = [v for v in tensordict if requirement is None or v in requirement.specifier]
        minor = Version(snapshot.version).release[:2]
        same = [v for v in allowed if Version(v).release[:2] == minor]
        partners[snapshot.version] = (same or allowed)[-1]
    return partners


def history(values: list[Any], start: int) -> list:
    """Values per release as changes: `[value at start, index, value, ...]`, or with the first index
    in front when the history starts later than `start`. Absence is None."""
    changes: list = []
    previous: Any = None
    for index, value in enumerate(values):
        if value != previous:
            changes += [index, value]
            previous = value
    return changes[1:] if changes and changes[0] == start else changes


def encode(snapshots: list[Snapshot]) -> dict[str, Any]:
    """All releases of one package as lines: key -> JSON-able history (see `database`)."""
    lines: dict[str, Any] = {}
    for module in sorted({m for s in snapshots for m in s.modules}):
        tables = [s.modules.get(module) for s in snapshots]
        start = next(i for i, table in enumerate(tables) if table is not None)
        names = sorted({name for table in tables if table for name in table})
        entry: dict[str, Any] = {
            "at": history([1 if t is not None else None for t in tables], 0),
            "names": {n: history([t.get(n) if t else None for t in tables], start) for n in names},
        }
        dynamic = history([1 if module in s.dynamic else None for s in snapshots], start)
        if dynamic:
            entry["dynamic"] = dynamic
        lines[module] = entry
    paths = [public_paths(s) for s in snapshots]
    for key in sorted({f for s in snapshots for f in (*s.functions, *s.classes)}):
        entry = {}
        functions = [s.functions.get(key) for s in snapshots]
        classes = [s.classes.get(key) for s in snapshots]
        present = [1 if f is not None or c else None for f, c in zip(functions, classes)]
        start = present.index(1)
        entry["at"] = history(present, 0)
        public = [p.get(key) if here else None for p, here in zip(paths, present)]
        if any(value not in (None, key) for value in public):
            entry["pub"] = history(public, start)
        if any(f is not None for f in functions):
            entry["sig"] = history(functions, start)
        if any(classes):
            _encode_class(entry, classes, start)
        lines[f"={key}"] = entry
    return lines


def _encode_class(entry: dict[str, Any], classes: list[dict | None], start: int) -> None:
    for part in ("bases", "meta", "deco", "stub", "keys", "fields"):
        changes = history([c.get(part) if c else None for c in classes], start)
        # A class is told by its `bases`, even when it has none: a path can change what it is.
        if part == "bases" or (changes and changes != [[]]):
            entry[part] = changes
    for part in ("methods", "props", "attrs", "static"):
        names = sorted({name for c in classes if c for name in c.get(part, ())})
        table = {}
        for name in names:
            values = []
            for c in classes:
                have = c.get(part, ()) if c else ()
                values.append((have[name] if part == "methods" else 1) if name in have else None)
            table[name] = history(values, start)
        if table:
            entry[part] = table


def write_atomically(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    os.chmod(name, 0o644)
    os.replace(name, path)


def build(wheels: Path, releases: dict[str, list[str]], cache: TextCache) -> bytes:
    """The content of the data file for `releases`."""
    snapshots = {
        package: [read_wheel(download(wheels, package, v), cache) for v in versions]
        for package, versions in releases.items()
    }
    header = {
        "format": FORMAT,
        "releases": releases,
        "partners": partner_releases(snapshots["torchrl"], releases["tensordict"]),
    }
    lines = {key: value for p in PACKAGES for key, value in encode(snapshots[p]).items()}
    text = [json.dumps(header)]
    text += [f"{key}\t{json.dumps(value, separators=(',', ':'))}" for key, value in lines.items()]
    return zlib.compress("\n".join(text).encode(), 9)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Build the API database from published wheels.")
    parser.add_argument("--add", action="append", default=[], metavar="NAME==VERSION")
    parser.add_argument("--wheels", type=Path, default=Path(tempfile.gettempdir()) / "torchrl-wheels")
    options = parser.parse_args(arguments)
    options.wheels.mkdir(parents=True, exist_ok=True)
    releases = listed_releases("\n".join([RELEASES.read_text(), *options.add]))
    content = build(options.wheels, releases, TextCache(options.wheels / "extracted"))
    write_atomically(DATA, content)
    listing = "".join(f"{p}=={v}\n" for p in PACKAGES for v in releases[p])
    write_atomically(RELEASES, listing.encode())
    print(f"{DATA}: {len(content) // 1000} kB")


if __name__ == "__main__":
    main()
