"""The analysis of one file, as a worker process does it: from a path to plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ppolint.engine.plan import Plan
from ppolint.rules import registry

if TYPE_CHECKING:
    from ppolint.engine.analysis import Analysis
    from ppolint.engine.projects import Projects
    from ppolint.engine.screen import Screen
    from ppolint.settings.release import TargetRelease
    from ppolint.source.file import Source


class Job(NamedTuple):
    """One file for a worker. `root` is that of its project.

    `opened` are the rules that have to see it and whether the project was asked for that, where the
    screen has told already.
    """

    path: str
    absolute: str
    plan: Plan
    root: str
    opened: tuple[tuple[str, ...], bool] | None = None


class Done(NamedTuple):
    """What a worker hands back about a file.

    `project_matters` tells that the answer may change with the files around this one.
    """

    content: str
    diagnostics: list[dict[str, Any]]
    errors: list[str]
    project_matters: bool
    dependencies: tuple[str, ...]
    consulted_project: bool


class Analyser:
    """Analyses one file: what a worker does."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def __call__(self, job: Job) -> Done:
        try:
            data = self._projects.read(job.absolute)
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
            analysis.parsed or analysis.consulted_project,
            analysis.dependencies,
            analysis.consulted_project,
        )

    def analysis(self, job: Job, source: Source) -> Analysis:
        """What the selected rules find in `source`, the content of the job's file."""
        from ppolint.engine.analysis import analyse

        project = self._projects.project(job.root)
        if job.opened is not None:
            codes, consulted = job.opened
        else:
            screen = screen_for(job.plan.codes)
            words = screen.passing_source(source)
            codes, consulted = screen.of_program(words, source.text, job.absolute, project)

        def release() -> TargetRelease:
            return self._projects.release(job.absolute, source.data, job.plan.release)

        analysis = analyse(source, job.plan.codes, codes, project, release, job.plan.from_scratch)
        analysis.consulted_project |= consulted
        return analysis

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


_screens: dict[tuple[str, ...], Screen] = {}


def screen_for(codes: tuple[str, ...]) -> Screen:
    """The screen for a selection of rules, made once."""
    screen = _screens.get(codes)
    if screen is None:
        from ppolint.engine.screen import Screen

        table = registry.by_code()
        screen = _screens[codes] = Screen(table[code] for code in codes)
    return screen
