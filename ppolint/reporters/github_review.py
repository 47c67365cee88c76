"""The body of a request to GitHub's reviews: a comment a finding, with suggestions.

GitHub takes comments on lines that the diff shows only, and a suggestion replaces whole lines. At
most thirty comments are made, the worst first; what is left goes into the body. Each comment holds
the fingerprint of its finding in a hidden marker, so that a later run does not repeat it
(`python -m ppolint.review.repeats`).
"""

from __future__ import annotations

from typing import Any

from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report
from ppolint.reporters.condensed import condensed
from ppolint.reporters.lines import Lines, Replacement, fence, place
from ppolint.reporters.strict_json import document

MOST_COMMENTS = 30
# GitHub refuses bodies of 65,536 characters, of a review and of a comment.
LONGEST_BODY = 65_000
_LABELS = {
    "safe": "",
    "unsafe": "This changes what is computed:\n",
    "suggest": "One way to write it:\n",
}


def render(report: Report) -> str:
    """JSON with `event`, `body`, `comments`, and `commit_id` when the head is a commit."""
    lines = Lines(report)
    comments: list[dict[str, Any]] = []
    rest: list[Diagnostic] = []
    suggested: dict[str, set[int]] = {}
    for diagnostic in sorted(condensed(report)[0], key=lambda d: -Severity.parse(d.severity)):
        comment = None
        if len(comments) < MOST_COMMENTS:
            comment = _comment(diagnostic, report, lines, suggested)
        if comment is None:
            rest.append(diagnostic)
        else:
            comments.append(comment)
    request: dict[str, Any] = {"event": "COMMENT", "body": _body(report, rest)}
    if report.review is not None and report.review.sides.commit is not None:
        request["commit_id"] = report.review.sides.commit
    request["comments"] = comments
    return document(request)


def marker(diagnostic: Diagnostic) -> str:
    """What identifies a finding in a comment, unseen."""
    return f"<!-- ppolint:{diagnostic.code}:{diagnostic.fingerprint} -->"


def _comment(
    diagnostic: Diagnostic, report: Report, lines: Lines, suggested: dict[str, set[int]]
) -> dict[str, Any] | None:
    """The comment about a finding, None when the diff shows no line for it."""
    review = report.review
    if review is None or diagnostic.cell is not None or not _utf8(diagnostic.path):
        return None
    change = review.changed.get(diagnostic.path)
    replacement = lines.replacement(diagnostic)
    text = _text(diagnostic)
    if change is not None and replacement is not None:
        rows = range(replacement.first, replacement.last + 1)
        free = suggested.setdefault(diagnostic.path, set()).isdisjoint(rows)
        suggestion = _suggestion(diagnostic, replacement)
        if free and change.within(replacement.first, replacement.last) and _fits(text, suggestion):
            suggested[diagnostic.path].update(rows)
            text += suggestion
            return _placed(diagnostic.path, replacement.first, replacement.last, text, diagnostic)
    if replacement is not None and _fits(text, difference := _difference(diagnostic, replacement)):
        text += difference
    if change is not None and change.within(diagnostic.row, diagnostic.row):
        last = diagnostic.end_row if diagnostic.end_column > 1 else diagnostic.end_row - 1
        last = max(diagnostic.row, last)
        while not change.within(diagnostic.row, last):
            last -= 1
        return _placed(diagnostic.path, diagnostic.row, last, text, diagnostic)
    cause = review.cause(diagnostic)
    if cause is not None:
        other = review.changed[cause.path]
        # Of a deletion at the end of a file, the row is one too far.
        for row in (cause.row, cause.row - 1):
            if other.within(row, row) and _utf8(cause.path):
                text = f"{place(diagnostic)}: {text}"
                return _placed(cause.path, row, row, text, diagnostic)
    return None


def _utf8(path: str) -> bool:
    """Whether a path can be named in JSON. GitHub refuses a review for one path that it lacks."""
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _placed(path: str, first: int, last: int, text: str, about: Diagnostic) -> dict[str, Any]:
    comment: dict[str, Any] = {
        "path": path,
        "body": f"{text}\n\n{marker(about)}",
        "line": last,
        "side": "RIGHT",
    }
    if first < last:
        comment |= {"start_line": first, "start_side": "RIGHT"}
    return comment


def _fits(text: str, more: str) -> bool:
    """Whether a comment has room for its fix. Half a fix would be worse than none."""
    return len(text) + len(more) <= LONGEST_BODY


def _text(diagnostic: Diagnostic) -> str:
    helped = f"\n\n{diagnostic.help}" if diagnostic.help else ""
    head = f"**{diagnostic.severity}** {diagnostic.code} `{diagnostic.name}`"
    text = f"{head}: {diagnostic.message}{helped}"
    return text if len(text) <= LONGEST_BODY else text[:LONGEST_BODY] + " ..."


def _suggestion(diagnostic: Diagnostic, replacement: Replacement) -> str:
    code = "\n".join(replacement.after)
    marks = fence(code)
    # Nothing between the fences takes the lines away; an empty line would stay as one.
    inside = f"{code}\n" if code else ""
    assert diagnostic.fix is not None
    return f"\n\n{_LABELS[diagnostic.fix.applicability]}{marks}suggestion\n{inside}{marks}"


def _difference(diagnostic: Diagnostic, replacement: Replacement) -> str:
    rows = [f"-{line}" for line in replacement.before] + [f"+{line}" for line in replacement.after]
    code = "\n".join(rows)
    assert diagnostic.fix is not None
    return f"\n\n{_LABELS[diagnostic.fix.applicability]}{fence(code)}diff\n{code}\n{fence(code)}"


def _body(report: Report, rest: list[Diagnostic]) -> str:
    from ppolint.reporters.markdown import headline

    parts = [headline(report)]
    if rest:
        parts.append("Not on lines of the diff, or too many for comments:")
        parts += [f"- {place(d)}: {_text(d)} {marker(d)}".replace("\n\n", " ") for d in rest]
    kept, length = [], 0
    for at, part in enumerate(parts):
        length += len(part) + 2
        if length > LONGEST_BODY:
            kept.append(f"... and {len(parts) - at} more.")
            break
        kept.append(part)
    return "\n\n".join(kept[:2]) + "".join(f"\n{part}" for part in kept[2:])
