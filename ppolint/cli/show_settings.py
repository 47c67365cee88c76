"""`ppolint check --show-settings`: what holds for the files, and where that comes from."""

from __future__ import annotations

import os

from ppolint.engine.plan import Options, Planner
from ppolint.engine.targets import release_for
from ppolint.rules import registry
from ppolint.settings.files import Target
from ppolint.settings.schema import KEYS, Settings


def show(targets: list[Target], options: Options) -> str:
    """The settings of every folder with settings of its own, the rules and the target releases."""
    from ppolint.settings.release import explain

    planner = Planner(options)
    lines: list[str] = []
    groups: dict[Settings, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.settings, []).append(target)
    for settings, members in groups.items():
        lines.append(f"Settings: {settings.file or 'defaults (no configuration file)'}")
        for key in KEYS:
            value = getattr(settings, key.replace("-", "_"))
            if value:
                lines.append(f"  {key}: {_shown(value)}")
        plan = planner.plan(members[0])
        off = [e.code for e in registry.entries() if e.code not in plan.codes]
        lines.append(f"  rules: {len(plan.codes)} on, off: {', '.join(off) or 'none'}")
        lines.append(f"  files: {len(members)}")
        # One file stands for its folder; what a script says of itself is looked at file by file.
        releases = [release_for(t.absolute, _data(t.absolute), plan.release) for t in members]
        lines += [f"  {line}" for line in explain(releases)]
    return "".join(f"{line}\n" for line in lines)


def _data(path: str) -> bytes:
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        pairs = all(isinstance(item, tuple) for item in value)
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value) if pairs else ", ".join(value)
    return str(value)
