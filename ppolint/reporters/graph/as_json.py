"""The graph as data: nodes, edges, the steps of each story, findings in place."""

from __future__ import annotations

import json
from typing import Any

from ppolint.findings import Diagnostic
from ppolint.reporters.graph.model import Graph, Place

VERSION = 1


def render(graph: Graph) -> str:
    """One JSON object; `version` counts changes that readers have to know about."""
    data = {
        "version": VERSION,
        "path": graph.path,
        "nodes": [
            {
                "id": n.id, "kind": n.kind, "class": n.title, "name": n.label,
                **_place(n.place), "elsewhere": n.elsewhere, "details": n.details,
                "findings": _findings(n.findings),
            }
            for n in graph.nodes
        ],
        "edges": [
            {
                "source": e.source, "target": e.target, "kind": e.kind, "role": e.role,
                "labels": e.labels,
            }
            for e in graph.edges
        ],
        "stories": [
            {
                "name": c.name,
                "steps": [
                    {
                        "kind": ln.kind, "text": ln.text, "depth": ln.depth, **_place(ln.place),
                        "notes": ln.notes, "findings": _findings(ln.findings),
                    }
                    for ln in c.lines
                ],
            }
            for c in graph.chapters
        ],
        "findings": _findings(graph.findings),
    }  # fmt: skip
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _place(place: Place) -> dict[str, Any]:
    return {"row": place.row} if place.cell is None else {"row": place.row, "cell": place.cell}


def _findings(found: list[Diagnostic]) -> list[dict[str, Any]]:
    return [
        {
            "code": d.code, "name": d.name, "severity": d.severity, "message": d.message,
            "row": d.row, "column": d.column,
        }
        for d in found
    ]  # fmt: skip
