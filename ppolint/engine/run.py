"""Linting many files: what is known from the cache, what the screens skip, what workers analyse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ppolint.engine.plan import Options, Plan, Planner
from ppolint.engine.worker import Analyser, Done, Job, not_analysed, screen_for
from ppolint.findings import Diagnostic
from ppolint.settings.files import Target

if TYPE_CHECKING:
    from ppolint.engine.cache import Cache
    from ppolint.engine.projects import Projects

# Seconds one file may take; the slowest real files take a few.
TIME_LIMIT = 120.0


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


def run(
    targets: Iterable[Target],
    options: Options,
    projects: Projects,
    cache: Cache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Lint the targets. `progress(done, total)` is called as analysed files come in."""
    state = _Run(options, projects, cache)
    for target in targets:
        state.look_at(target)
    _analyse([state], options, progress)
    return state.finished()


def run_all(parts: Iterable[tuple[Iterable[Target], Projects]], options: Options) -> list[Result]:
    """Lint the targets of several projects side by side: the results in their order."""
    states = []
    for targets, projects in parts:
        states.append(_Run(options, projects, None))
        for target in targets:
            states[-1].look_at(target)
    _analyse(states, options, None)
    return [state.finished() for state in states]


class _Analysers:
    """What a worker does for several runs: the job of one of them."""

    def __init__(self, states: Iterable[_Run]) -> None:
        self._analysers = [Analyser(state.projects) for state in states]

    def __call__(self, item: tuple[int, Job]) -> Done:
        at, job = item
        return self._analysers[at](job)


def _analyse(
    states: list[_Run], options: Options, progress: Callable[[int, int], None] | None
) -> None:
    """Have workers analyse what is pending in the runs."""
    pending = [(at, job) for at, state in enumerate(states) for job in state.pending]
    if not pending:
        return
    from ppolint.engine import pool

    if len(pending) > 1:
        _preload(set().union(*(state.wanted for state in states)))
    answers = pool.run(_Analysers(states), pending, options.jobs or _cores(), TIME_LIMIT)
    for count, (index, answer) in enumerate(answers, 1):
        if progress is not None:
            progress(count, len(pending))
        at, job = pending[index]
        if isinstance(answer, pool.Crash):
            states[at].crashed(job, answer)
        else:
            states[at].keep(job, answer)


class _Run:
    def __init__(self, options: Options, projects: Projects, cache: Cache | None) -> None:
        self.projects = projects
        self.cache = cache
        self.planner = Planner(options)
        self.plan_texts: dict[Plan, str] = {}
        self.pending: list[Job] = []
        self.wanted: set[str] = set()
        self.found: dict[str, list[dict[str, Any]]] = {}
        self.result = Result()

    def look_at(self, target: Target) -> None:
        """Answer for a file from the cache or from its words, or leave it for the workers."""
        self.result.files += 1
        plan = self.planner.plan(target)
        if self.cache is not None:
            known = self.cache.get(target.absolute, self._text(plan))
            if known is not None:
                if known:
                    self.found[target.path] = known
                return
        job = self._job(target, plan)
        if job is not None:
            self.pending.append(job)

    def _text(self, plan: Plan) -> str:
        text = self.plan_texts.get(plan)
        if text is None:
            text = self.plan_texts[plan] = repr(plan)
        return text

    def _job(self, target: Target, plan: Plan) -> Job | None:
        """What workers have to do about a file; None where no selected rule can have anything to
        say about it, which is told without parsing it."""
        root = self.projects.root_of(target.absolute)
        job = Job(target.path, target.absolute, plan, root)
        try:
            data = self.projects.read(target.absolute)
        except OSError:
            return job  # whoever opens it next says so
        screen = screen_for(plan.codes)
        if target.absolute.endswith(".ipynb"):
            if screen.may_pass_notebook(data):
                return job
            self._nothing(target, plan, data)
            return None
        subject = self.projects.subject(root)
        foreign = subject is not None and not subject.may_concern(target.absolute)
        codes = screen.passing(data, of_any_program=foreign)
        if not codes:
            self._nothing(target, plan, data, root if foreign else None)
            return None
        text = data.decode("utf-8", "replace")
        project = self.projects.project(root)
        codes, consulted = screen.of_program(codes, text, target.absolute, project)
        if not codes:
            self._nothing(target, plan, data, root if consulted else None)
            return None
        self.wanted.update(codes)
        return job._replace(opened=(codes, consulted or foreign))

    def _nothing(self, target: Target, plan: Plan, data: bytes, root: str | None = None) -> None:
        """Keep that there is nothing to find; `root` is set when that depends on the project."""
        if self.cache is not None:
            from ppolint.engine.cache import content_hash

            text = self._text(plan)
            self.cache.put(
                target.absolute, text, content_hash(data), [], root, (), root is not None
            )

    def keep(self, job: Job, done: Done) -> None:
        self.found[job.path] = done.diagnostics
        self.result.errors += [(job.path, message) for message in done.errors]
        if self.cache is not None and not done.errors:
            self.cache.put(
                job.absolute,
                self._text(job.plan),
                done.content,
                done.diagnostics,
                job.root if done.project_matters else None,
                done.dependencies,
                done.consulted_project,
            )

    def crashed(self, job: Job, crash: Any) -> None:
        """A worker died over a file: a stack that overflowed is the file's doing, the rest ours."""
        import signal

        if crash.killed_by in (signal.SIGSEGV, signal.SIGBUS):
            self.found[job.path] = not_analysed(job, "it is nested too deeply for the parser")
        else:
            self.result.errors.append((job.path, crash.reason))

    def finished(self) -> Result:
        """The result, in an order that depends on nothing but what was found."""
        result = self.result
        result.analysed = len(self.pending)
        for path, rows in self.found.items():
            shown = path.replace(os.sep, "/")
            result.diagnostics += [Diagnostic.from_dict({**row, "path": shown}) for row in rows]
        result.diagnostics.sort(
            key=lambda d: (d.path, d.cell or 0, d.row, d.column, d.code, d.message)
        )
        result.errors.sort()
        return result


def _cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _preload(codes: Iterable[str]) -> None:
    """Import and read what every worker needs, so that forked ones share it."""
    from ppolint.rules import registry
    from ppolint.semantics.nodes import slim

    slim()
    import hashlib

    import libcst.native

    import ppolint.engine.analysis
    import ppolint.engine.cache

    assert hashlib and libcst.native and ppolint.engine.analysis and ppolint.engine.cache
    _import_parts("ppolint.semantics", "")
    families = set()
    for code in codes:
        with suppress(Exception):  # the worker that needs it says so
            registry.load(code)
            families.add(registry.by_code()[code].family)
    for family in families:
        _import_parts(f"ppolint.rules.{family}", "_")
    if "releases" in families:
        import ppolint.settings.release
        from ppolint.torchrl_api import database

        assert ppolint.settings.release
        database.load()


def _import_parts(package: str, prefix: str) -> None:
    """Import the modules of a package whose names begin with `prefix`."""
    import importlib
    import pkgutil

    folders = importlib.import_module(package).__path__
    for module in pkgutil.iter_modules(folders):
        if module.name.startswith(prefix):
            with suppress(Exception):
                importlib.import_module(f"{package}.{module.name}")
