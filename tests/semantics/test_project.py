"""Trees of a project's files: parsed once, and never those of another text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppolint.semantics import parsing
from ppolint.semantics.project import Project

HELPER = "import torch\n\n\ndef ratio(new, old):\n    return torch.exp(new - old)\n"


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    path = tmp_path / "helper.py"
    path.write_text(HELPER)
    return path


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    parse = parsing.parse

    def counted(text: str):
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(parsing, "parse", counted)
    return texts


def test_a_file_is_parsed_once_for_itself_and_its_importers(
    helper: Path, parses: list[str]
) -> None:
    project = Project(str(helper.parent), lambda: [str(helper)])
    assert project.parsed(str(helper), HELPER) is project.tree(str(helper))
    assert parses == [HELPER]


def test_importers_do_not_see_a_text_that_is_not_saved(helper: Path, parses: list[str]) -> None:
    project = Project(str(helper.parent), lambda: [str(helper)])
    edited = HELPER.replace("ratio", "quotient")
    assert "quotient" in project.parsed(str(helper), edited).code
    assert project.tree(str(helper)).code == HELPER
    assert parses == [edited, HELPER]


def test_a_file_that_is_no_python_has_no_tree(helper: Path) -> None:
    helper.write_text(HELPER + "def (:\n")
    project = Project(str(helper.parent), lambda: [str(helper)])
    assert project.tree(str(helper)) is None
    with pytest.raises(parsing.ParseError):
        project.parsed(str(helper), helper.read_text())
