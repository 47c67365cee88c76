"""`ppolint check -`: lint what comes on standard input."""

from __future__ import annotations

import os
import sys
from typing import Any

from ppolint.engine.plan import Options, Planner
from ppolint.engine.projects import Projects
from ppolint.engine.run import Result
from ppolint.engine.worker import Analyser, Done, Job
from ppolint.findings import Diagnostic
from ppolint.settings.files import Target, excluded
from ppolint.settings.load import SettingsResolver


def check_stdin(
    options: dict[str, Any], run_options: Options, resolver: SettingsResolver, projects: Projects
) -> int:
    """Lint standard input as the file called `--stdin-filename`; returns the exit status."""
    from ppolint.cli.run_check import finish

    name = options["stdin_filename"] or "<stdin>"
    absolute = os.path.abspath(name if options["stdin_filename"] else "stdin.py")
    settings = resolver.for_folder(os.path.dirname(absolute))
    data = sys.stdin.buffer.read()
    fixing = options["fix"] or options["fix_only"] or options["diff"]
    if options["force_exclude"] and excluded(absolute, settings):
        if fixing and not options["diff"]:
            sys.stdout.buffer.write(data)
        return 0
    target = Target(name, absolute, settings)
    if fixing:
        from ppolint.cli.fix_check import fix_stdin

        return fix_stdin(data, target, options, run_options, projects)
    result = result_of(target, analyse_bytes(data, target, run_options, projects))
    return finish(result, options)


def result_of(target: Target, done: Done) -> Result:
    """The result of a run over one file."""
    path = target.path.replace("\\", "/")
    found = [Diagnostic.from_dict({**each, "path": path}) for each in done.diagnostics]
    result = Result(found, [(path, error) for error in done.errors])
    result.files = result.analysed = 1
    return result


def analyse_bytes(data: bytes, target: Target, options: Options, projects: Projects) -> Done:
    """The result for a file whose content is in memory."""
    job = Job(
        target.path,
        target.absolute,
        Planner(options).plan(target),
        projects.root_of(target.absolute),
    )
    return Analyser(projects).of_bytes(job, data)
