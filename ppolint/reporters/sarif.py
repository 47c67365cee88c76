"""SARIF 2.1.0, as GitHub's code scanning and other viewers read it.

GitHub keeps the 5,000 worst results of a run and refuses more than 25,000; so the 5,000 worst are
written, and how many were left out is told in a notification.
"""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from ppolint import __version__
from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report
from ppolint.reporters.strict_json import document

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 5_000
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(report: Report) -> str:
    """One run, with the rules that have results."""
    ranked = sorted(report.diagnostics, key=lambda d: -Severity.parse(d.severity))
    kept = {id(d) for d in ranked[:MOST_RESULTS]}
    shown = [d for d in report.diagnostics if id(d) in kept]
    codes = sorted({d.code for d in shown})
    left_out = len(ranked) - len(shown)
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if left_out:
        text = f"{left_out} of {len(ranked)} findings are left out, the least severe."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    run = {
        "tool": {
            "driver": {
                "name": "ppolint",
                "semanticVersion": __version__,
                "rules": [_rule(code, shown) for code in codes],
            }
        },
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "The root of the project."}}},
        "results": [_result(d, codes.index(d.code)) for d in shown],
    }
    return document({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str, shown: list[Diagnostic]) -> dict[str, Any]:
    """What a viewer shows of a rule."""
    from ppolint.rules import registry
    from ppolint.rules.docs import markdown, page

    entry = registry.find(code)
    if entry is None:
        name = next(d.name for d in shown if d.code == code)
        return {"id": code, "name": name, "shortDescription": {"text": name}}
    told = page(entry)
    text = "\n\n".join(f"{title}\n{body}" for title, body in told.sections.items())
    return {
        "id": code,
        "name": entry.name,
        "shortDescription": {"text": entry.summary},
        "fullDescription": {"text": told.title},
        "help": {"text": text, "markdown": markdown(told)},
        "defaultConfiguration": {"level": LEVELS[entry.severity]},
        "properties": {"tags": ["reinforcement-learning", "torchrl", entry.family]},
    }


def _result(diagnostic: Diagnostic, index: int) -> dict[str, Any]:
    from ppolint.reporters.lines import in_cell

    text = diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
    artifact = _artifact(diagnostic.path)
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": LEVELS[diagnostic.severity],
        "message": {"text": in_cell(diagnostic) + text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": artifact, "region": _region(diagnostic)},
                **_logical(diagnostic),
            }
        ],
        "partialFingerprints": {
            "ppolint/v1": diagnostic.fingerprint,
            "primaryLocationLineHash": f"{diagnostic.fingerprint}:1",
        },
    }
    # Rows of a cell are no rows of the file: a viewer would edit the wrong ones.
    if diagnostic.fix is not None and diagnostic.cell is None:
        replacements = [
            {
                "deletedRegion": {
                    "startLine": edit.row,
                    "startColumn": edit.column,
                    "endLine": edit.end_row,
                    "endColumn": edit.end_column,
                },
                "insertedContent": {"text": edit.text},
            }
            for edit in diagnostic.fix.edits
        ]
        result["fixes"] = [
            {
                "description": {"text": diagnostic.fix.message},
                "artifactChanges": [{"artifactLocation": artifact, "replacements": replacements}],
            }
        ]
    return result


def _region(diagnostic: Diagnostic) -> dict[str, int]:
    if diagnostic.cell is not None:
        return {"startLine": 1}
    return {
        "startLine": diagnostic.row,
        "startColumn": diagnostic.column,
        "endLine": diagnostic.end_row,
        "endColumn": diagnostic.end_column,
    }


def _logical(diagnostic: Diagnostic) -> dict[str, Any]:
    if not diagnostic.scope:
        return {}
    return {"logicalLocations": [{"fullyQualifiedName": diagnostic.scope}]}


def _artifact(path: str) -> dict[str, str]:
    """A path relative to the root, as a URI; an absolute one outside of it as a file URI."""
    if os.path.isabs(path):
        relative = os.path.relpath(path)
        if relative.startswith(".."):
            return {"uri": PurePath(path).as_uri()}
        path = relative.replace(os.sep, "/")
    return {"uri": quote(path, errors="surrogateescape"), "uriBaseId": "ROOT"}
