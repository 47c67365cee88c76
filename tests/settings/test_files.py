"""Which files a run is about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ppolint.settings.files import MissingPath, Walker, project_root
from ppolint.settings.load import SettingsResolver


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "a.py",
        "b.pyi",
        "c.ipynb",
        "d.txt",
        "src/e.py",
        "src/.hidden.py",
        "build/f.py",
        "node_modules/g.py",
        ".venv/h.py",
        "env/pyvenv.cfg",
        "env/lib/i.py",
        "legacy/j.py",
        "out/k.py",
        "src/out/l.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/out/\n")
    (tmp_path / "pyproject.toml").write_text("[tool.ppolint]\nextend-exclude = ['legacy']\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def collect(*paths: str, **options) -> list[str]:
    warned: list[str] = []
    walker = Walker(SettingsResolver(), warned.append, **options)
    found = [target.path for target in walker.collect(paths)]
    assert not warned
    return found


def test_a_walk_leaves_out_what_is_no_code_of_the_project(tree: Path) -> None:
    assert collect(".") == [
        "a.py",
        "b.pyi",
        "c.ipynb",
        "src/.hidden.py",
        "src/e.py",
        "src/out/l.py",
    ]


def test_paths_are_shown_as_they_were_named(tree: Path) -> None:
    assert collect("./src/") == ["src/.hidden.py", "src/e.py", "src/out/l.py"]
    assert collect(str(tree / "src" / "e.py")) == [str(tree / "src" / "e.py")]
    assert collect("src/../a.py", "a.py", ".")[:2] == ["a.py", "b.pyi"]


def test_a_gitignore_above_holds_below(tree: Path) -> None:
    (tree / "src" / ".gitignore").write_text("e.py\n!.hidden.py\n")
    (tree / ".gitignore").write_text(".hidden.py\n")
    assert collect("src") == ["src/.hidden.py", "src/out/l.py"]
    assert collect("src/out") == ["src/out/l.py"]


def test_named_files_are_linted_even_when_excluded_unless_forced(tree: Path) -> None:
    assert collect("legacy/j.py") == ["legacy/j.py"]
    assert collect("legacy/j.py", "a.py", force_exclude=True) == ["a.py"]
    # Somebody who names an excluded folder means it.
    assert collect("build") == ["build/f.py"]


def test_linked_folders_are_not_followed_and_dangling_links_are_no_files(tree: Path) -> None:
    (tree / "src" / "loop").symlink_to(tree)
    (tree / "src" / "gone.py").symlink_to(tree / "nowhere.py")
    (tree / "src" / "link.py").symlink_to(tree / "a.py")
    assert collect("src") == ["src/.hidden.py", "src/e.py", "src/link.py", "src/out/l.py"]


def test_pipes_are_not_opened(tree: Path) -> None:
    os.mkfifo(tree / "src" / "pipe.py")
    assert "src/pipe.py" not in collect("src")
    with pytest.raises(MissingPath, match="neither a file nor a folder"):
        collect("src/pipe.py")


def test_a_missing_path_is_an_error(tree: Path) -> None:
    with pytest.raises(MissingPath, match=r"nowhere: No such file"):
        collect("nowhere")


def test_a_folder_that_vanishes_during_the_walk_is_told(tree: Path) -> None:
    warned: list[str] = []

    class Resolver(SettingsResolver):
        def inherit(self, folder, parent, names):
            if folder == str(tree):
                os.rename(tree / "src", tree / "moved")
            return super().inherit(folder, parent, names)

    found = Walker(Resolver(), warned.append).collect(["."])
    assert [target.path for target in found] == ["a.py", "b.pyi", "c.ipynb"]
    assert warned == ["src/: No such file or directory; the folder is skipped"]


def test_settings_belong_to_their_folder(tree: Path) -> None:
    (tree / "src" / "ppolint.toml").write_text("exclude = ['out']\n")
    assert collect(".") == ["a.py", "b.pyi", "c.ipynb", "src/.hidden.py", "src/e.py"]


def test_the_root_of_a_project(tree: Path) -> None:
    assert project_root(str(tree / "src" / "out")) == str(tree)
    (tree / "src" / "setup.py").write_text("")
    assert project_root(str(tree / "src" / "out")) == str(tree / "src")


def test_root_of_a_folder_elsewhere_is_where_its_project_begins(tmp_path, monkeypatch):
    deep = tmp_path / "learner" / "src" / "parts"
    deep.mkdir(parents=True)
    for file in ("learner/README.md", "learner/run.py", "learner/src/parts/loss.py"):
        (tmp_path / file).write_text("")
    (tmp_path / "elsewhere").mkdir()
    seen = set()
    for start in ("elsewhere", "."):
        monkeypatch.chdir(tmp_path / start)
        seen.add(project_root(str(deep)))
    assert seen == {str(tmp_path / "learner")}


def test_root_of_scripts_elsewhere_without_a_readme(tmp_path, monkeypatch):
    (tmp_path / "scripts" / "parts").mkdir(parents=True)
    (tmp_path / "scripts" / "run.py").write_text("")
    (tmp_path / "scripts" / "parts" / "loss.py").write_text("")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert project_root(str(tmp_path / "scripts" / "parts")) == str(tmp_path / "scripts")
