"""GitLab's code quality report."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Any

from ppolint.findings import Diagnostic
from ppolint.reporters import Report
from ppolint.reporters.condensed import condensed
from ppolint.reporters.lines import in_cell
from ppolint.reporters.strict_json import document

SEVERITIES = {"error": "major", "warning": "minor", "info": "info"}


def render(report: Report) -> str:
    """A JSON array. GitLab shows the description only, so the rule's code is in it."""
    seen: set[str] = set()
    return document([_row(each, seen) for each in condensed(report)[0]])


def _row(diagnostic: Diagnostic, seen: set[str]) -> dict[str, Any]:
    path = diagnostic.path
    if os.path.isabs(path):
        path = os.path.relpath(path).replace(os.sep, "/")
    return {
        "description": f"{diagnostic.code} {in_cell(diagnostic)}{diagnostic.message}",
        "check_name": diagnostic.code,
        "fingerprint": _unique(diagnostic, seen),
        "severity": SEVERITIES[diagnostic.severity],
        "location": {
            "path": path.removeprefix("./"),
            "lines": {"begin": diagnostic.row, "end": diagnostic.end_row},
        },
    }


def _unique(diagnostic: Diagnostic, seen: set[str]) -> str:
    """A fingerprint that no other finding of the report has: GitLab drops findings that share one."""
    made = _hashed(f"{diagnostic.path}\0{diagnostic.fingerprint}")
    while made in seen:
        made = _hashed(made)
    seen.add(made)
    return made


def _hashed(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
