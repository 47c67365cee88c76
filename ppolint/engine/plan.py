"""What is to be done with each file of a run: rules, severities, release."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ppolint.settings.files import Target
from ppolint.settings.schema import Settings


class Options(NamedTuple):
    """What the command line says about a run, beyond paths."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    torchrl_version: str | None = None
    jobs: int | None = None


class Plan(NamedTuple):
    """What is done with a file: equal for files with equal settings and ignores.

    `codes` are the selected rules; `severities` the configured ones, by code; `release` is the
    TorchRL release that the user names, and where.
    """

    codes: tuple[str, ...]
    severities: tuple[tuple[str, str], ...]
    from_scratch: bool
    release: tuple[str, str] | None


class Planner:
    """Makes the plan for each file of a run."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._base: dict[Settings, Plan] = {}
        self._globs: dict[str, Any] = {}

    def plan(self, target: Target) -> Plan:
        """The plan for a file; selectors were checked before."""
        settings = target.settings
        plan = self._base.get(settings)
        if plan is None:
            plan = self._base[settings] = self._for_settings(settings)
        if not settings.per_file_ignores and not settings.from_scratch:
            return plan
        relative = os.path.relpath(target.absolute, settings.root).replace(os.sep, "/")
        dropped: set[str] = set()
        for glob, selectors in settings.per_file_ignores:
            if self._matches(glob, relative):
                from ppolint.settings.selection import expanded

                dropped |= expanded(selectors)
        if dropped:
            plan = plan._replace(codes=tuple(c for c in plan.codes if c not in dropped))
        if any(self._matches(glob, relative) for glob in settings.from_scratch):
            plan = plan._replace(from_scratch=True)
        return plan

    def _for_settings(self, settings: Settings) -> Plan:
        from ppolint.engine.targets import named, stated
        from ppolint.settings.selection import codes_of, selected

        options = self._options
        codes = selected(settings, options.select, options.ignore, options.extend_select)
        severities = {
            code: level for selector, level in settings.severity for code in codes_of(selector)
        }
        release = stated(settings, options.torchrl_version)
        if release is not None:
            named(*release)
        return Plan(codes, tuple(sorted(severities.items())), False, release)

    def _matches(self, glob: str, relative: str) -> bool:
        from ppolint.settings.globs import PathPatterns

        patterns = self._globs.get(glob)
        if patterns is None:
            patterns = self._globs[glob] = PathPatterns([glob])
        return patterns.matches(relative)
