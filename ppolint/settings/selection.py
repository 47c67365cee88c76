"""Which rules run: selectors (codes, prefixes, names, `ALL`) turned into a set of codes."""

from __future__ import annotations

from collections.abc import Iterable

from ppolint.rules.registry import by_code, entries, suggestion
from ppolint.settings.schema import ConfigurationError, Settings


def codes_of(selector: str) -> tuple[str, ...]:
    """The codes that a selector stands for, empty when it stands for none."""
    wanted = selector.strip()
    if wanted.upper() == "ALL":
        return tuple(entry.code for entry in entries())
    if wanted.upper() in by_code():
        return (wanted.upper(),)
    if wanted.upper().startswith("PPO"):
        return tuple(e.code for e in entries() if e.code.startswith(wanted.upper()))
    return tuple(entry.code for entry in entries() if entry.name == wanted.lower())


def check(selector: str) -> None:
    """Raises `ConfigurationError`, with what was probably meant, for an unknown selector."""
    if codes_of(selector):
        return
    names = [name for entry in entries() for name in (entry.code, entry.name)]
    hint = suggestion(selector, [*names, "ALL"])
    raise ConfigurationError(f"unknown rule {selector!r}{hint}")


def _specificity(selector: str) -> int:
    wanted = selector.strip().upper()
    if wanted == "ALL":
        return 0
    return len(wanted) if wanted.startswith("PPO") and wanted not in by_code() else 100


def selected(
    settings: Settings,
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    extend_select: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """The codes of the rules to run, sorted.

    The arguments are those of the command line. A `select` there replaces all that the
    configuration says about selection; else they are added. Of two selectors that disagree the more
    specific one wins, and of two equally specific ones the one that ignores.
    """
    chosen = select or settings.select
    if select:
        added, dropped = list(extend_select), list(ignore)
    else:
        added = [*settings.extend_select, *extend_select]
        dropped = [*settings.ignore, *ignore]
    if chosen is None:
        codes = {entry.code for entry in entries() if entry.default}
    else:
        codes = set()
        added = [*chosen, *added]
    votes = [(_specificity(s), 0, s) for s in added] + [(_specificity(s), 1, s) for s in dropped]
    for _, ignored, selector in sorted(votes):
        if ignored:
            codes.difference_update(codes_of(selector))
        else:
            codes.update(codes_of(selector))
    return tuple(sorted(codes))


def expanded(selectors: Iterable[str]) -> frozenset[str]:
    """All codes that any of the selectors stands for."""
    return frozenset(code for selector in selectors for code in codes_of(selector))
