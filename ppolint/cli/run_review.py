"""What `ppolint review` does, once its options are read."""

from __future__ import annotations

import os
import sys
from typing import Any

from ppolint.cli.run_check import say, use_color, write_reports
from ppolint.engine.plan import Options
from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report
from ppolint.review.git import Repository, scratch
from ppolint.review.review import Review, review
from ppolint.review.sides import Sides, of_commits, of_index, of_patch
from ppolint.settings.schema import ConfigurationError


def review_change(base: str | None, options: dict[str, Any]) -> int:
    """Review a change and print the report; returns the exit status.

    Raises `ConfigurationError` and `GitError`.
    """
    if options["staged"] and options["patch"]:
        raise ConfigurationError("--staged and --diff cannot be combined")
    repository = Repository(os.getcwd())
    run_options = Options(
        options["select"],
        options["ignore"],
        options["extend_select"],
        options["torchrl_version"],
        options["jobs"],
    )
    with scratch(repository, options["staged"] or bool(options["patch"])) as place:
        if place is None:
            sides = of_commits(repository, base)
        elif options["staged"]:
            sides = of_index(place, repository, base)
        else:
            sides = of_patch(place, repository, _patch(options["patch"]), base)
        ours = place.repository if place is not None else repository
        outcome = review(ours, sides, run_options, options["config"], options["isolated"])
    return finish(outcome, options)


def _patch(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}") from None


def finish(outcome: Review, options: dict[str, Any]) -> int:
    """Print what was found, in the formats and places asked for; returns the exit status."""
    for note in (*outcome.notes, *outcome.unseen):
        say(f"note: {note}")
    for path, message in outcome.errors:
        say(f"error: {path}: internal error, please report it: {message}")
    lowest = Severity.parse(options["severity"])
    found = [*outcome.new, *outcome.standing] if options["everything"] else outcome.new
    shown = [explained(outcome, d) for d in found if Severity.parse(d.severity) >= lowest]
    write_reports(Report(shown, outcome.files, use_color(options), outcome), options)
    if any(file is None for _, file in options["outputs"]):
        say(credit(outcome, outcome.sides))
    if outcome.errors:
        return 2
    failing = Severity.parse(options["fail_on"])
    failed = any(Severity.parse(d.severity) >= failing for d in outcome.new)
    return 1 if failed and not options["exit_zero"] else 0


def explained(outcome: Review, finding: Diagnostic) -> Diagnostic:
    """A finding that also says what in the change causes it, where that is not its own code."""
    cause = outcome.cause(finding)
    sentence = cause.sentence(finding) if cause is not None else ""
    if not sentence:
        return finding
    joiner = " " if finding.message.endswith((".", "!", "?")) else ". "
    return finding._replace(message=f"{finding.message}{joiner}{sentence}")


def credit(outcome: Review, sides: Sides) -> str:
    """The closing line: what was compared, what is new and what the change fixed."""
    from ppolint.reporters.style import plural

    line = f"{plural(len(outcome.new), 'new finding')} between {sides.base_name} and "
    line += f"{sides.head_name}."
    if outcome.fixed:
        codes = sorted({f"{d.code} {d.name}" for d in outcome.fixed})
        line += f" Fixed: {plural(len(outcome.fixed), 'finding')} ({', '.join(codes)})."
    return line
