"""A result from the cache is the result that a fresh run would give."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from small_project import GAE_LOOP, OLD_IMPORT

from ppolint.engine import cache as caching
from ppolint.engine.cache import write_atomically


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def test_a_second_run_analyses_nothing_and_says_the_same(project, lint, store) -> None:
    cold, warm = lint(cache=store), lint(cache=store)
    assert warm.analysed == 0
    assert warm.diagnostics == cold.diagnostics == lint().diagnostics


def test_settled_files_are_not_even_read(project, lint, store, monkeypatch) -> None:
    monkeypatch.setattr(caching, "RACY_NS", 0)
    lint(cache=store)
    monkeypatch.setattr(caching, "content_hash", lambda data: pytest.fail("a file was read"))
    assert lint(cache=store).analysed == 0


def test_a_change_within_the_clock_s_grain_is_seen(project: Path, lint, found, store) -> None:
    status = (project / "nothing.py").stat()
    (project / "nothing.py").write_text("import os  #\n" + " " * (status.st_size - 13))
    lint(cache=store)
    looks = (project / "nothing.py").stat()
    (project / "nothing.py").write_text(OLD_IMPORT[: status.st_size])
    os.utime(project / "nothing.py", ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert lint(cache=store).diagnostics == lint().diagnostics


def test_a_touched_file_is_not_analysed_again(project: Path, lint, store) -> None:
    lint(cache=store)
    os.utime(project / "gae.py", (1, 1))
    assert lint(cache=store).analysed == 0


def test_a_changed_file_is(project: Path, lint, store) -> None:
    lint(cache=store)
    (project / "gae.py").write_text(GAE_LOOP.replace("gamma * lam *", "gamma * gamma *"))
    again = lint(cache=store)
    assert again.analysed >= 1
    assert again.diagnostics == lint().diagnostics


def test_other_rules_other_results(project: Path, lint, found, store) -> None:
    lint(cache=store)
    (project / "ppolint.toml").write_text("ignore = ['PPO104']\n")
    assert ("gae.py", "PPO104") not in found(lint(cache=store))
    (project / "ppolint.toml").write_text("torchrl-version = '0.6.0'\n")
    assert ("old.py", "PPO901") not in found(lint(cache=store))


def test_what_the_project_says_of_its_release_counts(project: Path, lint, found, store) -> None:
    assert ("old.py", "PPO901") in found(lint(cache=store))
    (project / "requirements.txt").write_text("torchrl==0.6.0\n")
    assert ("old.py", "PPO901") not in found(lint(cache=store))
    (project / "requirements.txt").write_text("torchrl==0.14.1\n")
    assert ("old.py", "PPO901") in found(lint(cache=store))
    (project / "requirements.txt").unlink()
    assert lint(cache=store).analysed > 0


def test_files_that_a_result_was_made_from_count(project: Path, lint, store) -> None:
    (project / "helpers.py").write_text(
        "def discounted(x, last, gamma, lam, mask):\n    return x + gamma * lam * mask * last\n"
    )
    (project / "gae.py").write_text(
        "from helpers import discounted\n"
        + GAE_LOOP.replace(
            "delta + gamma * lam * (1 - dones[t]) * last",
            "discounted(delta, last, gamma, lam, 1 - dones[t])",
        )
    )
    lint("gae.py", cache=store)
    (project / "helpers.py").write_text(
        "def discounted(x, last, gamma, lam, mask):\n    return x\n"
    )
    assert lint("gae.py", cache=store).diagnostics == lint("gae.py").diagnostics
    (project / "helpers.py").unlink()
    again = lint("gae.py", cache=store)
    assert again.analysed == 1


def test_another_ppolint_another_cache(project, lint, store, monkeypatch) -> None:
    lint(cache=store)
    monkeypatch.setattr(caching, "code_stamp", lambda: "another")
    assert lint(cache=store).analysed > 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"header": 1}', "\x00\xff"])
def test_a_damaged_cache_is_no_cache(project, lint, store, content) -> None:
    cold = lint(cache=store)
    (file,) = [p for p in Path(store).iterdir() if p.suffix == ".json"]
    file.write_bytes(content.encode("latin-1"))
    assert lint(cache=store).diagnostics == cold.diagnostics
    assert lint(cache=store).analysed == 0


def test_the_cache_is_ignored_by_git_and_is_json(project, lint, store) -> None:
    lint(cache=store)
    assert (Path(store) / ".gitignore").read_text() == "*\n"
    for file in Path(store).glob("*.json"):
        json.loads(file.read_text())


def test_errors_are_not_kept(project, lint, store, monkeypatch) -> None:
    from ppolint.rules import registry

    load = registry.load

    def broken(code):
        if code == "PPO104":
            raise ValueError
        return load(code)

    monkeypatch.setattr(registry, "load", broken)
    assert lint(cache=store).errors
    monkeypatch.setattr(registry, "load", load)
    again = lint(cache=store)
    assert not again.errors
    assert again.diagnostics == lint().diagnostics


def test_an_interrupted_write_loses_nothing(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.py"
    file.write_text("old")
    file.chmod(0o640)

    def interrupted(source: str, target: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", interrupted)
        write_atomically(str(file), b"new")
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]
    write_atomically(str(file), b"new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("old")
    (tmp_path / "link.py").symlink_to("a.py")
    write_atomically(str(tmp_path / "link.py"), b"new")
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "a.py").read_text() == "new"
