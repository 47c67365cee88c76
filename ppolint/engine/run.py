"""Linting many files: what is known from the cache, what the screen skips, what workers analyse."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ppolint.findings import Diagnostic
from ppolint.rules import registry
from ppolint.settings.files import Target
from ppolint.settings.schema import Settings

if TYPE_CHECKING:
    from ppolint.engine.analysis import Analysis
    from ppolint.engine.cache import Cache
    from ppolint.engine.projects import Projects
    from ppolint.source.file import Source

# Seconds one file may take; the slowest real files take a few.
TIME_LIMIT = 120.0


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


class Result:
    """What a run found. `errors` are (path, message) of defects of ppolint.

    `files` counts those looked at, `analysed` those that were neither known nor screened out.
    """

    def __init__(
        self, diagnostics: Iterable[Diagnostic] = (), errors: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.diagnostics = list(diagnostics)
        self.errors = list(errors)
        self.files = 0
        self.analysed = 0


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


class Job(NamedTuple):
    """One file for a worker. `root` is that of its project."""

    path: str
    absolute: str
    plan: Plan
    root: str


class Done(NamedTuple):
    """What a worker hands back about a file."""

    content: str
    diagnostics: list[dict[str, Any]]
    errors: list[str]
    parsed: bool
    dependencies: tuple[str, ...]
    consulted_project: bool


class Analyser:
    """Analyses one file: what a worker does."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def __call__(self, job: Job) -> Done:
        try:
            with open(job.absolute, "rb") as file:
                data = file.read()
        except OSError as error:
            return self._skipped(job, "", error.strerror or "it cannot be read")
        return self.of_bytes(job, data)

    def of_bytes(self, job: Job, data: bytes) -> Done:
        """The result for a file with these bytes."""
        from ppolint.engine.cache import content_hash
        from ppolint.engine.limits import MAX_BYTES
        from ppolint.source.file import Source, SourceError

        content = content_hash(data)
        if len(data) > MAX_BYTES:
            return self._skipped(job, content, f"it has more than {MAX_BYTES:,} bytes")
        try:
            source = Source.from_bytes(data, job.path)
        except SourceError as error:
            return self._skipped(job, content, str(error))
        analysis = self.analysis(job, source)
        return Done(
            content,
            reported(source, analysis.findings, job.plan),
            analysis.errors,
            analysis.parsed,
            analysis.dependencies,
            analysis.consulted_project,
        )

    def analysis(self, job: Job, source: Source) -> Analysis:
        """What the selected rules find in `source`, the content of the job's file."""
        from ppolint.engine.analysis import analyse
        from ppolint.engine.targets import release_for

        return analyse(
            source,
            job.plan.codes,
            screen_for(job.plan.codes).passing_source(source),
            self._projects.project(job.root),
            release_for(job.absolute, source.data, job.plan.release),
            job.plan.from_scratch,
        )

    @staticmethod
    def _skipped(job: Job, content: str, reason: str) -> Done:
        return Done(content, not_analysed(job, reason), [], False, (), False)


def reported(source: Any, findings: Iterable[Any], plan: Plan) -> list[dict[str, Any]]:
    """The findings as plain data without their path, as the cache keeps them."""
    from ppolint.engine.analysis import diagnostics

    rows = [d.as_dict() for d in diagnostics(source, findings, dict(plan.severities))]
    for row in rows:
        del row["path"]
    return rows


def not_analysed(job: Job, reason: str) -> list[dict[str, Any]]:
    """What is reported of a file that no rule can look at, if that rule is selected."""
    from ppolint.rules.general import file_not_analysed
    from ppolint.source.file import Source

    if file_not_analysed.rule.code not in job.plan.codes:
        return []
    source = Source.from_text("", job.path)
    return reported(source, [file_not_analysed.finding(reason)], job.plan)


_screens: dict[tuple[str, ...], Any] = {}


def screen_for(codes: tuple[str, ...]) -> Any:
    """The screen for a selection of rules, made once."""
    screen = _screens.get(codes)
    if screen is None:
        from ppolint.engine.screen import Screen

        table = registry.by_code()
        screen = _screens[codes] = Screen(table[code] for code in codes)
    return screen


def run(
    targets: Iterable[Target],
    options: Options,
    projects: Projects,
    cache: Cache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Lint the targets. `progress(done, total)` is called as analysed files come in."""
    result = Result()
    planner = Planner(options)
    pending: list[Job] = []
    by_path: dict[str, list[dict[str, Any]]] = {}
    plan_texts: dict[Plan, str] = {}
    for target in targets:
        result.files += 1
        plan = planner.plan(target)
        text = plan_texts.get(plan)
        if text is None:
            text = plan_texts[plan] = repr(plan)
        if cache is not None:
            known = cache.get(target.absolute, text)
            if known is not None:
                if known:
                    by_path[target.path] = known
                continue
        content = _screened_out(target.absolute, plan)
        if content is not None:
            if cache is not None:
                cache.put(target.absolute, text, content, [])
            continue
        pending.append(Job(target.path, target.absolute, plan, projects.root_of(target.absolute)))
    result.analysed = len(pending)
    if pending:
        _analyse_all(pending, options, projects, cache, progress, result, by_path, plan_texts)
    for path, found in by_path.items():
        shown = path.replace(os.sep, "/")
        result.diagnostics += [Diagnostic.from_dict({**d, "path": shown}) for d in found]
    result.diagnostics.sort(key=lambda d: (d.path, d.cell or 0, d.row, d.column, d.code, d.message))
    result.errors.sort()
    return result


def _screened_out(absolute: str, plan: Plan) -> str | None:
    """The hash of a file that no rule has anything to say about; None for any other file."""
    from ppolint.engine.cache import content_hash

    try:
        with open(absolute, "rb") as file:
            data = file.read()
    except OSError:
        return None
    screen = screen_for(plan.codes)
    if absolute.endswith(".ipynb"):
        needed = screen.may_pass_notebook(data)
    else:
        needed = bool(screen.passing(data))
    return None if needed else content_hash(data)


def _analyse_all(
    pending: list[Job],
    options: Options,
    projects: Projects,
    cache: Cache | None,
    progress: Callable[[int, int], None] | None,
    result: Result,
    by_path: dict[str, list[dict[str, Any]]],
    plan_texts: dict[Plan, str],
) -> None:
    from ppolint.engine import pool

    processes = options.jobs or len(os.sched_getaffinity(0))
    analyser = Analyser(projects)
    if processes > 1 and len(pending) > 1:
        _preload()
    for count, (index, done) in enumerate(pool.run(analyser, pending, processes, TIME_LIMIT), 1):
        job = pending[index]
        if progress is not None:
            progress(count, len(pending))
        if isinstance(done, pool.Crash):
            _crashed(job, done, result, by_path)
            continue
        by_path[job.path] = done.diagnostics
        result.errors += [(job.path, message) for message in done.errors]
        if cache is not None and not done.errors:
            cache.put(
                job.absolute,
                plan_texts[job.plan],
                done.content,
                done.diagnostics,
                job.root if done.parsed else None,
                done.dependencies,
                done.consulted_project,
            )


def _crashed(
    job: Job, crash: Any, result: Result, by_path: dict[str, list[dict[str, Any]]]
) -> None:
    """A worker died over a file: a stack that overflowed is the file's doing, the rest ours."""
    import signal

    if crash.killed_by in (signal.SIGSEGV, signal.SIGBUS):
        by_path[job.path] = not_analysed(job, "it is nested too deeply for the parser")
    else:
        result.errors.append((job.path, crash.reason))


def _preload() -> None:
    """Import what every worker needs, so that forked ones share it."""
    import ppolint.engine.analysis
    import ppolint.semantics.model

    assert ppolint.semantics.model and "libcst" in sys.modules
