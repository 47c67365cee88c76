"""`ppolint review` as a person meets it: sides, statuses, streams, errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from scripted import Repo

from ppolint.cli import main

OLD = "from torchrl.collectors import SyncDataCollector\n"


def run(folder: Path, *arguments: str, stdin: str | None = None) -> Result:
    import os

    before = os.getcwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(main, ["review", *arguments], input=stdin)
    finally:
        os.chdir(before)


@pytest.fixture
def pull_request(repo: Repo) -> Repo:
    repo.base({"a.py": "x = 1\n", "lib/b.py": OLD.replace("Sync", "MultiSync")})
    repo.change({"a.py": OLD, "lib/b.py": "y = 1\n"})
    return repo


def test_what_is_printed(pull_request: Repo) -> None:
    done = run(pull_request.folder, "main", "--output-format", "concise")
    assert done.exit_code == 1
    assert done.stdout.startswith("a.py:1:32: PPO901 [*] ")
    assert done.stderr == (
        "1 new finding between main and HEAD. Fixed: 1 finding (PPO901 removed-name).\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["main"], 1),
        ([], 1),
        (["main", "--exit-zero"], 0),
        (["main", "--ignore", "PPO9"], 0),
        (["main", "--torchrl-version", "0.6.0"], 0),
        (["HEAD"], 0),
        (["nowhere"], 2),
        (["--help"], 0),
        (["-x"], 2),
        (["main", "--staged", "--diff", "p.diff"], 2),
        (["--diff", "nowhere.diff"], 2),
        (["main", "--config", "nowhere.toml"], 2),
        (["--upload-pack=x"], 2),
    ],
)
def test_exit_status(pull_request: Repo, arguments: list[str], status: int) -> None:
    done = run(pull_request.folder, *arguments)
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_an_unknown_base_is_one_line(pull_request: Repo) -> None:
    done = run(pull_request.folder, "nowhere")
    assert (done.stdout, done.stderr) == ("", "error: there is no commit called 'nowhere'\n")


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    done = run(tmp_path, "main")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: not a git repository")
    assert done.stderr.count("\n") == 1


def test_a_repository_without_commits(repo: Repo) -> None:
    assert run(repo.folder).stderr == "error: there is no commit yet to review\n"


def test_from_a_subfolder_paths_are_those_of_the_repository(pull_request: Repo) -> None:
    done = run(pull_request.folder / "lib", "main", "--output-format", "concise")
    assert done.stdout.startswith("a.py:1:32: PPO901")


def test_nothing_is_written_and_the_work_tree_is_not_read(pull_request: Repo) -> None:
    pull_request.write({"a.py": "print('not committed')\n", "untracked.py": OLD})
    pull_request.git("status")

    def state() -> dict[str, bytes]:
        files = [p for p in pull_request.folder.rglob("*") if p.is_file()]
        return {str(p): p.read_bytes() for p in files}

    before = state()
    for arguments in (["main"], ["--staged"], ["main", "--diff", "-"]):
        patch = pull_request.git("diff", "main", "pr")
        run(pull_request.folder, *arguments, stdin=patch)
        assert state() == before, arguments


def test_staged(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.write({"a.py": OLD})
    assert run(repo.folder, "--staged").exit_code == 0
    repo.git("add", "a.py")
    repo.write({"a.py": "x = 2\n"})
    done = run(repo.folder, "--staged")
    assert done.exit_code == 1
    assert done.stderr == "1 new finding between HEAD and the index.\n"


def test_staged_before_the_first_commit(repo: Repo) -> None:
    repo.write({"a.py": OLD})
    repo.git("add", "a.py")
    assert run(repo.folder, "--staged").exit_code == 1


def test_staged_with_conflicts(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.change({"a.py": "x = 2\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"a.py": "x = 3\n"})
    subprocess.run(["git", "merge", "pr"], cwd=repo.folder, capture_output=True, check=False)
    done = run(repo.folder, "--staged")
    assert done.exit_code == 2
    assert "resolve the conflicts" in done.stderr


def test_a_patch_that_is_not_applied(pull_request: Repo) -> None:
    patch = pull_request.git("diff", "main", "pr")
    pull_request.git("checkout", "-q", "main")
    done = run(pull_request.folder, "--diff", "-", stdin=patch)
    assert done.exit_code == 1
    assert "1 new finding between HEAD and HEAD with the patch. Fixed: 1" in done.stderr


def test_a_patch_that_is_applied_already(pull_request: Repo) -> None:
    (pull_request.folder / "p.diff").write_text(pull_request.git("diff", "main", "pr"))
    done = run(pull_request.folder, "--diff", "p.diff")
    assert "1 new finding between HEAD without the patch and HEAD." in done.stderr


def test_a_patch_for_other_code(pull_request: Repo) -> None:
    patch = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-nothing like it\n+x\n"
    done = run(pull_request.folder, "--diff", "-", stdin=patch)
    assert done.exit_code == 2
    assert done.stderr == "error: the patch neither applies to HEAD nor is it part of it\n"


def test_an_empty_patch_is_an_empty_review(pull_request: Repo) -> None:
    assert run(pull_request.folder, "--diff", "-", stdin="").exit_code == 0


def test_a_shallow_clone_says_how_to_deepen(pull_request: Repo, tmp_path: Path) -> None:
    pull_request.git("checkout", "-q", "main")
    pull_request.commit({"c.py": "z = 1\n"})
    clone = tmp_path / "clone"
    url = pull_request.folder.as_uri()
    for arguments in (
        ["clone", "-q", "--depth=1", "--branch=pr", url, str(clone)],
        ["-C", str(clone), "fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main"],
    ):
        subprocess.run(["git", *arguments], check=True, capture_output=True)
    done = run(clone, "origin/main")
    assert done.exit_code == 2
    assert "shallow clone; fetch it (`git fetch --unshallow`" in done.stderr
    assert "in this shallow clone; fetch it first" in run(clone, "origin/dev").stderr
    assert run(clone, "origin/main..HEAD").exit_code == 1
    subprocess.run(["git", "-C", str(clone), "fetch", "-q", "--unshallow"], check=True)
    assert run(clone, "origin/main").exit_code == 1


def test_the_default_base_is_the_branch_of_the_remote(pull_request: Repo, tmp_path: Path) -> None:
    pull_request.git("checkout", "-q", "main")
    pull_request.git("branch", "-m", "trunk")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(pull_request.folder), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "checkout", "-q", "pr"], check=True)
    assert "between origin/trunk and HEAD" in run(clone).stderr
    alone = Repo(tmp_path / "alone")
    alone.git("branch", "-m", "dev")
    alone.commit({"a.py": OLD})
    assert "name the base, as in" in run(alone.folder).stderr


def test_a_bare_repository(pull_request: Repo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    command = ["git", "clone", "-q", "--bare", str(pull_request.folder), str(bare)]
    subprocess.run(command, check=True)
    done = run(bare, "main...pr", "--output-format", "concise")
    assert done.stdout.startswith("a.py:1:32: PPO901")


def test_programs_of_the_repository_are_not_run(pull_request: Repo) -> None:
    marker = pull_request.folder.parent / "ran"
    program = f"{sys.executable} -c \"open({str(marker)!r}, 'w')\""
    for name in ("diff.external", "core.fsmonitor", "diff.evil.command", "diff.evil.textconv"):
        pull_request.git("config", name, program)
    (pull_request.folder / ".git/info/attributes").write_text("*.py diff=evil\n")
    assert run(pull_request.folder, "main").exit_code == 1
    assert run(pull_request.folder, "--staged").exit_code == 0
    assert not marker.exists()
