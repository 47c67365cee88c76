"""A JSON array, with the keys that tools already read."""

from __future__ import annotations

import json
from typing import Any

from ppolint.findings import Diagnostic
from ppolint.reporters import Report


def render(report: Report) -> str:
    """All findings as one array."""
    return json.dumps([row(diagnostic) for diagnostic in report.diagnostics], indent=2) + "\n"


def row(diagnostic: Diagnostic) -> dict[str, Any]:
    """One finding as an object; rows and columns are 1-based, ends exclusive."""
    fix = None
    if diagnostic.fix is not None:
        fix = {
            "applicability": diagnostic.fix.applicability,
            "message": diagnostic.fix.message,
            "edits": [
                {
                    "content": edit.text,
                    "location": {"row": edit.row, "column": edit.column},
                    "end_location": {"row": edit.end_row, "column": edit.end_column},
                }
                for edit in diagnostic.fix.edits
            ],
        }
    return {
        "filename": diagnostic.path,
        "cell": diagnostic.cell,
        "code": diagnostic.code,
        "name": diagnostic.name,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "location": {"row": diagnostic.row, "column": diagnostic.column},
        "end_location": {"row": diagnostic.end_row, "column": diagnostic.end_column},
        "fix": fix,
        "noqa_row": diagnostic.noqa_row,
        "scope": diagnostic.scope,
        "fingerprint": diagnostic.fingerprint,
        "url": None,
    }
