"""Checkstyle's XML, which many CI systems read."""

from __future__ import annotations

from itertools import groupby
from xml.etree.ElementTree import Element, SubElement

from ppolint.reporters import Report
from ppolint.reporters.lines import in_cell
from ppolint.reporters.xml import clean, document


def render(report: Report) -> str:
    """An element a file, an `error` a finding."""
    root = Element("checkstyle", version="4.3")
    found = sorted(report.diagnostics, key=lambda d: d.path)
    for path, group in groupby(found, key=lambda d: d.path):
        file = SubElement(root, "file", name=clean(path))
        for diagnostic in group:
            SubElement(
                file,
                "error",
                line=str(diagnostic.row),
                column=str(diagnostic.column),
                severity=diagnostic.severity,
                message=clean(in_cell(diagnostic) + diagnostic.message),
                source=f"ppolint.{diagnostic.code}.{diagnostic.name}",
            )
    return document(root)
