"""A JSON object a line."""

from __future__ import annotations

import json

from ppolint.reporters import Report
from ppolint.reporters.json import row


def render(report: Report) -> str:
    """All findings, each on a line of its own, with the keys of the `json` format."""
    return "".join(json.dumps(row(diagnostic)) + "\n" for diagnostic in report.diagnostics)
