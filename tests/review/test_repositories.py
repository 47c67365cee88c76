"""Repositories, environments and settings of git that are not the plain ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from scripted import Repo
from test_pull_requests import codes
from test_review_command import run

from ppolint.reporters import Report, render
from ppolint.review.changes import changes
from ppolint.review.git import GitError, Repository

OLD = "from torchrl.collectors import SyncDataCollector\n"
FOUND = ["a.py PPO901"]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def pull_request(repo: Repo) -> Repo:
    repo.base({"a.py": "x = 1\n", "lib/b.py": "y = 1\n"})
    repo.change({"a.py": OLD})
    return repo


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.suppressBlankEmpty", "true"),
        ("diff.renames", "false"),
        ("diff.context", "0"),
        ("diff.relative", "true"),
        ("diff.external", "false"),
        ("diff.orderFile", "nowhere"),
        ("color.diff", "always"),
        ("core.quotePath", "false"),
    ],
)
def test_no_setting_changes_what_is_read_of_a_change(repo: Repo, key: str, value: str) -> None:
    lines = "x = 1\n\ny = 2\n\nz = 3\n"
    repo.base({"ü.py": lines, "old.py": lines * 3})
    repo.change({"ü.py": f"{lines}\n{OLD}", "old.py": None, "new.py": lines * 3 + "w = 4\n"})
    plain = changes(Repository(str(repo.folder)), "main", "HEAD")
    assert [(c.old, c.new, c.shown) for c in plain] == [
        ("old.py", "new.py", [(13, 16)]),
        ("ü.py", "ü.py", [(3, 7)]),
    ]
    repo.git("config", key, value)
    assert changes(Repository(str(repo.folder)), "main", "HEAD") == plain


def test_options_in_the_environment_do_not_change_it_either(
    pull_request: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull_request.change({"a.py": "".join(f"x{i} = 1\n" for i in range(9)) + OLD})
    pull_request.change({"a.py": "".join(f"x{i} = 1\n" for i in range(9)) + OLD + "y = 1\n"})
    plain = changes(Repository(str(pull_request.folder)), "HEAD~1", "HEAD")
    for name, value in {
        "GIT_DIFF_OPTS": "-u0",
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TRACE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert changes(Repository(str(pull_request.folder)), "HEAD~1", "HEAD") == plain


def test_attributes_that_call_code_binary_hide_no_findings(repo: Repo) -> None:
    repo.base({".gitattributes": "*.py -diff\n*.ipynb binary\n", "a.py": "x = 1\n" + OLD})
    repo.change({"a.py": "x = 2\n" + OLD + OLD.replace("Sync", "MultiSync")})
    outcome = repo.review()
    assert (codes(outcome.new), outcome.fixed, outcome.notes) == (FOUND, [], [])
    assert outcome.changed["a.py"].old_row(2) == 2
    # GitHub shows no lines of it, so there is none to comment on.
    made = json.loads(render("github-review", Report(outcome.new, 1, False, outcome)))
    assert made["comments"] == [] and "a.py:3: " in made["body"]


@pytest.mark.parametrize("prefix", [[], ["--no-prefix"], ["--src-prefix=i/", "--dst-prefix=w/"]])
@pytest.mark.parametrize("applied", [True, False])
def test_patches_of_all_kinds(pull_request: Repo, prefix: list[str], applied: bool) -> None:
    pull_request.change(
        {"model.bin": b"\0\1\2" * 99, "lib/b.py": None, "lib/c.py": "y = 1\n" + OLD}
    )
    patch = pull_request.git("diff", *prefix, "main", "pr")
    assert "Binary files" in patch
    pull_request.git("checkout", "-q", "pr" if applied else "main")
    for text in (patch, "Dear all,\n\n" + patch, patch.replace("\n", "\r\n")):
        (pull_request.folder.parent / "p.diff").write_bytes(text.encode())
        done = run(pull_request.folder, "--diff", "../p.diff", "--output-format", "jsonl")
        found = [json.loads(line)["filename"] for line in done.stdout.splitlines()]
        assert found == ["a.py", "lib/c.py"], done.stderr


def test_an_empty_base_is_no_base(pull_request: Repo) -> None:
    """As `ppolint review "$BASE"` passes a variable that is not set."""
    assert run(pull_request.folder, "").exit_code == 2
    assert "the base is empty" in run(pull_request.folder, " ").stderr


def test_a_base_without_common_history(pull_request: Repo) -> None:
    pull_request.git("checkout", "-q", "--orphan", "other")
    pull_request.change({"c.py": OLD})
    assert run(pull_request.folder, "main").stderr == (
        "error: main and HEAD have no common history\n"
    )


def test_a_detached_head_and_a_linked_work_tree(pull_request: Repo) -> None:
    pull_request.git("checkout", "-q", "--detach")
    assert codes(pull_request.review().new) == FOUND
    pull_request.git("worktree", "add", "-q", "../linked", "pr")
    linked = pull_request.folder.parent / "linked"
    assert run(linked, "main").exit_code == 1
    (linked / "a.py").write_text("x = 2\n")
    git(linked, "add", "a.py")
    assert "Fixed: 1 finding" in run(linked, "--staged").stderr


@pytest.mark.parametrize(
    ("folder", "environment"),
    [
        (".", {"GIT_DIR": ".git"}),
        (".", {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index"}),
        ("lib", {"GIT_DIR": "../.git", "GIT_WORK_TREE": ".."}),
    ],
)
def test_in_the_environment_of_a_hook(
    pull_request: Repo, monkeypatch: pytest.MonkeyPatch, folder: str, environment: dict[str, str]
) -> None:
    pull_request.write({"lib/b.py": OLD})
    pull_request.git("add", "lib/b.py")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = run(pull_request.folder / folder, "main", "--output-format", "concise")
    assert done.stdout.startswith("a.py:1:32: PPO901"), done.stderr
    done = run(pull_request.folder / folder, "--staged", "--output-format", "concise")
    assert done.stdout.startswith("lib/b.py:1:32: PPO901"), done.stderr


def test_objects_named_by_sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    repo = Repo(tmp_path / "repo")
    repo.write({"a.py": OLD})
    repo.git("add", "-A")
    assert run(repo.folder, "--staged").exit_code == 1
    repo.base({"a.py": "x = 1\n"})
    repo.change({"a.py": OLD})
    assert codes(repo.review().new) == FOUND


def partial_clone(repo: Repo, *options: str) -> Path:
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = repo.folder.parent / "partial"
    git(repo.folder.parent, "clone", "-q", *options, "-b", "pr", repo.folder.as_uri(), str(clone))
    return clone


def missing(clone: Path) -> int:
    command = ["git", "rev-list", "--objects", "--all", "--missing=print"]
    listed = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)
    return sum(line.startswith("?") for line in listed.stdout.splitlines())


def test_a_partial_clone_is_not_completed_behind_ones_back(pull_request: Repo) -> None:
    clone = partial_clone(pull_request, "--filter=blob:none", "--no-checkout")
    before = missing(clone)
    done = run(clone, "origin/main")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: this partial clone lacks files that the change touches")
    assert missing(clone) == before > 0
    git(clone, "fetch", "-q", "--refetch", "--no-filter", "origin")
    assert run(clone, "origin/main").exit_code == 1


def test_a_partial_clone_that_lacks_data_only_is_reviewed(pull_request: Repo) -> None:
    pull_request.change({"data.csv": "1,2\n" * 2_000, "a.py": OLD + "x = 1\n"})
    pull_request.change({"data.csv": "1,3\n" * 2_000})
    clone = partial_clone(pull_request, "--filter=blob:limit=1k", "--no-checkout")
    assert missing(clone) > 0
    done = run(clone, "origin/main", "--output-format", "concise")
    assert done.stdout.startswith("a.py:1:32: PPO901"), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_somebody_else_says_what_to_do(pull_request: Repo) -> None:
    for path in (pull_request.folder, pull_request.folder / ".git"):
        os.chown(path, 12345, 12345)
    done = run(pull_request.folder, "main")
    assert done.exit_code == 2
    assert f"--add safe.directory {pull_request.folder}`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_that_are_not_utf8(repo: Repo) -> None:
    repo.base({"b.py": "x = 1\n"})
    for name in (b"\xff.py", b"a\nb.py"):
        Path(os.fsdecode(os.fsencode(repo.folder) + b"/" + name)).write_text(OLD)
    repo.change({})
    outcome = repo.review()
    assert [os.fsencode(d.path) for d in outcome.new] == [b"a\nb.py", b"\xff.py"]
    made = json.loads(render("github-review", Report(outcome.new, 1, False, outcome)))
    # GitHub would refuse the whole review for the name that JSON cannot hold.
    assert [c["path"] for c in made["comments"]] == ["a\nb.py"]
    assert "\ufffd.py:1: " in made["body"]


def test_files_links_and_folders_that_take_each_others_place(repo: Repo) -> None:
    repo.base({"a.py": OLD, "b.py": "x = 1\n", "c.py": "x = 1\n"})
    (repo.folder / "b.py").unlink()
    (repo.folder / "b.py").symlink_to("a.py")
    repo.change({"c.py": None, "a.py": OLD})
    repo.change({"c.py/d.py": OLD.replace("Sync", "MultiSync")})
    assert codes(repo.review().new) == ["c.py/d.py PPO901"]
    (repo.folder / "b.py").unlink()
    repo.change({"b.py": OLD})
    outcome = repo.review("HEAD~1")
    assert codes(outcome.new) == ["b.py PPO901"]
    assert outcome.changed["b.py"].within(1, 1)


def test_a_mode_is_no_change_of_code(repo: Repo) -> None:
    repo.base({"a.py": OLD})
    (repo.folder / "a.py").chmod(0o755)
    repo.change({})
    outcome = repo.review()
    assert (outcome.new, outcome.fixed) == ([], [])


def test_a_file_that_moves_to_a_project_of_another_release(repo: Repo) -> None:
    repo.base(
        {
            "p/requirements.txt": "torchrl==0.6.0\n",
            "q/requirements.txt": "torchrl==0.14.1\n",
            "p/a.py": OLD,
        }
    )
    repo.change({"p/a.py": None, "q/a.py": OLD})
    assert codes(repo.review().new) == ["q/a.py PPO901"]


def test_a_notebook_that_was_run_again(repo: Repo) -> None:
    def saved(source: object, outputs: list, count: int | None, indent: int) -> str:
        cell = {"cell_type": "code", "metadata": {}, "outputs": outputs, "source": source}
        cell |= {"execution_count": count, "id": f"c{count}"}
        data = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        return json.dumps(data, indent=indent)

    text = [{"output_type": "stream", "name": "stdout", "text": [OLD]}]
    repo.base({"a.ipynb": saved(OLD, [], None, 1)})
    repo.change({"a.ipynb": saved([OLD], text, 3, 2)})
    outcome = repo.review()
    assert (outcome.new, outcome.fixed) == ([], [])


def test_a_submodule_that_goes_on(repo: Repo) -> None:
    inner = Repo(repo.folder.parent / "inner")
    inner.commit({"a.py": OLD})
    repo.commit({"b.py": "x = 1\n"})
    allow = ("-c", "protocol.file.allow=always")
    repo.git(*allow, "submodule", "add", "-q", str(inner.folder), "sub")
    repo.base({})
    inner.commit({"a.py": "x = 1\n"})
    git(repo.folder / "sub", *allow, "pull", "-q")
    repo.change({"c.py": OLD})
    assert codes(repo.review().new) == ["c.py PPO901"]
    assert "Fixed: 1 finding" in run(repo.folder / "sub", "HEAD~1").stderr


def test_a_name_that_looks_like_an_option_is_a_name(pull_request: Repo) -> None:
    with pytest.raises(GitError, match="no commit called '--output=x'"):
        pull_request.review("--output=x")
    assert not (pull_request.folder / "x").exists()
