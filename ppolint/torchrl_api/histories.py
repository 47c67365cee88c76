"""Values over releases, as the data file stores them (see `database`)."""

from __future__ import annotations

from typing import Any

HERE, LAZY = ".", "?"


def value_at(history: list | None, index: int, start: int = 0) -> Any:
    """The value of a history (see the module docstring) at release `index`."""
    if not history:
        return None
    if len(history) % 2:
        value, rest = (history[0] if index >= start else None), history[1:]
    else:
        value, rest = None, history
    for position in range(0, len(rest), 2):
        if rest[position] > index:
            break
        value = rest[position + 1]
    return value


def start_of(at: list) -> int:
    """The first release of what a history of presence belongs to."""
    return 0 if len(at) % 2 else at[0]
