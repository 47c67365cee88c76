"""The `ppolint` program."""

from __future__ import annotations

import sys
from typing import Any

from ppolint.cli.plain import read


def run() -> None:
    """Run the command that the program was called with; a plain check does without click."""
    given = read(sys.argv[1:])
    if given is None:
        from ppolint.cli.group import main

        main()
    else:
        sys.exit(_checked(*given))


def _checked(paths: tuple[str, ...], options: dict[str, Any]) -> int:
    from ppolint.cli import streams

    streams.prepare()
    try:
        from ppolint.cli.run_check import executed

        return executed(paths, options)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return streams.INTERRUPTED
    except OSError as error:
        reason = streams.reason(error)
        if reason is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        streams.hush()
        return streams.ERROR
