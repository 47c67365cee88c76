"""`ppolint check --add-ignores`: an ignore comment beside every finding."""

from __future__ import annotations

from typing import Any

from ppolint.cli.run_check import say
from ppolint.engine.cache import write_atomically
from ppolint.engine.run import Result
from ppolint.reporters.style import plural
from ppolint.review.ignores import with_ignores
from ppolint.settings.files import Target
from ppolint.source.file import SourceError, read_source


def add_ignores(targets: list[Target], result: Result, options: dict[str, Any]) -> int:
    """Write the comments; the exit status is 2 when a file could not be looked at or written."""
    found = result.diagnostics
    if options["baseline"] is not None:
        from ppolint.review.baseline import Baseline

        found = Baseline.read(options["baseline"]).unknown(found)
    by_path = {target.path.replace("\\", "/"): target for target in targets}
    added = files = 0
    failed = bool(result.errors)
    for path, message in result.errors:
        say(f"error: {path}: internal error, please report it: {message}")
    for path in dict.fromkeys(d.path for d in found):
        target = by_path[path]
        try:
            source = read_source(target.absolute)
            data, count = with_ignores(source, [d for d in found if d.path == path])
            if count:
                write_atomically(target.absolute, data)
        except (OSError, SourceError) as error:
            say(f"warning: {path}: no comments written: {error}")
            failed = True
            continue
        added += count
        files += bool(count)
    say(f"Added {plural(added, 'ignore comment')} in {plural(files, 'file')}.")
    return 2 if failed else 0
