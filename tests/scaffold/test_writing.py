"""A project appears on disk with all of its files or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ppolint.scaffold.errors import ScaffoldError
from ppolint.scaffold.write import write_project

FILES = {"README.md": "read\n", "src/demo/__init__.py": "", "tests/test_demo.py": "x = 1\n"}


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_new_folder(tmp_path: Path) -> None:
    write_project(tmp_path / "a" / "demo", FILES)
    assert snapshot(tmp_path / "a") == {f"demo/{path}": text for path, text in FILES.items()}


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    write_project(tmp_path / "demo", FILES)
    assert snapshot(tmp_path) == {f"demo/{path}": text for path, text in FILES.items()}


def test_others_may_read_the_folder(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_project(tmp_path / "demo", FILES)
    finally:
        os.umask(mask)
    assert (tmp_path / "demo").stat().st_mode & 0o777 == 0o755


def test_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ScaffoldError, match="not empty"):
        write_project(tmp_path, FILES)
    assert snapshot(tmp_path) == {"mine.txt": "mine"}


def test_force_replaces_only_its_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "README.md").write_text("old")
    write_project(folder, FILES, force=True)
    assert snapshot(tmp_path) == {
        "demo/mine.txt": "mine",
        **{f"demo/{path}": text for path, text in FILES.items()},
    }


def test_single_file_goes_beside_others(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write_project(tmp_path, {"demo.py": "x = 1\n"})
    with pytest.raises(ScaffoldError, match="exists"):
        write_project(tmp_path, {"demo.py": "x = 2\n"})
    assert snapshot(tmp_path) == {"mine.txt": "mine", "demo.py": "x = 1\n"}


def test_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(ScaffoldError, match="is a file"):
        write_project(tmp_path / "demo", FILES)


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text = Path.write_text

    def full_disk(path: Path, text: str, **options: str) -> int:
        if path.name == "test_demo.py":
            raise OSError(28, "No space left on device")
        return write_text(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(ScaffoldError, match="No space left"):
        write_project(tmp_path / "demo", FILES)
    assert list(tmp_path.iterdir()) == []
