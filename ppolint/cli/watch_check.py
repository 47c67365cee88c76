"""`ppolint check --watch`: lint again whenever a file changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from ppolint.settings.files import MissingPath, Walker
from ppolint.settings.load import SettingsResolver
from ppolint.settings.schema import ConfigurationError

# Seconds between looks at the files.
INTERVAL = 0.5
State = dict[str, tuple[int, int]]


def watch(
    paths: tuple[str, ...],
    options: dict[str, Any],
    check: Callable[[tuple[str, ...], dict[str, Any]], int],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Run `check` now and after every change of the files, until interrupted.

    Files are looked at by their times and sizes: that works on every system and mount.
    """
    from ppolint.cli.run_check import say
    from ppolint.settings.release import forget

    seen: State | None = None
    try:
        while True:
            now = _state(paths, options)
            if now != seen:
                seen = now
                forget()
                try:
                    check(paths, options)
                except (ConfigurationError, MissingPath) as error:
                    say(f"error: {error}")
                say("Watching for changes; Ctrl-C ends.")
            pause(INTERVAL)
    except KeyboardInterrupt:
        return 0


def _state(paths: tuple[str, ...], options: dict[str, Any]) -> State:
    """Time and size of every file that a run reads: code, settings, stated dependencies."""
    from ppolint.engine.targets import inputs

    files: set[str] = set()
    try:
        resolver = SettingsResolver(options["config"], options["isolated"])
        walker = Walker(resolver, lambda message: None, options["force_exclude"])
        files.update(target.absolute for target in walker.collect(paths))
    except (ConfigurationError, MissingPath):
        pass  # the run says so; what is watched until then are the settings
    known: dict[str, tuple[str, ...]] = {}
    folders = {os.path.dirname(file) for file in files}
    folders |= {p if os.path.isdir(p) else os.path.dirname(p) for p in map(os.path.abspath, paths)}
    for folder in folders:
        if os.path.isdir(folder):
            files.update(inputs(folder, known))
            files.add(os.path.join(folder, "ppolint.toml"))
    if options["config"] is not None:
        files.add(os.path.abspath(options["config"]))
    state: State = {}
    for file in files:
        try:
            info = os.stat(file)
        except OSError:
            continue  # it has just gone: its absence is the change
        state[file] = (info.st_mtime_ns, info.st_size)
    return state
