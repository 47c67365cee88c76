"""The command line: `entry.run` is the program, `group.main` the commands as click has them.

Importing the package imports neither: click takes twice as long to import as Python takes to start.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ppolint.cli.group import main

    return main
