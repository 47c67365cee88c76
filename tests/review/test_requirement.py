"""A change of the TorchRL requirement: many findings, one cause, told once."""

from __future__ import annotations

import json

import pytest
from scripted import Repo

from ppolint.reporters import Report, render
from ppolint.review.repeats import without_repeats
from ppolint.review.review import Review

OLD = "from torchrl.collectors import SyncDataCollector\n"
PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = [\n  "torch",\n  "torchrl%s",\n]\n'
CODE = {"a.py": OLD, "lib/b.py": OLD, "lib/c.py": "x = 1\n"}


def reports(outcome: Review, name: str) -> str:
    return render(name, Report(outcome.new, outcome.files, False, outcome))


def places(outcome: Review) -> set[tuple[str, int, str]]:
    causes = (outcome.cause(d) for d in outcome.new)
    return {(c.path, c.row, c.requirement) for c in causes if c is not None}


@pytest.mark.parametrize(
    ("file", "before", "after", "place"),
    [
        (
            "pyproject.toml",
            PROJECT % "==0.6.0",
            PROJECT % ">=0.6.0",
            ("pyproject.toml", 6, "`torchrl==0.6.0` to `torchrl>=0.6.0`"),
        ),
        (
            "requirements.txt",
            "numpy\ntorchrl==0.6.0\n",
            "numpy\nscipy\ntorchrl==0.14.1\n",
            ("requirements.txt", 3, "`torchrl==0.6.0` to `torchrl==0.14.1`"),
        ),
        (
            "uv.lock",
            '[[package]]\nname = "torchrl"\nversion = "0.6.0"\n',
            '[[package]]\nname = "torchrl"\nversion = "0.14.1"\n',
            ("uv.lock", 3, "`torchrl==0.6.0` to `torchrl==0.14.1`"),
        ),
        (
            "requirements/base.txt",
            "torchrl<0.7\nnumpy\n",
            "numpy\n",
            ("requirements/base.txt", 1, "`torchrl<0.7` to none"),
        ),
    ],
)
def test_the_line_of_the_requirement_is_the_cause(
    repo: Repo, file: str, before: str, after: str, place: tuple[str, int, str]
) -> None:
    repo.base({**CODE, file: before})
    repo.change({file: after})
    outcome = repo.review()
    assert [d.path for d in outcome.new] == ["a.py", "lib/b.py"]
    assert places(outcome) == {place}


def test_it_is_told_once_where_pull_requests_are_read(repo: Repo) -> None:
    repo.base({**CODE, "pyproject.toml": PROJECT % "==0.6.0"})
    repo.change({"pyproject.toml": PROJECT % ">=0.6.0"})
    outcome = repo.review()
    said = (
        "This change of the requirement (`torchrl==0.6.0` to `torchrl>=0.6.0`) brings 2 findings "
        "in 2 files: 2 × PPO901 `removed-name`."
    )
    review = json.loads(reports(outcome, "github-review"))
    (comment,) = review["comments"]
    assert (comment["path"], comment["line"]) == ("pyproject.toml", 6)
    assert said in comment["body"]
    assert "- a.py:1: PPO901 " in comment["body"] and "- lib/b.py:1: " in comment["body"]
    assert "2 new findings (2 errors)" in review["body"] and "a.py" not in review["body"]
    (command,) = reports(outcome, "github").splitlines()
    assert command.startswith("::error ") and "file=pyproject.toml,line=6," in command
    page = reports(outcome, "markdown")
    assert page.count("| error |") == 1
    assert f"`pyproject.toml:6` | PPO901 `removed-name`: {said} |" in page
    assert "- lib/b.py:1: PPO901 " in page
    (row,) = json.loads(reports(outcome, "gitlab"))
    assert row["description"] == f"PPO901 {said}"
    assert row["location"] == {"path": "pyproject.toml", "lines": {"begin": 6, "end": 6}}
    # Reviewdog shows what is on added lines, by default: this is, the findings are not.
    (row,) = json.loads(reports(outcome, "rdjson"))["diagnostics"]
    assert row["location"]["path"] == "pyproject.toml"
    assert row["location"]["range"]["start"] == {"line": 6, "column": 1}
    # An alert of code scanning is about one place.
    (run,) = json.loads(reports(outcome, "sarif"))["runs"]
    assert len(run["results"]) == 2


def test_it_is_not_repeated_when_it_brings_more(repo: Repo) -> None:
    repo.base({**CODE, "pyproject.toml": PROJECT % "==0.6.0"})
    repo.change({"pyproject.toml": PROJECT % ">=0.6.0"})
    first = json.loads(reports(repo.review(), "github-review"))
    existing = json.dumps([{"body": c["body"]} for c in first["comments"]])
    repo.change({"lib/c.py": "x = 2\n", "a.py": "\n" + OLD})
    again = json.loads(reports(repo.review(), "github-review"))
    assert without_repeats(again, existing) is None


def test_what_the_author_writes_is_told_beside_it(repo: Repo) -> None:
    repo.base({**CODE, "pyproject.toml": PROJECT % "==0.6.0"})
    mine = "from torchrl.collectors import MultiSyncDataCollector\n"
    repo.change({"pyproject.toml": PROJECT % ">=0.6.0", "lib/c.py": mine})
    outcome = repo.review()
    made = json.loads(reports(outcome, "github-review"))
    assert [c["path"] for c in made["comments"]] == ["pyproject.toml", "lib/c.py"]


def test_one_finding_is_told_as_itself(repo: Repo) -> None:
    repo.base({"a.py": OLD, "pyproject.toml": PROJECT % "==0.6.0"})
    repo.change({"pyproject.toml": PROJECT % ">=0.6.0"})
    (comment,) = json.loads(reports(repo.review(), "github-review"))["comments"]
    assert comment["path"] == "pyproject.toml"
    assert comment["body"].startswith(
        "a.py:1: **error** PPO901 `removed-name`: `torchrl.collectors"
    )


def test_of_two_projects_each_has_its_own_requirement(repo: Repo) -> None:
    repo.base(
        {
            f"{n}/{f}": t
            for n in "pq"
            for f, t in {**CODE, "requirements.txt": "torchrl==0.6\n"}.items()
        }
    )
    repo.change({"p/requirements.txt": "torchrl\n", "q/requirements.txt": "x\ntorchrl==0.14.1\n"})
    outcome = repo.review()
    assert {(p, r) for p, r, _ in places(outcome)} == {
        ("p/requirements.txt", 1),
        ("q/requirements.txt", 2),
    }
    assert len(json.loads(reports(outcome, "github-review"))["comments"]) == 2


def test_a_release_that_the_user_names_has_no_requirement(repo: Repo) -> None:
    repo.base({**CODE, "pyproject.toml": PROJECT % "==0.6.0"})
    repo.change({"pyproject.toml": PROJECT % ">=0.6.0", "a.py": "\n" + OLD, "lib/c.py": OLD})
    outcome = repo.review(torchrl_version="0.14.1")
    assert [d.path for d in outcome.new] == ["lib/c.py"]
    assert not any(requirement for _, _, requirement in places(outcome))
