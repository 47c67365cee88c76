"""The body of a review on GitHub: comments only where GitHub takes them."""

from __future__ import annotations

import json

from scripted import Repo, fixture
from test_pull_requests import GOOD_MODELS, SHORT_MODELS, TRAIN

from ppolint.reporters import Report, render
from ppolint.review.repeats import without_repeats

OLD = "from torchrl.collectors import SyncDataCollector\n"
FLAT = fixture("PPO503-*/fixed_batched_script.py")
BATCHED = fixture("PPO503-*/bad_batched_script.py")


def body(repo: Repo) -> dict:
    outcome = repo.review()
    return json.loads(render("github-review", Report(outcome.new, 1, False, outcome)))


def test_a_fix_on_a_line_of_the_diff_is_a_suggestion(repo: Repo) -> None:
    repo.base({"a.py": FLAT})
    repo.change({"a.py": BATCHED})
    made = body(repo)
    assert made["event"] == "COMMENT"
    assert made["commit_id"] == repo.git("rev-parse", "HEAD").strip()
    (comment,) = made["comments"]
    assert {k: comment[k] for k in ("path", "line", "side")} == {
        "path": "a.py",
        "line": 68,
        "side": "RIGHT",
    }
    assert "start_line" not in comment
    assert (
        "```suggestion\n        replay_buffer.extend(tensordict_data.reshape(-1))\n```"
        in comment["body"]
    )


def test_a_finding_in_an_untouched_file_is_commented_where_the_change_is(repo: Repo) -> None:
    repo.base({"models.py": GOOD_MODELS, "train.py": TRAIN})
    repo.change({"models.py": SHORT_MODELS})
    made = body(repo)
    (comment,) = made["comments"]
    assert (comment["path"], comment["line"]) == ("models.py", 20)
    assert "train.py:12: **" in comment["body"]


def test_a_finding_far_from_the_hunk_is_commented_at_the_hunk(repo: Repo) -> None:
    ignored = "# ppolint: ignore-file[PPO901]\n"
    filler = "".join(f"x{i} = {i}\n" for i in range(30))
    repo.base({"a.py": ignored + filler + OLD})
    repo.change({"a.py": filler + OLD})
    (comment,) = body(repo)["comments"]
    assert comment["line"] <= 3
    assert "a.py:31: " in comment["body"]
    assert "```suggestion" not in comment["body"]
    assert "```diff\n-from torchrl.collectors import SyncDataCollector\n" in comment["body"]


def test_thirty_comments_at_most_and_the_rest_in_the_body(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.change(
        {"a.py": OLD + "".join(f"c{i} = SyncDataCollector(env, None)\n" for i in range(40))}
    )
    outcome = repo.review()
    total = len(outcome.new)
    many = [outcome.new[0]._replace(fingerprint=str(i)) for i in range(40)]
    made = json.loads(render("github-review", Report(many, 1, False, outcome)))
    assert total >= 1
    assert len(made["comments"]) == 30
    assert made["body"].count("<!-- ppolint:") == 10
    # One suggestion a line: a batch of them cannot be applied otherwise.
    assert sum("```suggestion" in c["body"] for c in made["comments"]) == 1


def test_bodies_stay_within_what_github_takes(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.change({"a.py": OLD + "".join(f"x{i} = {i}\n" for i in range(50))})
    outcome = repo.review()
    (finding,) = outcome.new
    assert finding.fix is not None
    edit = finding.fix.edits[0]._replace(text="x = y\n" * 20_000)
    long_fix = finding._replace(fix=finding.fix._replace(edits=(edit,)))
    long_text = finding._replace(message="m" * 70_000, row=2, end_row=2, fingerprint="1")
    many = [finding._replace(path="b.py", fingerprint=str(i), help="h" * 90) for i in range(5_000)]
    made = json.loads(
        render("github-review", Report([long_fix, long_text, *many], 1, False, outcome))
    )
    assert [c["line"] for c in made["comments"]] == [1, 2]
    # No half of a suggestion: the message only.
    assert "```" not in made["comments"][0]["body"]
    bodies = [made["body"], *(c["body"] for c in made["comments"])]
    assert all(len(body) < 65_536 for body in bodies)
    assert made["body"].endswith(" more.")


def test_a_comment_on_several_lines_names_the_first_before_the_last(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.change(
        {"a.py": "y = 0\n" + OLD.replace("import Sync", "import (\n    Sync").rstrip() + "\n)\n"}
    )
    outcome = repo.review()
    spread = [d._replace(row=2, end_row=4, fix=None) for d in outcome.new]
    whole = [d._replace(row=2, end_row=90, fix=None, fingerprint="1") for d in outcome.new]
    made = json.loads(render("github-review", Report(spread + whole, 1, False, outcome)))
    places = [(c["start_line"], c["start_side"], c["line"], c["side"]) for c in made["comments"]]
    # The second goes as far as the diff does.
    assert places == [(2, "RIGHT", 4, "RIGHT")] * 2


def test_a_fix_across_two_hunks_is_no_suggestion(repo: Repo) -> None:
    lines = [f"x{i} = {i}\n" for i in range(40)]
    repo.base({"a.py": "".join(lines)})
    repo.change({"a.py": "".join([OLD, *lines, OLD.replace("import", "import  ")])})
    outcome = repo.review()
    finding = outcome.new[0]
    assert finding.fix is not None and (finding.row, outcome.new[1].row) == (1, 42)
    edit = finding.fix.edits[0]
    fix = finding.fix._replace(edits=(edit, edit._replace(row=42, end_row=42)))
    made = json.loads(
        render("github-review", Report([finding._replace(fix=fix)], 1, False, outcome))
    )
    (comment,) = made["comments"]
    assert "```suggestion" not in comment["body"] and "```diff" in comment["body"]


def test_a_fence_is_longer_than_any_in_the_code(repo: Repo) -> None:
    source = "from torchrl.collectors import SyncDataCollector  # ````text\n"
    repo.base({"a.py": "x = 1\n"})
    repo.change({"a.py": source})
    (comment,) = body(repo)["comments"]
    assert "`````suggestion\n" in comment["body"]


def test_a_notebook_is_told_in_the_body(repo: Repo) -> None:
    from test_pull_requests import notebook

    repo.base({"a.ipynb": notebook("x = 1\n")})
    repo.change({"a.ipynb": notebook("x = 1\n", OLD)})
    made = body(repo)
    assert made["comments"] == []
    assert "a.ipynb, cell 2, row 1: " in made["body"]


def test_a_second_run_repeats_nothing(repo: Repo) -> None:
    repo.base({"a.py": FLAT, "b.py": "x = 1\n"})
    repo.change({"a.py": BATCHED})
    first = body(repo)
    existing = json.dumps([{"id": 1, "body": c["body"]} for c in first["comments"]])
    assert without_repeats(first, existing) is None
    repo.change({"b.py": OLD, "a.py": "import os\n" + BATCHED})
    left = without_repeats(body(repo), existing)
    assert left is not None
    assert [c["path"] for c in left["comments"]] == ["b.py"]
    assert without_repeats(first, "[]") == first


def test_markdown_credits_and_draws(repo: Repo) -> None:
    repo.base({"a.py": FLAT, "b.py": OLD})
    repo.change({"a.py": BATCHED, "b.py": "x = 1\n"})
    outcome = repo.review()
    text = render("markdown", Report(outcome.new, 1, False, outcome))
    assert text.startswith(
        "**ppolint**: 1 new finding (1 warning). This change fixes 1 finding: "
        "PPO901 `removed-name`.\n"
    )
    assert "<summary>The pipeline of a.py</summary>" in text
    assert "flowchart" in text
    assert str(repo.folder) not in text
