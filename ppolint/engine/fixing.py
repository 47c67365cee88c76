"""Applying fixes: edits sorted, overlaps left for the next round, until nothing changes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ppolint.findings import Applicability, Edit, Finding
from ppolint.source.file import Source, SourceError

# Rounds after which fixes that keep making work for each other are given up on.
MAX_ROUNDS = 20


@dataclass
class Fixed:
    """What became of one file. `source` is its last state, `remaining` what is still found there.

    `applied` counts fixes by (code, name). `overlapping` are findings whose fix was never applied
    because it touches the same code as another one. `refused` says why fixes were not applied
    although they could be: the result would not have been Python, or not in the file's encoding.
    """

    source: Source
    applied: Counter[tuple[str, str]] = field(default_factory=Counter)
    remaining: list[Finding] = field(default_factory=list)
    overlapping: list[Finding] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def allowed(unsafe: bool) -> frozenset[Applicability]:
    """The applicabilities that are applied."""
    return frozenset({Applicability.SAFE, Applicability.UNSAFE} if unsafe else {Applicability.SAFE})


def chosen_fixes(
    source: Source, findings: Iterable[Finding], kinds: frozenset[Applicability]
) -> tuple[list[Finding], list[Finding]]:
    """The findings whose fixes can be applied together, and those that overlap one of them.

    A fix is applied whole or not at all. Two fixes may share an edit (both add one import). The
    first by place wins.
    """
    taken: list[Edit] = []
    chosen: list[Finding] = []
    overlapping: list[Finding] = []
    fixable = [f for f in findings if f.fix is not None and f.fix.applicability in kinds]
    for finding in sorted(
        fixable, key=lambda f: (min(f.fix.edits, default=Edit(0, 0, "")), f.code)
    ):
        assert finding.fix is not None
        edits = [edit for edit in finding.fix.edits if edit not in taken]
        if not all(source.editable(edit) for edit in finding.fix.edits):
            continue
        if any(_overlap(edit, other) for edit in edits for other in taken):
            overlapping.append(finding)
            continue
        if any(_overlap(a, b) for i, a in enumerate(edits) for b in edits[i + 1 :]):
            overlapping.append(finding)
            continue
        if edits:
            taken += edits
            chosen.append(finding)
    return chosen, overlapping


def _overlap(first: Edit, second: Edit) -> bool:
    """Whether the order of two edits would matter, or one lies within the other."""
    if first.start == first.end and second.start == second.end:
        return first.start == second.start
    return first.start < second.end and second.start < first.end


def fix_source(
    source: Source,
    analyse: Callable[[Source], list[Finding]],
    kinds: frozenset[Applicability],
) -> Fixed:
    """Applies the fixes of what `analyse` finds, again and again until it finds no more to fix.

    A round whose result does not parse is undone, fix by fix, and told in `refused`.
    """
    fixed = Fixed(source)
    findings = analyse(source)
    for _ in range(MAX_ROUNDS):
        chosen, fixed.overlapping = chosen_fixes(fixed.source, findings, kinds)
        chosen, after = _applied(fixed, chosen)
        if after is None or after.data == fixed.source.data:
            break
        fixed.applied.update((finding.code, finding.name) for finding in chosen)
        fixed.source = after
        findings = analyse(after)
    else:
        fixed.refused.append(f"fixes still make new ones after {MAX_ROUNDS} rounds")
    fixed.remaining = findings
    return fixed


def _applied(fixed: Fixed, chosen: list[Finding]) -> tuple[list[Finding], Source | None]:
    """The source with the fixes applied, all that together give Python; None when none does."""
    if not chosen:
        return [], None
    after, problem = _result(fixed.source, chosen)
    if after is not None:
        return chosen, after
    if len(chosen) == 1:
        reason = f"the fix of {chosen[0].code} is not applied: {problem}"
        if reason not in fixed.refused:
            fixed.refused.append(reason)
        return [], None
    kept: list[Finding] = []
    for finding in chosen:
        trial, problem = _result(fixed.source, [*kept, finding])
        if trial is not None:
            kept.append(finding)
            after = trial
        else:
            reason = f"the fix of {finding.code} is not applied: {problem}"
            if reason not in fixed.refused:
                fixed.refused.append(reason)
    return kept, after


def _result(source: Source, chosen: list[Finding]) -> tuple[Source | None, str]:
    edits = {edit for finding in chosen if finding.fix for edit in finding.fix.edits}
    try:
        after = Source.from_bytes(source.rewritten(edits), source.path)
    except SourceError as error:
        return None, str(error)
    problem = syntax_problem(after.text)
    if problem and not syntax_problem(source.text):
        return None, f"the result would not be Python ({problem})"
    return after, ""


def syntax_problem(text: str) -> str | None:
    """Why `text` is no Python, for this interpreter and for libcst; None when it is."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a `\\d` in somebody's string is not our business
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        from ppolint.semantics.parsing import ParseError, parse

        try:
            parse(text)
        except ParseError:
            return str(error)
    return None
