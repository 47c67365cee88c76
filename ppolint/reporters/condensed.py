"""What formats for pull requests tell once instead of dozens of times: the findings that a change of
the TorchRL requirement brings, at the line of the requirement."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report
from ppolint.reporters.lines import place
from ppolint.reporters.style import plural

_LISTED = 20


class Group(NamedTuple):
    """One finding at the line of a requirement for all that it brings."""

    whole: Diagnostic
    parts: list[Diagnostic]


def condensed(report: Report) -> tuple[list[Diagnostic], list[Group]]:
    """The findings to tell, and those of them that stand for several others."""
    review = report.review
    by_place: dict[tuple[str, int, str], list[Diagnostic]] = defaultdict(list)
    for diagnostic in report.diagnostics if review is not None else ():
        cause = review.cause(diagnostic) if review is not None else None
        if cause is not None and cause.requirement:
            by_place[cause.path, cause.row, cause.requirement].append(diagnostic)
    groups = [Group(_whole(*at, found), found) for at, found in by_place.items() if len(found) > 1]
    told = {id(d) for group in groups for d in group.parts}
    alone = [d for d in report.diagnostics if id(d) not in told]
    return [*(group.whole for group in groups), *alone], groups


def _whole(path: str, row: int, requirement: str, found: list[Diagnostic]) -> Diagnostic:
    from hashlib import blake2b

    worst = max(found, key=lambda d: Severity.parse(d.severity))
    rules = Counter(f"{d.code} `{d.name}`" for d in found).most_common()
    listed = ", ".join(f"{n} × {rule}" for rule, n in rules)
    where = plural(len({d.path for d in found}), "file")
    mark = blake2b(f"{path}\0{requirement}".encode("utf-8", "replace"), digest_size=10)
    return worst._replace(
        path=path,
        cell=None,
        row=row,
        column=1,
        end_row=row,
        end_column=1,
        message=f"This change of the requirement ({requirement}) brings "
        f"{plural(len(found), 'finding')} in {where}: {listed}.",
        help=places(found, _LISTED),
        fix=None,
        scope="",
        fingerprint=mark.hexdigest(),
        excerpt=(),
    )


def places(found: list[Diagnostic], most: int) -> str:
    """Where the findings are, as a list; at most so many of them."""
    lines = [f"- {place(d)}: {d.code} {_first(d.message)}" for d in found[:most]]
    if len(found) > most:
        lines.append(f"- ... and {len(found) - most} more")
    return "\n".join(lines)


def _first(message: str) -> str:
    """A message without what the review adds about the cause."""
    return message.partition(" Caused by the change of the requirement")[0]
