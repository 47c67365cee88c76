"""Which TorchRL release a project targets: what its own files say of its dependencies.

`target_release(folder)` is a pure function of the files in a folder and those above it (and of the
text of one file, for what a script or notebook says of itself). The nearest folder that says
anything decides. In it, a lock file beats a declared dependency; declared ranges are intersected,
and files that contradict each other are told.

A statement without a lower bound (`torchrl`, `torchrl<0.12`) says which release pip picks, the
newest one admitted, and nothing about the oldest one the code is meant for: it stands for that
newest release alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ppolint.settings.requirements import Statement, file_statements, folder_statements

RELEASES = Path(__file__).resolve().parent.parent / "torchrl_api" / "releases.txt"
_LOWER_BOUNDS = (">=", ">", "==", "~=", "===")


@lru_cache(maxsize=1)
def known_releases() -> dict[str, tuple[str, ...]]:
    """Package -> the releases the API database knows, oldest first."""
    found: dict[str, list[str]] = {"torchrl": [], "tensordict": []}
    for line in RELEASES.read_text().splitlines():
        package, _, version = line.partition("==")
        found[package].append(version)
    return {package: tuple(sorted(v, key=Version)) for package, v in found.items()}


@dataclass(frozen=True, slots=True)
class TargetRelease:
    """The TorchRL releases that code is judged by.

    `torchrl` are the known releases admitted, oldest first, never empty; `exact` tells a pin from
    a range. `tensordict` are those the project asks for itself, empty when it leaves them to
    TorchRL. `specifier` is the statement in normal form and `source` where it stands
    ("pyproject.toml:12"); `stated` is False when nothing was found and the newest release is
    assumed. `notes` are things to tell: disagreements, releases that are not known. `chosen`: a
    user named it (command line, configuration), not a file of dependencies.
    """

    torchrl: tuple[str, ...]
    exact: bool
    specifier: str
    source: str
    stated: bool = True
    tensordict: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    chosen: bool = False

    @property
    def frozen(self) -> bool:
        """Whether the project keeps itself on releases older than the newest: their names are the
        right ones there, and advice about later releases was not asked for."""
        return self.stated and not self.chosen and self.newest != known_releases()["torchrl"][-1]

    @property
    def floor(self) -> str:
        """The oldest release the code has to run on."""
        return self.torchrl[0]

    @property
    def newest(self) -> str:
        """The newest release the code has to run on."""
        return self.torchrl[-1]

    def __str__(self) -> str:
        if len(self.torchrl) == 1:
            return f"TorchRL {self.floor}"
        return f"TorchRL {self.floor} to {self.newest}"

    def explanation(self) -> str:
        """One line for people: the target and why."""
        if not self.stated:
            return f"{self} (the newest release known: the project does not say which it uses)"
        return f"{self} ({self.source}: {self.specifier})"


def newest_known() -> TargetRelease:
    """The target of a project that says nothing."""
    release = known_releases()["torchrl"][-1]
    return TargetRelease((release,), True, f"=={release}", "default", stated=False)


def parse_target(text: str, source: str) -> TargetRelease:
    """The target that a user names (`"0.14.1"`, `">=0.6,<0.9"`); raises `ValueError` otherwise."""
    written = text.strip()
    try:
        specifier = SpecifierSet(f"=={Version(written)}")
    except InvalidVersion:
        try:
            specifier = SpecifierSet(written)
        except InvalidSpecifier:
            raise ValueError(
                f"{source}: {text!r} is neither a TorchRL release (0.14.1) nor a range (>=0.6,<0.9)"
            ) from None
    if not len(specifier):
        raise ValueError(f"{source}: a TorchRL release or range is needed")
    return replace(_target(specifier, source), chosen=True)


def target_release(
    folder: str | os.PathLike[str],
    *,
    file_text: str | None = None,
    top: str | os.PathLike[str] | None = None,
) -> TargetRelease:
    """The release that code in `folder` targets, by what the project says of its dependencies.

    `file_text` is the raw text of a script or notebook, whose own statement (a PEP 723 block, a
    `!pip install` cell) comes first. Folders are searched upwards to `top`, which defaults to the
    repository (the first folder with a `.git`), else to the root of the file system.
    """
    own = file_statements(file_text) if file_text is not None else []
    if any(s.package == "torchrl" for s in own):
        return _from_statements(own)
    return _from_statements(_nearest(os.fspath(folder), None if top is None else os.fspath(top)))


def release_in(folders: Iterable[Any], file_text: str) -> TargetRelease:
    """`target_release` for folders that need not be on the disk, the nearest one first.

    Each is like a `pathlib.Path`: what is listed, tested and read goes through it.
    """
    own = file_statements(file_text)
    if any(s.package == "torchrl" for s in own):
        return _from_statements(own)
    for folder in folders:
        statements = folder_statements(folder)
        if statements:
            return _from_statements(statements)
    return _from_statements(())


@lru_cache(maxsize=1024)
def _nearest(folder: str, top: str | None) -> tuple[Statement, ...]:
    """The statements of the nearest folder that has any about TorchRL or TensorDict."""
    here = Path(os.path.abspath(folder))
    last = None if top is None else Path(os.path.abspath(top))
    for candidate in (here, *here.parents):
        statements = folder_statements(candidate)
        if statements:
            return tuple(statements)
        if candidate == last or (last is None and (candidate / ".git").exists()):
            break
    return ()


def forget() -> None:
    """Read project files again (for long-running processes and tests)."""
    _nearest.cache_clear()


def _from_statements(statements: Sequence[Statement]) -> TargetRelease:
    torchrl = [s for s in statements if s.package == "torchrl" and len(s.specifier)]
    tensordict = [s for s in statements if s.package == "tensordict" and len(s.specifier)]
    if not torchrl:
        target = newest_known()
    else:
        chosen, specifier, notes = _agree(torchrl)
        target = _target(specifier, chosen.where)
        target = replace(target, notes=(*target.notes, *notes))
    if tensordict:
        _, specifier, notes = _agree(tensordict)
        admitted = _admitted(specifier, known_releases()["tensordict"])
        target = replace(target, tensordict=admitted, notes=(*target.notes, *notes))
    return target


def _agree(statements: Sequence[Statement]) -> tuple[Statement, SpecifierSet, tuple[str, ...]]:
    """The statement that decides, the range, and a note per statement that contradicts it."""
    ranked = sorted(statements, key=lambda s: s.rank)
    first = ranked[0]
    package = first.package
    specifier = first.specifier
    notes = []
    for other in ranked[1:]:
        if not _overlap(specifier, other.specifier, package):
            notes.append(
                f"{first.where} asks for {package}{first.specifier}, "
                f"{other.where} for {package}{other.specifier}: going by {first.where}"
            )
        elif not first.locked and not other.optional:
            specifier &= other.specifier
    return first, specifier, tuple(notes)


def _overlap(first: SpecifierSet, second: SpecifierSet, package: str) -> bool:
    """Whether some release satisfies both: a known one, or one that a pin names."""
    pins = [s.version for s in (*first, *second) if s.operator == "==" and "*" not in s.version]
    return any(
        first.contains(release, prereleases=True) and second.contains(release, prereleases=True)
        for release in (*known_releases()[package], *pins)
    )


def _admitted(specifier: SpecifierSet, known: Sequence[str]) -> tuple[str, ...]:
    return tuple(r for r in known if specifier.contains(r, prereleases=True))


def _target(specifier: SpecifierSet, source: str) -> TargetRelease:
    known = known_releases()["torchrl"]
    admitted = _admitted(specifier, known)
    text = ",".join(sorted(map(str, specifier), reverse=True))
    exact = any(s.operator in ("==", "===") and "*" not in s.version for s in specifier)
    notes: tuple[str, ...] = ()
    if not admitted:
        admitted = (_closest(specifier, known),)
        notes = (f"{source}: no known release is torchrl{text}; judging by {admitted[0]}",)
    elif not any(s.operator in _LOWER_BOUNDS for s in specifier):
        admitted = admitted[-1:]
    return TargetRelease(admitted, exact, text, source, notes=notes)


def _closest(specifier: SpecifierSet, known: Sequence[str]) -> str:
    """The known release nearest to a range that admits none of them."""
    named = [Version(s.version.replace(".*", "")) for s in specifier]
    older = [r for r in known if Version(r) <= max(named)]
    return older[-1] if older else known[0]


def explain(targets: Iterable[TargetRelease]) -> list[str]:
    """The lines of `--show-settings` about targets: each once, with its notes."""
    lines: dict[str, None] = {}
    for target in targets:
        lines[target.explanation()] = None
        lines.update(dict.fromkeys(f"  note: {note}" for note in target.notes))
    return list(lines)
