"""JUnit's XML: each finding is a failed test of the file it is in."""

from __future__ import annotations

from itertools import groupby
from xml.etree.ElementTree import Element, SubElement

from ppolint.reporters import Report
from ppolint.reporters.lines import in_cell
from ppolint.reporters.xml import clean, document


def render(report: Report) -> str:
    """A suite a file; without findings one suite with one test that passed."""
    found = sorted(report.diagnostics, key=lambda d: d.path)
    count = str(len(found))
    root = Element("testsuites", name="ppolint", tests=str(len(found) or 1), failures=count)
    for path, group in groupby(found, key=lambda d: d.path):
        rows = list(group)
        number = str(len(rows))
        suite = SubElement(
            root, "testsuite", name=clean(path), tests=number, failures=number, errors="0"
        )
        for d in rows:
            name = f"{d.code} {d.name} ({in_cell(d)}line {d.row}, column {d.column})"
            case = SubElement(
                suite, "testcase", name=name, classname=clean(path), file=clean(path),
                line=str(d.row),
            )  # fmt: skip
            failure = SubElement(case, "failure", message=clean(d.message), type=d.severity)
            failure.text = clean(d.help)
    if not found:
        suite = SubElement(root, "testsuite", name="ppolint", tests="1", failures="0", errors="0")
        SubElement(suite, "testcase", name="no findings", classname="ppolint")
    return document(root)
