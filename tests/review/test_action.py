"""`action.yml` step by step, as GitHub runs it: in bash, with its variables, on a real repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripted import Repo

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
OLD = "from torchrl.collectors import SyncDataCollector\n"
# Instead of an environment with ppolint in it: one that runs the code under test.
PYTHON = """\
#!{bash}
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
mkdir -p "$3/bin"
printf '#!{bash}\\nexec {python} -m ppolint "$@"\\n' > "$3/bin/ppolint"
printf '#!{bash}\\nexec {python} "$@"\\n' > "$3/bin/python"
printf '#!{bash}\\nprintf "%%s\\\\n" "$@" > {log}/pip\\n' > "$3/bin/pip"
chmod +x "$3"/bin/*
"""
# Answers what is asked for with the files of a folder; refuses as many posts as `refusals` has lines.
GH = """\
#!{bash}
echo "$*" >> {log}/gh
if [ "$1 $2 $3" = "api --method POST" ]; then
  cp "$6" "{log}/post$(ls {log}/post* 2>/dev/null | wc -l)"
  if [ -s {log}/refusals ]; then sed -i 1d {log}/refusals; echo "HTTP 422" >&2; exit 1; fi
else
  cat "{log}/${{3##*/}}"
fi
"""


class Runner:
    """A machine of GitHub's with a checkout. `event` is what `github.event` holds."""

    def __init__(self, folder: Path, checkout: Path) -> None:
        self.checkout = checkout
        self.log = folder / "log"
        self.temp = folder / "temp"
        programs = folder / "bin"
        for each in (self.log, self.temp, programs):
            each.mkdir()
        bash = "/bin/bash"
        for name, text in {"python3": PYTHON, "gh": GH}.items():
            program = programs / name
            program.write_text(text.format(bash=bash, python=sys.executable, log=self.log))
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        for name in ("comments", "reviews"):
            (self.log / name).write_text("[]")
        self.summary = folder / "summary"
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_REPOSITORY": "someone/project",
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        self.printed = ""
        self.used: list[str] = []

    def run(self, event: dict[str, Any], **inputs: str) -> int:
        """The exit status of the action's last step, or of the first that fails."""
        given = {name: str(each["default"]) for name, each in ACTION["inputs"].items()}
        given = {**given, **{name.replace("_", "-"): value for name, value in inputs.items()}}
        given["token"] = "t"
        steps: dict[str, Any] = {}
        context = {
            "github": {"event": event, "repository": "someone/project", "token": "t"},
            "inputs": given,
            "runner": {"temp": str(self.temp)},
            "steps": steps,
        }
        for step in ACTION["runs"]["steps"]:
            if "if" in step and not evaluated(step["if"], context):
                continue
            if "uses" in step:
                self.used.append(step["uses"].partition("@")[0])
                continue
            output = Path(self.environment["GITHUB_OUTPUT"])
            output.write_text("")
            variables = {
                name: re.sub(r"\$\{\{(.*?)\}\}", lambda m: text_of(m[1], context), value)
                for name, value in step.get("env", {}).items()
            }
            script = self.temp / "script.sh"
            script.write_text(step["run"])
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=self.checkout,
                env={**self.environment, **variables},
                capture_output=True,
                text=True,
                check=False,
            )
            self.printed += done.stdout + done.stderr
            pairs = [line.split("=", 1) for line in output.read_text().splitlines()]
            steps[step.get("id", step["name"])] = {"outputs": dict(pairs)}
            if done.returncode:
                return done.returncode
        return 0

    def posts(self) -> list[dict[str, Any]]:
        return [json.loads(p.read_text()) for p in sorted(self.log.glob("post*"))]


def evaluated(expression: str, context: dict[str, Any]) -> Any:
    """An expression of GitHub's: names, words in quotes, `&&`, `||`, `!`, `==`, `!=`, parentheses."""

    def name(match: re.Match[str]) -> str:
        value: Any = context
        for part in match[0].split("."):
            value = (value or {}).get(part)
        return repr("" if value is None else value)

    pieces = re.split(r"('[^']*')", expression)
    pieces[::2] = [
        re.sub(r"[a-z_][\w.-]*", name, piece).replace("&&", " and ").replace("||", " or ")
        for piece in pieces[::2]
    ]
    pieces[::2] = [re.sub(r"!(?!=)", " not ", piece) for piece in pieces[::2]]
    return eval("(" + "".join(pieces) + ")", {"__builtins__": {}})


def text_of(expression: str, context: dict[str, Any]) -> str:
    return str(evaluated(expression.strip(), context))


def of_pull_request(repo: Repo, owner: str = "someone", head: str = "pr") -> dict[str, Any]:
    base, commit = (repo.git("rev-parse", name).strip() for name in ("main", head))
    # The repository may be a fork of another one itself.
    of_head = {"fork": True, "full_name": f"{owner}/project"}
    head_side = {"sha": commit, "repo": of_head}
    return {"pull_request": {"base": {"sha": base}, "head": head_side, "number": 7}}


@pytest.fixture
def pull_request(repo: Repo) -> Repo:
    repo.base({"a.py": "x = 1\n", "b.py": OLD})
    repo.change({"a.py": OLD, "b.py": OLD + "y = 1\n"})
    return repo


@pytest.fixture
def runner(repo: Repo, tmp_path: Path) -> Runner:
    return Runner(tmp_path, repo.folder)


def test_a_pull_request_gets_a_review(pull_request: Repo, runner: Runner) -> None:
    assert runner.run(of_pull_request(pull_request)) == 1
    assert (runner.log / "pip").read_text().split() == [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        str(ROOT),
    ]
    lines = runner.printed.splitlines()
    (command,) = [line for line in lines if line.startswith("::")]
    assert command.startswith("::error title=PPO901 removed-name,file=a.py,line=1,")
    assert "1 new finding between" in runner.printed
    assert "error[PPO901] removed-name [*]: " in runner.printed  # for who reads the log
    (post,) = runner.posts()
    assert [(c["path"], c["line"]) for c in post["comments"]] == [("a.py", 1)]
    assert post["commit_id"] == pull_request.git("rev-parse", "pr").strip()
    assert runner.summary.read_text().startswith("**ppolint**: 1 new finding")
    assert runner.used == []


def test_a_second_run_posts_nothing(pull_request: Repo, runner: Runner) -> None:
    event = of_pull_request(pull_request)
    runner.run(event)
    (post,) = runner.posts()
    (runner.log / "comments").write_text(json.dumps(post["comments"]))
    assert runner.run(event) == 1
    assert len(runner.posts()) == 1


def test_a_clean_pull_request_gets_none(pull_request: Repo, runner: Runner) -> None:
    pull_request.change({"a.py": "x = 2\n"})
    assert runner.run(of_pull_request(pull_request)) == 0
    assert runner.posts() == []


@pytest.mark.parametrize(
    ("inputs", "status"),
    [
        ({"fail_on": "never"}, 0),
        ({"fail_on": "error"}, 1),
        ({"arguments": "--ignore PPO9"}, 0),
        ({"arguments": "--severity info\n--ignore\n  PPO9\n"}, 0),
        ({"arguments": "--no-such-option"}, 2),
        ({"comment": "false"}, 1),
    ],
)
def test_inputs(pull_request: Repo, runner: Runner, inputs: dict[str, str], status: int) -> None:
    assert runner.run(of_pull_request(pull_request), **inputs) == status
    commented = status == 1 and "comment" not in inputs or inputs.get("fail_on") == "never"
    assert len(runner.posts()) == commented


def test_what_to_install_can_be_said(pull_request: Repo, runner: Runner) -> None:
    runner.run(of_pull_request(pull_request), version="ppolint==0.1")
    assert (runner.log / "pip").read_text().split()[-1] == "ppolint==0.1"


def test_a_push_is_checked_whole(pull_request: Repo, runner: Runner) -> None:
    assert runner.run({"ref": "refs/heads/pr"}, sarif="true") == 1
    commands = [line for line in runner.printed.splitlines() if line.startswith("::error")]
    assert [re.findall("file=([^,]*)", c)[0] for c in commands] == ["a.py", "b.py"]
    assert runner.used == ["github/codeql-action/upload-sarif"]
    assert not (runner.log / "gh").exists()
    assert runner.run({"ref": "refs/heads/pr"}, paths="a.py\nnowhere.py") == 2


def test_the_review_of_a_fork_is_kept_and_not_posted(pull_request: Repo, runner: Runner) -> None:
    assert runner.run(of_pull_request(pull_request, "else"), sarif="true") == 1
    assert runner.used == ["actions/upload-artifact"]
    assert not (runner.log / "gh").exists()
    kept = runner.temp / "ppolint-out"
    assert (kept / "number").read_text() == "7"
    assert len(json.loads((kept / "review.json").read_text())["comments"]) == 1


def test_a_fork_that_is_gone_is_a_fork(pull_request: Repo, runner: Runner) -> None:
    event = of_pull_request(pull_request)
    event["pull_request"]["head"]["repo"] = None
    assert runner.run(event) == 1
    assert runner.used == ["actions/upload-artifact"]


def test_a_checkout_of_one_commit_is_deepened(pull_request: Repo, tmp_path: Path) -> None:
    pull_request.git("config", "uploadpack.allowAnySHA1InWant", "true")
    pull_request.git("checkout", "-q", "main")
    pull_request.commit({"c.py": "z = 1\n"})
    shallow = tmp_path / "shallow"
    url = pull_request.folder.as_uri()
    command = ["git", "clone", "-q", "--depth=1", "--branch=pr", url, str(shallow)]
    subprocess.run(command, check=True)
    runner = Runner(tmp_path, shallow)
    assert runner.run(of_pull_request(pull_request)) == 1
    assert [c["path"] for c in runner.posts()[0]["comments"]] == ["a.py"]


def test_a_base_that_is_gone_is_told(pull_request: Repo, runner: Runner) -> None:
    event = of_pull_request(pull_request)
    event["pull_request"]["base"]["sha"] = "0" * 39 + "1"
    assert runner.run(event, sarif="true") == 2
    assert "error: there is no commit called '" in runner.printed
    assert (runner.used, runner.posts()) == ([], [])


def test_a_review_that_github_refuses_is_told_in_its_body(
    pull_request: Repo, runner: Runner
) -> None:
    (runner.log / "refusals").write_text("once\n")
    assert runner.run(of_pull_request(pull_request)) == 1
    first, second = runner.posts()
    assert (len(first["comments"]), second["comments"]) == (1, [])
    assert "\n\na.py:1: **error** PPO901" in second["body"]
    assert "::warning" not in runner.printed


def test_a_token_that_may_not_write_fails_nothing(pull_request: Repo, runner: Runner) -> None:
    (runner.log / "refusals").write_text("once\ntwice\n")
    assert runner.run(of_pull_request(pull_request), fail_on="never") == 0
    assert "::warning title=ppolint::The review could not be posted" in runner.printed


@pytest.mark.parametrize("merge_request", [True, False])
def test_the_template_of_gitlab(
    pull_request: Repo, runner: Runner, tmp_path: Path, merge_request: bool
) -> None:
    subprocess.run(["python3", "-m", "venv", str(tmp_path)], env=runner.environment, check=True)
    environment = {**runner.environment, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    if merge_request:
        environment["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = pull_request.git(
            "rev-parse", "main"
        ).strip()
    job = yaml.safe_load((ROOT / "ci/gitlab.yml").read_text())["ppolint"]
    command = ["sh", "-ec", "\n".join(job["script"])]
    folder = pull_request.folder
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    quality = json.loads((folder / job["artifacts"]["reports"]["codequality"]).read_text())
    found = ["a.py"] if merge_request else ["a.py", "b.py"]
    assert [row["location"]["path"] for row in quality] == found
    assert (folder / job["artifacts"]["reports"]["junit"]).read_text().count("<failure") == len(
        found
    )


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_workflow_for_forks_drops_what_was_said(pull_request: Repo, runner: Runner) -> None:
    """The filter that docs/review.md gives for the second workflow."""
    text = (ROOT / "docs/review.md").read_text()
    (program,) = re.findall(r"jq --rawfile known known '(.*?)' review.json", text, re.DOTALL)
    runner.run(of_pull_request(pull_request, "else"))
    kept = runner.temp / "ppolint-out" / "review.json"
    review = json.loads(kept.read_text())
    for known, left in (("", 1), (review["comments"][0]["body"], 0)):
        (runner.temp / "known").write_text(known)
        command = ["jq", "--rawfile", "known", str(runner.temp / "known"), program, str(kept)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        assert set(made) == {"event", "commit_id", "body", "comments"}
        assert len(made["comments"]) == left
