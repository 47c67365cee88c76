"""`ppolint check` with nothing but paths and plain options, read without click.

That is what hooks and editors say, and it takes a third of a run that finds everything in the cache.
Whatever is not understood here, in doubt anything, is left to click; a test holds the answers against
those of `ppolint.cli.check.command`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ppolint.reporters import FORMATS
from ppolint.settings.schema import SEVERITIES

# What `check` is given when nothing is said, in the order of its options.
_UNSAID: dict[str, Any] = {
    "select": (), "ignore": (), "extend_select": (),
    "fix": False, "unsafe_fixes": False, "fix_only": False, "diff": False,
    "output_format": (), "output_file": (),
    "severity": "info", "fail_on": "warning", "exit_zero": False, "baseline": None,
    "add_ignores": False, "statistics": False, "torchrl_version": None, "config": None,
    "isolated": False, "force_exclude": False, "no_cache": False, "jobs": None,
    "stdin_filename": None, "color": "auto", "watch": False, "show_files": False,
    "show_settings": False,
}  # fmt: skip
_FLAGS = frozenset(f"--{name.replace('_', '-')}" for name, v in _UNSAID.items() if v is False)
_CHOICES: dict[str, Sequence[str]] = {
    "--output-format": tuple(FORMATS),
    "--severity": SEVERITIES,
    "--fail-on": SEVERITIES,
    "--color": ("auto", "always", "never"),
}


def read(arguments: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """The paths and options of a plain check; None where click has to look at the arguments."""
    if list(arguments[:1]) != ["check"] or "_PPOLINT_COMPLETE" in os.environ or os.name == "nt":
        return None
    said = parsed(arguments[1:])
    if said is None:
        return None
    paths, options = said
    from ppolint.cli.outputs import paired

    return paths, paired(options)


def parsed(arguments: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """The same before formats and files are paired, as click hands them to the command."""
    options = dict(_UNSAID)
    paths = []
    rest = iter(arguments)
    for argument in rest:
        name = argument.removeprefix("--").replace("-", "_")
        if not argument.startswith("-"):
            paths.append(argument)
        elif argument in _FLAGS:
            options[name] = True
        elif argument in _CHOICES:
            value = next(rest, None)
            if value not in _CHOICES[argument]:
                return None
            many = isinstance(options[name], tuple)
            options[name] = (*options[name], value) if many else value
        elif argument == "--config":
            value = next(rest, "-")
            if value.startswith("-") or os.path.isdir(value):
                return None
            options[name] = value
        else:
            return None
    return tuple(paths), options
