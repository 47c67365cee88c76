"""A small project with findings of several kinds, and a way to lint it in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import GAE_LOOP, OLD_IMPORT

from ppolint.engine.cache import Cache
from ppolint.engine.plan import Options
from ppolint.engine.projects import Projects
from ppolint.engine.run import Result, run
from ppolint.settings.files import Walker
from ppolint.settings.load import SettingsResolver
from ppolint.settings.release import forget


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    for name, text in {
        "gae.py": GAE_LOOP,
        "old.py": OLD_IMPORT,
        "nothing.py": "print('hello')\n",
        "empty.py": "",
        "broken.py": "import torchrl\nx = (\n",
        "unused.py": "x = 1  # ppolint: ignore[PPO104]\n",
    }.items():
        root.mkdir(exist_ok=True)
        (root / name).write_text(text)
    (root / ".git").mkdir()
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def lint() -> Callable[..., Result]:
    def lint(*paths: str, cache: str | None = None, reverse: bool = False, **options) -> Result:
        forget()
        resolver = SettingsResolver()
        projects = Projects(resolver)
        targets = Walker(resolver, pytest.fail).collect(paths or (".",))
        store = Cache(cache, repr(options), projects.files) if cache else None
        targets = targets[::-1] if reverse else targets
        result = run(targets, Options(**options), projects, store)
        if store is not None:
            store.save()
        return result

    return lint


@pytest.fixture
def found() -> Callable[[Result], list[tuple[str, str]]]:
    return lambda result: [(d.path, d.code) for d in result.diagnostics]
