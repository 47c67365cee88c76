"""Which TorchRL release each file is judged by, and what that was read from.

Finding the release reads lock files and needs a parser for version ranges, so a run from the cache
must not do it: it asks only whether the files that could say something are unchanged.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ppolint.settings.schema import ConfigurationError, Settings

if TYPE_CHECKING:
    from ppolint.settings.release import TargetRelease

# Every name that `settings.requirements` reads; a name too many costs a comparison.
_STATES_DEPENDENCIES = re.compile(
    r"(?i).*requirements.*|pyproject\.toml|setup\.(?:py|cfg)|.*\.lock|.*lock\.(?:yml|toml|json)"
    r"|pixi\.toml|pipfile|(?:conda[-_]?)?env(?:ironment)?(?:[-_.].*)?\.ya?ml"
)


def inputs(folder: str, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Paths, from `folder` up to its repository's root, that may state a dependency.

    `known` are the answers of this run: most folders of a project share them.
    """
    answer = known.get(folder)
    if answer is None:
        answer = known[folder] = _inputs(folder, known)
    return answer


def _inputs(folder: str, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # it has just vanished: nothing to read there
        return ()
    found = []
    for name in names:
        if _STATES_DEPENDENCIES.fullmatch(name):
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                found += [os.path.join(path, n) for n in sorted(os.listdir(path))]
            else:
                found.append(path)
    parent = os.path.dirname(folder)
    if ".git" in names or parent == folder:
        return tuple(found)
    return (*found, *inputs(parent, known))


def stated(settings: Settings, option: str | None) -> tuple[str, str] | None:
    """The release that the command line or the configuration names, and which of them does."""
    if option is not None:
        return option, "--torchrl-version"
    if settings.torchrl_version is not None:
        return settings.torchrl_version, os.path.basename(settings.file or "configuration")
    return None


@lru_cache(maxsize=64)
def named(text: str, where: str) -> TargetRelease:
    """The release a user names; raises `ConfigurationError` when it is none."""
    from ppolint.settings.release import parse_target

    try:
        return parse_target(text, where)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def release_for(absolute: str, data: bytes, said: tuple[str, str] | None) -> TargetRelease:
    """The release that the file at `absolute`, with the bytes `data`, is judged by."""
    if said is not None:
        return named(*said)
    from ppolint.settings.release import target_release

    text = data.decode("utf-8", "replace")
    return target_release(os.path.dirname(absolute), file_text=text)
