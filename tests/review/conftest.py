"""A repository for each test, away from the configuration of git of whoever runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import Repo


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    return Repo(tmp_path / "repo")
