"""The files that CI systems read: `action.yml`, the GitLab template, the workflows of the docs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from published import GITHUB_ACTION, GITHUB_WORKFLOW, GITLAB_CI, complaints

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = re.findall(r"```yaml\n(on: .*?)```", (ROOT / "docs/review.md").read_text(), re.DOTALL)


def loaded(text: str) -> Any:
    """YAML as CI systems read it: `on` is a word, not true."""
    data = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in data.items()}


def test_the_action_by_githubs_schema() -> None:
    assert complaints(GITHUB_ACTION, loaded((ROOT / "action.yml").read_text())) == []


def test_the_template_by_gitlabs_schema() -> None:
    assert complaints(GITLAB_CI, loaded((ROOT / "ci/gitlab.yml").read_text())) == []


@pytest.mark.parametrize("text", WORKFLOWS)
def test_the_workflows_of_the_documentation_by_githubs_schema(text: str) -> None:
    assert complaints(GITHUB_WORKFLOW, loaded(text)) == []


def test_there_are_workflows_in_the_documentation() -> None:
    assert len(WORKFLOWS) == 2
