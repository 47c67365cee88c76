"""What `ppolint check` does, once its options are read."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import Any

from ppolint.engine.plan import Options
from ppolint.engine.projects import Projects
from ppolint.engine.run import Result, run
from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report, render
from ppolint.settings.files import MissingPath, Target, Walker, project_root
from ppolint.settings.load import SettingsResolver
from ppolint.settings.schema import ConfigurationError

PROGRESS_AFTER = 2.0


def say(message: str) -> None:
    """A line for people, beside the report: one line, whatever the names of files hold."""
    from ppolint.reporters.style import printable

    print(printable(message), file=sys.stderr)


def executed(paths: tuple[str, ...], options: dict[str, Any]) -> int:
    """Check, once or whenever a file changes, and tell of what was wrong with the call; returns the
    exit status."""
    try:
        if options["watch"]:
            from ppolint.cli.watch_check import watch

            if "-" in paths:
                raise ConfigurationError("standard input cannot be watched")
            status = watch(paths or (".",), options, check)
        else:
            status = check(paths or (".",), options)
        sys.stdout.flush()
    except (ConfigurationError, MissingPath) as error:
        say(f"error: {error}")
        return 2
    except BrokenPipeError:
        from ppolint.cli.streams import hush

        # Whoever read our output has seen enough; Python must not complain when it flushes again.
        hush()
        return 0
    return status


def check(paths: tuple[str, ...], options: dict[str, Any]) -> int:
    """Lint `paths` and print the report; returns the exit status.

    Raises `ConfigurationError` and `MissingPath`.
    """
    resolver = SettingsResolver(options["config"], options["isolated"])
    projects = Projects(resolver)
    run_options = Options(
        options["select"],
        options["ignore"],
        options["extend_select"],
        options["torchrl_version"],
        options["jobs"],
    )
    if "-" in paths:
        from ppolint.cli.stdin_check import check_stdin

        if len(paths) > 1:
            raise ConfigurationError("`-` (standard input) cannot be combined with other paths")
        if options["add_ignores"]:
            raise ConfigurationError("--add-ignores writes to files, not to standard input")
        return check_stdin(options, run_options, resolver, projects)
    targets = _targets(paths, options, resolver, projects)
    if options["show_files"]:
        print("".join(f"{target.path}\n" for target in targets), end="")
        return 0
    if options["show_settings"]:
        from ppolint.cli.show_settings import show

        print(show(targets, run_options), end="")
        return 0
    cache = None
    if not options["no_cache"] and targets:
        cache = _cache(targets[0], options, resolver, projects.files)
    if options["fix"] or options["fix_only"] or options["diff"]:
        from ppolint.cli.fix_check import check_and_fix

        return check_and_fix(targets, options, run_options, projects, cache)
    result = lint(targets, run_options, projects, cache)
    if options["add_ignores"]:
        from ppolint.cli.add_ignores import add_ignores

        return add_ignores(targets, result, options)
    return finish(result, options)


def lint(targets: list[Target], options: Options, projects: Projects, cache: Any) -> Result:
    """One run over the targets, with progress on a terminal, its results kept for the next."""
    result = run(targets, options, projects, cache, _progress())
    if cache is not None:
        try:
            cache.save()
        except OSError as error:
            say(f"warning: results are not kept: {error}")
    return result


def _targets(
    paths: tuple[str, ...], options: dict[str, Any], resolver: SettingsResolver, projects: Projects
) -> list[Target]:
    walker = Walker(resolver, lambda message: say(f"warning: {message}"), options["force_exclude"])
    found: dict[str, Target] = {}
    for path in paths:
        targets = walker.collect([path])
        if os.path.isdir(path):
            projects.note_walk(os.path.abspath(path), targets)
        for target in targets:
            found.setdefault(target.absolute, target)
    return list(found.values())


def _cache(
    first: Target, options: dict[str, Any], resolver: SettingsResolver, list_files: Any
) -> Any:
    """The cache of a run: beside the configuration, else at the root of the project."""
    from ppolint.engine.cache import FOLDER, Cache

    folder = os.getcwd()
    if not first.absolute.startswith(folder.rstrip(os.sep) + os.sep):
        folder = os.path.dirname(first.absolute)
    settings = resolver.for_folder(folder)
    if settings.cache_dir is not None:
        folder = os.path.join(settings.root, os.path.expanduser(settings.cache_dir))
    elif settings.file is not None:
        folder = os.path.join(settings.root, FOLDER)
    else:
        folder = os.path.join(project_root(folder), FOLDER)
    kinds = ("select", "ignore", "extend_select", "torchrl_version", "config", "isolated")
    return Cache(folder, repr([options[kind] for kind in kinds]), list_files)


def _progress() -> Any:
    """Tells how far a run is, on a terminal, once it has taken a while."""
    if not sys.stderr.isatty():
        return None
    started = time.monotonic()
    last = [0.0]

    def progress(done: int, total: int) -> None:
        now = time.monotonic()
        if now - started < PROGRESS_AFTER:
            return
        if done == total:
            sys.stderr.write("\r\x1b[K")
        elif now - last[0] > 0.1:
            last[0] = now
            sys.stderr.write(f"\r\x1b[Kppolint: {done} of {total} files")
        sys.stderr.flush()

    return progress


def finish(result: Result, options: dict[str, Any]) -> int:
    """Print what was found, in the format and place asked for; returns the exit status."""
    for path, message in result.errors:
        say(f"error: {path}: internal error, please report it: {message}")
    if options.get("baseline") is not None:
        from ppolint.review.baseline import Baseline

        result.diagnostics = Baseline.read(options["baseline"]).unknown(result.diagnostics)
    lowest = Severity.parse(options["severity"])
    shown = [d for d in result.diagnostics if Severity.parse(d.severity) >= lowest]
    if options["statistics"]:
        write_out(statistics(shown), options["output_file"], options.get("to_stderr", False))
    else:
        write_reports(Report(shown, result.files, use_color(options)), options)
    if result.errors:
        return 2
    failing = Severity.parse(options["fail_on"])
    failed = any(Severity.parse(d.severity) >= failing for d in result.diagnostics)
    return 1 if failed and not options["exit_zero"] else 0


def write_reports(report: Report, options: dict[str, Any]) -> None:
    """Write the report in every format asked for; colours are for standard output only."""
    for name, file in options["outputs"]:
        made = render(name, report if file is None else report._replace(color=False))
        write_out(made, file, options.get("to_stderr", False))


def write_out(text: str, file: str | None, to_stderr: bool = False) -> None:
    """Put the report where it belongs; raises `ConfigurationError` for a file that cannot be."""
    if file is None:
        stream = sys.stderr if to_stderr else sys.stdout
        stream.flush()
        stream.buffer.write(text.encode(stream.encoding or "utf-8", "backslashreplace"))
        return
    from ppolint.engine.cache import write_atomically

    try:
        write_atomically(file, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written: {error.strerror}") from None


def use_color(options: dict[str, Any]) -> bool:
    """Whether the report is coloured: as asked, else on a terminal without NO_COLOR."""
    if options["color"] != "auto":
        return options["color"] == "always"
    if options["output_file"] is not None or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("TERM") == "dumb" and not os.environ.get("FORCE_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def statistics(diagnostics: list[Diagnostic]) -> str:
    """How many findings each rule has, the most first."""
    counts = Counter((d.code, d.name, d.severity) for d in diagnostics)
    width = len(str(max(counts.values(), default=0)))
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{n:>{width}}  {code}  {name} ({level})\n" for (code, name, level), n in rows)
