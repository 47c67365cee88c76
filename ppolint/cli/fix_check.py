"""`ppolint check --fix` and `--diff`: apply fixes, or show what they would change."""

from __future__ import annotations

import difflib
import sys
from typing import Any

from ppolint.engine.fix_files import FixRun, fix_files, fix_one, has_fix
from ppolint.engine.plan import Options
from ppolint.engine.projects import Projects
from ppolint.engine.run import Result
from ppolint.reporters.style import plural
from ppolint.settings.files import Target
from ppolint.source.file import Source, SourceError, normalised


def check_and_fix(
    targets: list[Target],
    options: dict[str, Any],
    run_options: Options,
    projects: Projects,
    cache: Any,
) -> int:
    """Lint, fix what can be fixed, report what is left; returns the exit status.

    With `--diff` nothing is written, and the status is 1 when something would change.
    """
    from ppolint.cli.run_check import finish, lint, say, write_out

    before = lint(targets, run_options, projects, cache)
    unsafe = options["unsafe_fixes"]
    fixable = {d.path for d in before.diagnostics if has_fix(d.fix and d.fix.applicability, unsafe)}
    chosen = [t for t in targets if t.path.replace("\\", "/") in fixable]
    fixed = fix_files(chosen, run_options, projects, unsafe, write=not options["diff"])
    for note in fixed.notes:
        say(f"warning: {note}")
    if options["diff"]:
        write_out("".join(map(_diff, fixed.changed)), options["output_file"])
        _tell(fixed, "Would apply", say)
        return 2 if _failed(before, fixed, say) else int(bool(fixed.changed))
    after = before
    if fixed.changed:
        projects = projects.afresh()
        cache = cache.reopened(projects.files) if cache is not None else None
        after = lint(targets, run_options, projects, cache)
    _tell(fixed, "Applied", say)
    if options["fix_only"]:
        return 2 if _failed(after, fixed, say) else 0
    after.errors = sorted({*after.errors, *fixed.errors})
    return finish(after, options)


def fix_stdin(
    data: bytes, target: Target, options: dict[str, Any], run_options: Options, projects: Projects
) -> int:
    """Standard input, fixed, on standard output (or the difference); returns the exit status."""
    from ppolint.cli.run_check import finish, say
    from ppolint.cli.stdin_check import analyse_bytes, result_of

    fixed = FixRun()
    try:
        before = Source.from_bytes(data, target.path)
        after = fix_one(
            before, target, run_options, projects, options["unsafe_fixes"], fixed
        ).source
    except SourceError:  # nothing to fix in it: the findings say why
        before = after = Source(target.path, "", (), data=data)
    for note in fixed.notes:
        say(f"warning: {note}")
    if options["diff"]:
        text = _diff((before, after)) if before.data != after.data else ""
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        return int(before.data != after.data)
    sys.stdout.buffer.write(after.data)
    sys.stdout.buffer.flush()
    if options["fix_only"]:
        return 0
    result = result_of(target, analyse_bytes(after.data, target, run_options, projects))
    # Standard output holds the code, so the report of what is left goes to standard error.
    return finish(result, {**options, "to_stderr": True})


def _diff(change: tuple[Source, Source]) -> str:
    """The unified diff of one file; notebooks as the JSON they are."""
    before = change[0]
    encoding = "utf-8" if before.is_notebook else before.encoding
    texts = [normalised(source.data.decode(encoding)) for source in change]
    path = before.path.replace("\\", "/")
    lines = [text.splitlines(keepends=True) for text in texts]
    out = []
    for line in difflib.unified_diff(*lines, fromfile=path, tofile=path):
        out.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(out)


def _tell(fixed: FixRun, verb: str, say: Any) -> None:
    total = sum(fixed.applied.values())
    if not total:
        say("No fixes to apply.")
        return
    counts = sorted(fixed.applied.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{count} {code} ({name})" for (code, name), count in counts)
    where = plural(len(fixed.changed), "file")
    say(f"{verb} {plural(total, 'fix', 'fixes')} in {where}: {listed}.")


def _failed(result: Result, fixed: FixRun, say: Any) -> bool:
    for path, message in sorted({*result.errors, *fixed.errors}):
        say(f"error: {path}: internal error, please report it: {message}")
    return bool(result.errors or fixed.errors)
