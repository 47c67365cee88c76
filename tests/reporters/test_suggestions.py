"""What a reader makes of a fix in any format is what `--fix` would make of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ppolint.engine.plan import Options
from ppolint.engine.projects import Projects
from ppolint.engine.run import run
from ppolint.findings import Diagnostic
from ppolint.reporters import Report, render
from ppolint.review.changes import FileChange
from ppolint.settings.files import Walker
from ppolint.settings.load import SettingsResolver

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


class Head:
    """As much of a review as the formats ask for: a change that adds every file."""

    unseen: tuple[str, ...] = ()
    fixed: tuple[Diagnostic, ...] = ()
    head = None
    sides = SimpleNamespace(commit=None)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        paths = [p.name for p in folder.glob("*.py")]
        self.changed = {p: FileChange(None, p, shown=[(1, len(self.lines(p)))]) for p in paths}

    def text(self, path: str) -> str:
        return (self._folder / path).read_text()

    def lines(self, path: str) -> list[str]:
        return self.text(path).split("\n")

    def cause(self, finding: Diagnostic) -> None:
        return None


@pytest.fixture(scope="module")
def fixable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Head, list[Diagnostic]]:
    """The findings with fixes of every rule that has some, one file for each fixture."""
    folder = tmp_path_factory.mktemp("project")
    (folder / ".git").mkdir()
    for fixed in sorted(FIXTURES.glob("*/fixed_*.py")):
        bad = fixed.with_name(fixed.name.replace("fixed_", "bad_", 1))
        code = fixed.parent.name.partition("-")[0]
        (folder / f"{code}_{bad.name}").write_text(bad.read_text())
    resolver = SettingsResolver(None, isolated=True)
    targets = Walker(resolver, lambda message: None).collect([str(folder)])
    found = run(targets, Options(), Projects(resolver)).diagnostics
    found = [d._replace(path=Path(d.path).name) for d in found if d.fix is not None]
    assert len({d.code for d in found}) > 25
    return Head(folder), found


def spliced(text: str, edits: list[tuple[int, int, int, int, str]]) -> str:
    """A text with (row, column, end row, end column, new text) put in; rows and columns from 1."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for row, column, end_row, end_column, new in sorted(edits, reverse=True):
        first, last = starts[row - 1] + column - 1, starts[end_row - 1] + end_column - 1
        text = text[:first] + new + text[last:]
    return text


def wanted(head: Head, finding: Diagnostic) -> str:
    assert finding.fix is not None
    return spliced(head.text(finding.path), [tuple(edit) for edit in finding.fix.edits])


def with_lines(head: Head, path: str, first: int, last: int, new: list[str]) -> str:
    lines = head.lines(path)
    return "\n".join([*lines[: first - 1], *new, *lines[last:]])


def test_sarif(fixable: tuple[Head, list[Diagnostic]]) -> None:
    head, found = fixable
    (made,) = json.loads(render("sarif", Report(found)))["runs"]
    for finding, result in zip(found, made["results"], strict=True):
        ((change,),) = [fix["artifactChanges"] for fix in result["fixes"]]
        edits: list[Any] = []
        for each in change["replacements"]:
            place = each["deletedRegion"]
            keys = ("startLine", "startColumn", "endLine", "endColumn")
            edits.append((*(place[key] for key in keys), each["insertedContent"]["text"]))
        assert spliced(head.text(finding.path), edits) == wanted(head, finding), finding


def test_rdjson(fixable: tuple[Head, list[Diagnostic]]) -> None:
    head, found = fixable
    made = json.loads(render("rdjson", Report(found, review=head)))  # type: ignore[arg-type]
    for finding, row in zip(found, made["diagnostics"], strict=True):
        (suggestion,) = row["suggestions"]
        first, last = (suggestion["range"][end]["line"] for end in ("start", "end"))
        new = suggestion["text"].split("\n")
        assert with_lines(head, finding.path, first, last, new) == wanted(head, finding), finding


def test_suggestions_on_github(fixable: tuple[Head, list[Diagnostic]]) -> None:
    head, found = fixable
    for finding in found:
        made = json.loads(render("github-review", Report([finding], review=head)))  # type: ignore[arg-type]
        (comment,) = made["comments"]
        match = re.search(r"(`{3,})suggestion\n(.*?)\1\n\n<!--", comment["body"], re.DOTALL)
        assert match is not None, comment["body"]
        new = match[2].split("\n")[:-1]
        first = comment.get("start_line", comment["line"])
        made = with_lines(head, finding.path, first, comment["line"], new)
        assert made == wanted(head, finding), finding
