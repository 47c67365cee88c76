"""The fixture that generates a project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generated import Project

from ppolint.scaffold.plan import Options, plan_project
from ppolint.scaffold.render import render_project
from ppolint.scaffold.write import write_project


@pytest.fixture
def generate(tmp_path: Path) -> Callable[..., Project]:
    """Generate a project in a temporary folder: `generate(action="discrete", ...)`."""

    def make(**options: Any) -> Project:
        plan = plan_project(Options(directory=tmp_path / "demo", **options))
        write_project(plan.directory, render_project(plan))
        return Project(plan)

    return make
