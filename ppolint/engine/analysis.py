"""From the text of one file to its diagnostics."""

from __future__ import annotations

import gc
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ppolint.engine.limits import reason_to_skip
from ppolint.findings import Diagnostic, DiagnosticEdit, DiagnosticFix, Finding, Severity
from ppolint.rules import registry
from ppolint.source.file import Source
from ppolint.source.suppressions import Suppressions

if TYPE_CHECKING:
    from ppolint.semantics.project import Project

# Expressions are at most some hundred levels deep (`limits`), each a few frames of a recursive walk.
RECURSION_LIMIT = 6_000
# What of a span is shown.
MAX_ROWS = 6
MAX_COLUMNS = 400


@dataclass
class Analysis:
    """What came out of one file.

    `findings` are those to report, in order of their place. `errors` are rules (or the semantic
    model) that failed: a defect of ppolint. `dependencies` are absolute paths of other files whose
    content the findings depend on; `consulted_project` says that they depend on which files there
    are.
    """

    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dependencies: tuple[str, ...] = ()
    consulted_project: bool = False
    parsed: bool = False


def analyse(
    source: Source,
    codes: Iterable[str],
    to_run: Iterable[str],
    project: Project,
    release: Callable[[], object] | None = None,
    from_scratch: bool = False,
) -> Analysis:
    """The findings of one file, suppressions honoured.

    `codes` are the selected rules, `to_run` those of them that the screen let through.
    """
    analysis = Analysis()
    codes = frozenset(codes)
    suppressions = Suppressions(source, _codes_of)
    if from_scratch or suppressions.from_scratch:
        codes = frozenset(c for c in codes if registry.by_code()[c].family != "plumbing")
    codes_of_files = registry.general()
    wanted = [c for c in to_run if c in codes and c not in codes_of_files]
    found: list[Finding] = []
    complete = True
    analysis.parsed = bool(wanted)
    if wanted:
        complete = _judge(source, wanted, project, release, analysis, found)
    kept = [f for f in found if f.code in codes and not suppressions.suppresses(f.code, f.start)]
    if "PPO002" in codes and complete:
        kept += _unused(suppressions, codes)
    kept.sort(key=lambda f: (f.start, f.end, f.code, f.message))
    analysis.findings = list(dict.fromkeys(kept))
    return analysis


def _codes_of(selector: str) -> tuple[str, ...]:
    from ppolint.settings.selection import codes_of

    return codes_of(selector)


def _unused(suppressions: Suppressions, codes: frozenset[str]) -> list[Finding]:
    from ppolint.rules.general import unused_suppression

    def checked(code: str) -> bool:
        return code in codes and code != unused_suppression.rule.code

    findings = [unused_suppression.finding(*each) for each in suppressions.unused(checked)]
    code = unused_suppression.rule.code
    return [f for f in findings if not suppressions.suppresses(code, f.start)]


def _judge(
    source: Source,
    codes: list[str],
    project: Project,
    release: Callable[[], object] | None,
    analysis: Analysis,
    found: list[Finding],
) -> bool:
    """Runs the rules, appending to `found`; False when the file could not be looked at."""
    from ppolint.rules.general import file_not_analysed, syntax_error

    skip = reason_to_skip(source.text)
    if skip is not None:
        found.append(file_not_analysed.finding(*skip))
        return False
    from ppolint.semantics.nodes import slim

    slim()
    from ppolint.semantics.model import ParseError, build, build_in_part, build_mended

    collecting, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    broken = False
    try:
        try:
            model = build(source, project, release=release)
        except ParseError as error:
            found.append(syntax_error.finding(source, error.message, error.row, error.column))
            broken = True
            mended = build_mended(source, project, release=release)
            if mended is None:
                # what is missing cannot be told of a part; what is written by hand can
                codes = [c for c in codes if registry.by_code()[c].family == "plumbing"]
                mended = build_in_part(source, project, release=release) if codes else None
            if mended is None:
                return False
            model = mended
    except RecursionError:
        found.append(file_not_analysed.finding("it is nested too deeply"))
        return False
    except Exception as error:  # noqa: BLE001 - one file must not take the run down
        analysis.errors.append(_described(error, "reading the file"))
        return False
    else:
        for code in codes:
            try:
                findings = registry.load(code).findings(model)
                found.extend(findings if not broken else map(_without_fix, findings))
            except RecursionError:
                found.append(file_not_analysed.finding("it is nested too deeply"))
                return False
            except Exception as error:  # noqa: BLE001 - nor one rule the others
                analysis.errors.append(_described(error, code))
        analysis.dependencies = tuple(sorted(model.dependencies()))
        analysis.consulted_project |= bool(model.consulted_project)
    finally:
        sys.setrecursionlimit(limit)
        if collecting:
            gc.enable()
    return not (broken or analysis.errors)


def _without_fix(finding: Finding) -> Finding:
    """Of a file that does not parse: what was read is not the text that a fix would change."""
    return finding._replace(fix=None)


def _described(error: Exception, doing: str) -> str:
    """One line about an exception and where in ppolint it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "ppolint" in f.filename] or frames
    place = f" ({own[-1].filename.rsplit('ppolint', 1)[-1].lstrip('/')}:{own[-1].lineno})"
    return f"{doing}: {type(error).__name__}: {error}{place}".replace("\n", " ")


def diagnostics(
    source: Source, findings: Iterable[Finding], severities: dict[str, str] | None = None
) -> list[Diagnostic]:
    """The findings as they are reported: placed, with severities as configured, fingerprinted."""
    made = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for finding in findings:
        cell, row, column = source.position(finding.start)
        end = finding.end
        if source.segments:  # what goes on in another cell is shown to the end of this one
            end = min(end, max(source.segment_at(finding.start).end, finding.start))
        _, end_row, end_column = source.position(end)
        severity = (severities or {}).get(finding.code) or finding.severity.label
        identity = (finding.code, finding.scope, _normalised(source, finding))
        made.append(
            Diagnostic(
                path=source.path.replace("\\", "/"),
                cell=cell,
                row=row,
                column=column,
                end_row=end_row,
                end_column=end_column,
                code=finding.code,
                name=finding.name,
                severity=Severity.parse(severity).label,
                message=finding.message,
                help=finding.help,
                fix=_fix(source, finding),
                noqa_row=row,
                scope=finding.scope,
                fingerprint=_fingerprint(identity, seen[identity]),
                excerpt=_excerpt(source, finding, row),
            )
        )
        seen[identity] += 1
    return made


def _normalised(source: Source, finding: Finding) -> str:
    """The code of a span, without what reformatting changes."""
    text = source.text[finding.start : finding.end] or source.line_at(finding.start)
    return "".join(text.split()).replace("'", '"').replace(",)", ")")


def _fingerprint(identity: tuple[str, str, str], occurrence: int) -> str:
    from hashlib import blake2b

    key = "\0".join((*identity, str(occurrence)))
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def _excerpt(source: Source, finding: Finding, first_row: int) -> tuple[tuple[int, str], ...]:
    """The rows of a span with their text; of a long one, the first rows and the last."""
    start = source.text.rfind("\n", 0, finding.start) + 1
    last = max(finding.start, finding.end - 1)
    end = source.text.find("\n", last)
    lines = source.text[start : end if end >= 0 else len(source.text)].split("\n")
    rows = [(first_row + at, line[:MAX_COLUMNS]) for at, line in enumerate(lines)]
    if len(rows) > MAX_ROWS:
        rows = [*rows[: MAX_ROWS - 2], rows[-1]]
    return tuple(rows) if source.text else ()


def _fix(source: Source, finding: Finding) -> DiagnosticFix | None:
    if finding.fix is None:
        return None
    edits = []
    for edit in finding.fix.edits:
        _, row, column = source.position(edit.start)
        _, end_row, end_column = source.position(edit.end)
        edits.append(DiagnosticEdit(row, column, end_row, end_column, edit.text))
    return DiagnosticFix(finding.fix.message, finding.fix.applicability.value, tuple(edits))
