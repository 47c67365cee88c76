"""Fixing the files of a run on disk, or finding out what would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ppolint.engine.cache import write_atomically
from ppolint.engine.fixing import Fixed, allowed, fix_source
from ppolint.engine.plan import Options, Planner
from ppolint.engine.projects import Projects
from ppolint.engine.worker import Analyser, Job
from ppolint.findings import Applicability, Finding
from ppolint.settings.files import Target
from ppolint.source.file import Source, SourceError, read_source


@dataclass
class FixRun:
    """What fixing did. `applied` counts by (code, name); `notes` are lines for people."""

    applied: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: list[tuple[Source, Source]] = field(default_factory=list)
    overlapping: int = 0
    notes: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)


def fix_files(
    targets: Iterable[Target],
    options: Options,
    projects: Projects,
    unsafe: bool,
    write: bool,
) -> FixRun:
    """Fix each target, and write it when `write`; the (before, after) sources are in `changed`."""
    run = FixRun()
    for target in targets:
        try:
            before = read_source(target.absolute)
        except (OSError, SourceError):
            continue  # it was readable a moment ago; the report says what is the matter with it
        before.path = target.path
        fixed = fix_one(before, target, options, projects, unsafe, run)
        if fixed.source.data == before.data:
            continue
        if write:
            try:
                write_atomically(target.absolute, fixed.source.data)
            except OSError as error:
                run.notes.append(f"{target.path}: not fixed: {error.strerror}")
                continue
        run.applied += fixed.applied
        run.changed.append((before, fixed.source))
    return run


def fix_one(
    source: Source, target: Target, options: Options, projects: Projects, unsafe: bool, run: FixRun
) -> Fixed:
    """Fix one source in memory; what there is to tell goes into `run`."""
    plan = Planner(options).plan(target)
    job = Job(target.path, target.absolute, plan, projects.root_of(target.absolute))
    fixed = fix_source(source, finder(job, Analyser(projects), run), allowed(unsafe))
    run.overlapping += len(fixed.overlapping)
    run.notes += [
        f"{target.path}: the fixes of {finding.code} overlap others and were not applied"
        for finding in fixed.overlapping
    ]
    run.notes += [f"{target.path}: {reason}" for reason in fixed.refused]
    return fixed


def finder(job: Job, analyser: Analyser, run: FixRun) -> Callable[[Source], list[Finding]]:
    """The function that finds what is wrong with a state of the job's file."""

    def find(source: Source) -> list[Finding]:
        analysis = analyser.analysis(job, source)
        run.errors += [(job.path, message) for message in analysis.errors]
        return analysis.findings

    return find


def has_fix(applicability: str | None, unsafe: bool) -> bool:
    """Whether a fix of this applicability would be applied."""
    return applicability is not None and Applicability(applicability) in allowed(unsafe)
