"""Scripted pull requests, and exactly what a review says of each."""

from __future__ import annotations

import json

import pytest
from scripted import FIXTURES, Repo, fixture

from ppolint.review.review import Review, key

GAE = """\
import gymnasium as gym
import torch

env = gym.make("CartPole-v1")


def gae(rewards, values, masks, gamma, lam):
    last = 0.0
    out = torch.zeros_like(rewards)
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * values[t + 1] * masks[t] - values[t]
        last = delta + gamma * lam * masks[t] * last
        out[t] = last
    return out
"""
GAE_REFORMATTED = (
    GAE.replace('"CartPole-v1"', "'CartPole-v1'")
    .replace(
        "        delta = rewards[t] + gamma * values[t + 1] * masks[t] - values[t]\n",
        "        delta = (\n            rewards[t] + gamma * values[t + 1] * masks[t] - values[t]\n"
        "        )\n",
    )
    .replace("rewards, values, masks, gamma, lam", "\n    rewards, values, masks, gamma, lam\n")
)
IN_CLASS = GAE.partition("def gae")[0] + "class Agent:\n    " + (
    "def gae(self, " + GAE.partition("def gae(")[2]
).replace("\n    ", "\n        ")  # fmt: skip
OLD = "from torchrl.collectors import SyncDataCollector\n"
NEW = "from torchrl.collectors import Collector\n"
FLAT = fixture("PPO503-*/fixed_batched_script.py")
BATCHED = fixture("PPO503-*/bad_batched_script.py")
MODELS = (FIXTURES / "PPO401-missing-return-log-prob/bad_factory/models.py").read_text()
GOOD_MODELS = MODELS.replace("return_log_prob=False", "return_log_prob=True")
SHORT_MODELS = MODELS.replace("        return_log_prob=False,\n", "")
TRAIN = fixture("PPO401-*/bad_factory/train.py")
IMPORT = "from models import make_ppo_models\n"


def notebook(*cells: str) -> str:
    rows = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": c}
        for c in cells
    ]
    return json.dumps({"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


Files = dict[str, "str | bytes | None"]
# name -> (base, change, codes that are new by path, codes that are fixed by path)
CASES: dict[str, tuple[Files, Files, list[str], list[str]]] = {
    "nothing changed": ({"a.py": OLD}, {}, [], []),
    "no code changed": ({"a.py": OLD, "README.md": "x\n"}, {"README.md": "y\n"}, [], []),
    "a finding in a new file": ({"b.py": "x = 1\n"}, {"a.py": OLD}, ["a.py PPO901"], []),
    "a finding in an old file": ({"a.py": "x = 1\n"}, {"a.py": OLD}, ["a.py PPO901"], []),
    "another beside one that was there": (
        {"a.py": GAE},
        {"a.py": OLD + GAE},
        ["a.py PPO901"],
        [],
    ),
    "a line above an old finding": ({"a.py": GAE}, {"a.py": "import os\n" + GAE}, [], []),
    "an edit beside an old finding": (
        {"a.py": GAE},
        {"a.py": GAE.replace("CartPole-v1", "Acrobot-v1")},
        [],
        [],
    ),
    "an edit inside of an old finding": (
        {"a.py": GAE},
        {
            "a.py": GAE.replace(
                "        out[t] = last\n", "        out[t] = last\n        print(t)\n"
            )
        },
        [],
        [],
    ),
    "a second copy of an old finding": (
        {"a.py": GAE},
        {"a.py": GAE + "\n\n" + GAE.partition("\n\n\n")[2].replace("def gae", "def again")},
        ["a.py PPO104"],
        [],
    ),
    "a function renamed": ({"a.py": GAE}, {"a.py": GAE.replace("def gae", "def returns")}, [], []),
    "a function moved in its file": (
        {"a.py": GAE + "\n\ndef main():\n    return 1\n"},
        {
            "a.py": GAE.partition("def gae")[0]
            + "def main():\n    return 1\n\n\ndef gae"
            + GAE.partition("def gae")[2]
        },
        [],
        [],
    ),
    "a function moved into a class": ({"a.py": GAE}, {"a.py": IN_CLASS}, [], []),
    "a function moved to another file": (
        {"a.py": GAE + "\nx = 1\n", "b.py": "import torch\n\ny = 1\n"},
        {"a.py": "x = 1\n", "b.py": GAE + "\ny = 1\n"},
        [],
        [],
    ),
    "a file renamed": ({"a.py": GAE}, {"a.py": None, "lib/b.py": GAE}, [], []),
    "a file renamed and edited": (
        {"a.py": GAE},
        {"a.py": None, "lib/b.py": OLD + GAE},
        ["lib/b.py PPO901"],
        [],
    ),
    "a file copied": ({"a.py": GAE}, {"b.py": GAE}, ["b.py PPO104"], []),
    "reformatted": ({"a.py": GAE}, {"a.py": GAE_REFORMATTED}, [], []),
    "line endings": ({"a.py": GAE}, {"a.py": GAE.replace("\n", "\r\n").encode()}, [], []),
    "fixed": ({"a.py": OLD}, {"a.py": NEW}, [], ["a.py PPO901"]),
    "a file with a finding deleted": (
        {"a.py": OLD, "b.py": "x = 1\n"},
        {"a.py": None},
        [],
        ["a.py PPO901"],
    ),
    "one fixed and one introduced": (
        {"a.py": OLD, "b.py": "x = 1\n"},
        {"a.py": NEW, "b.py": GAE},
        ["b.py PPO104"],
        ["a.py PPO901"],
    ),
    "suppressed": (
        {"a.py": OLD},
        {"a.py": OLD.rstrip() + "  # ppolint: ignore[PPO901]\n"},
        [],
        ["a.py PPO901"],
    ),
    "a suppression removed": (
        {"a.py": OLD.rstrip() + "  # ppolint: ignore[PPO901]\n"},
        {"a.py": OLD},
        ["a.py PPO901"],
        [],
    ),
    "a piece of a line deleted": ({"a.py": FLAT}, {"a.py": BATCHED}, ["a.py PPO503"], []),
    "a helper of another file renamed, with its calls": (
        {"models.py": MODELS, "train.py": TRAIN},
        {
            "models.py": MODELS.replace("make_ppo_models", "build"),
            "train.py": TRAIN.replace("make_ppo_models", "build"),
        },
        [],
        [],
    ),
    "a helper moved into the file that calls it": (
        {"models.py": MODELS, "train.py": TRAIN},
        {"models.py": None, "train.py": TRAIN.replace(IMPORT, MODELS)},
        [],
        [],
    ),
    "a helper moved out into a file of its own": (
        {"train.py": TRAIN.replace(IMPORT, MODELS)},
        {"models.py": MODELS, "train.py": TRAIN},
        [],
        [],
    ),
    "a helper moved out, and made wrong on the way": (
        {"train.py": TRAIN.replace(IMPORT, GOOD_MODELS)},
        {"models.py": MODELS, "train.py": TRAIN},
        ["train.py PPO401"],
        [],
    ),
    "one helper made wrong and another one right": (
        {
            "models.py": GOOD_MODELS,
            "train.py": TRAIN,
            "others.py": MODELS,
            "other.py": TRAIN.replace("from models", "from others"),
        },
        {"models.py": MODELS, "others.py": GOOD_MODELS},
        ["train.py PPO401"],
        ["other.py PPO401"],
    ),
    "a package renamed, with its imports": (
        {
            "old/__init__.py": "",
            "old/models.py": MODELS,
            "train.py": TRAIN.replace("from models", "from old.models"),
        },
        {
            "old/__init__.py": None,
            "old/models.py": None,
            "new/__init__.py": "",
            "new/models.py": MODELS,
            "train.py": TRAIN.replace("from models", "from new.models"),
        },
        [],
        [],
    ),
    "an argument of another file changed": (
        {"models.py": GOOD_MODELS, "train.py": TRAIN},
        {"models.py": MODELS},
        ["train.py PPO401"],
        [],
    ),
    "an argument of another file deleted": (
        {"models.py": GOOD_MODELS, "train.py": TRAIN},
        {"models.py": SHORT_MODELS},
        ["train.py PPO401"],
        [],
    ),
    "fixed from another file": (
        {"models.py": MODELS, "train.py": TRAIN},
        {"models.py": GOOD_MODELS},
        [],
        ["train.py PPO401"],
    ),
    "a cell of a notebook": (
        {"a.ipynb": notebook("x = 1\n")},
        {"a.ipynb": notebook("x = 1\n", OLD)},
        ["a.ipynb PPO901"],
        [],
    ),
    "cells of a notebook moved": (
        {"a.ipynb": notebook(OLD, "x = 1\n")},
        {"a.ipynb": notebook("x = 1\n", OLD)},
        [],
        [],
    ),
    "only the outputs of a notebook": (
        {"a.ipynb": notebook(OLD)},
        {"a.ipynb": notebook(OLD).replace('"outputs": []', '"outputs": [{}]')},
        [],
        [],
    ),
    "a syntax error": (
        {"a.py": OLD},
        {"a.py": OLD + "def (:\n"},
        ["a.py PPO001"],
        [],
    ),
    "a syntax error mended": (
        {"a.py": OLD + "def (:\n"},
        {"a.py": OLD},
        [],
        ["a.py PPO001"],
    ),
    "a syntax error mended, with a finding added": (
        {"a.py": OLD + "def (:\n"},
        {"a.py": OLD + OLD.replace("Sync", "MultiSync")},
        ["a.py PPO901"],
        ["a.py PPO001"],
    ),
    "a syntax error in another file": (
        {"models.py": MODELS, "train.py": TRAIN},
        {"models.py": MODELS + "def (:\n"},
        ["models.py PPO001"],
        [],
    ),
    "an import broken by a rename": (
        {"models.py": MODELS, "train.py": TRAIN},
        {"models.py": None, "nets.py": MODELS},
        [],
        [],
    ),
    "an import broken by a deletion, and the finding mended": (
        {"models.py": MODELS, "helpers.py": "LIMIT = 3\n", "train.py": "import helpers\n" + TRAIN},
        {"models.py": GOOD_MODELS, "helpers.py": None},
        [],
        [],
    ),
    "an import broken, and the finding's own lines mended": (
        {"helpers.py": "LIMIT = 3\n", "a.py": "import helpers\n" + OLD},
        {"helpers.py": None, "a.py": "import helpers\n" + NEW},
        [],
        ["a.py PPO901"],
    ),
    "an import broken by a renamed function": (
        {"models.py": MODELS, "train.py": TRAIN},
        {"models.py": MODELS.replace("make_ppo_models", "make_models")},
        [],
        [],
    ),
    "an import mended where it leads to": (
        {"nets.py": MODELS, "train.py": TRAIN},
        {"nets.py": None, "models.py": MODELS},
        [],
        [],
    ),
    "an import mended where it is written": (
        {"pkg/models.py": MODELS, "train.py": TRAIN.replace("from models", "from old.models")},
        {"train.py": TRAIN.replace("from models", "from pkg.models")},
        [],
        [],
    ),
    "an import of the project instead of a library's": (
        {"models.py": MODELS, "train.py": TRAIN.replace("from models", "from torch.models")},
        {"train.py": TRAIN},
        ["train.py PPO401"],
        [],
    ),
    "the release raised": (
        {"requirements.txt": "torchrl==0.6.0\n", "a.py": OLD},
        {"requirements.txt": "torchrl==0.14.1\n"},
        ["a.py PPO901"],
        [],
    ),
    "rules turned on": (
        {"pyproject.toml": '[tool.ppolint]\nignore = ["PPO9"]\n', "a.py": OLD},
        {"pyproject.toml": "[tool.ppolint]\n", "a.py": OLD + "\nx = 1\n"},
        [],
        [],
    ),
    "an excluded file": (
        {"pyproject.toml": '[tool.ppolint]\nextend-exclude = ["old"]\n', "a.py": "x = 1\n"},
        {"old/a.py": OLD},
        [],
        [],
    ),
    "a path with a space, an umlaut and a quote": (
        {"b.py": "x = 1\n"},
        {'dir ü/a "b".py': OLD},
        ['dir ü/a "b".py PPO901'],
        [],
    ),
}


def codes(findings: list) -> list[str]:
    return [f"{d.path} {d.code}" for d in findings]


@pytest.mark.parametrize("name", CASES)
def test_a_pull_request(repo: Repo, name: str) -> None:
    base, change, new, fixed = CASES[name]
    repo.base(base)
    repo.change(change)
    outcome = repo.review()
    assert outcome.errors == []
    assert (codes(outcome.new), codes(outcome.fixed)) == (new, fixed)


def test_what_is_out_of_sight_is_told_in_a_line(repo: Repo) -> None:
    repo.base({"models.py": MODELS, "train.py": TRAIN})
    repo.change({"models.py": None, "nets.py": MODELS})
    outcome = repo.review()
    assert outcome.unseen == [
        "train.py imports `models`, which is not there: 1 earlier finding is out of sight, not fixed"
    ]
    outcome = repo.review("HEAD..HEAD~1")
    assert outcome.unseen == [
        (
            "before the change, train.py imports `models`, which is not there: 1 finding is on "
            "lines that it leaves alone, and not held against it"
        )
    ]
    assert outcome.new == outcome.fixed == []


def sentence(outcome: Review) -> str:
    (finding,) = outcome.new
    cause = outcome.causes[key(finding)]
    return f"{cause.path}:{cause.row} {cause.sentence(finding)}"


@pytest.mark.parametrize(
    ("base", "change", "said"),
    [
        (
            {"models.py": GOOD_MODELS, "train.py": TRAIN},
            {"models.py": SHORT_MODELS},
            "models.py:20 This change removed `return_log_prob=True,` in models.py:20.",
        ),
        (
            {"a.py": FLAT},
            {"a.py": BATCHED},
            "a.py:68 This change removed `.reshape(-1)`.",
        ),
        (
            {"a.py": OLD.rstrip() + "  # ppolint: ignore[PPO901]\n"},
            {"a.py": OLD},
            "a.py:1 This change removed `# ppolint: ignore[PPO901]`.",
        ),
        ({"b.py": "x = 1\n"}, {"a.py": OLD}, "a.py:1 "),
    ],
)
def test_what_was_removed_is_said(repo: Repo, base: Files, change: Files, said: str) -> None:
    repo.base(base)
    repo.change(change)
    assert sentence(repo.review()) == said


def test_a_removed_call_is_told_at_the_line_where_it_was(repo: Repo) -> None:
    source = FLAT.replace("(tensordict_data.reshape(-1))", "(flat)").replace(
        "        replay_buffer.extend(flat)",
        "        tensordict_data = tensordict_data.reshape(-1)\n"
        "        replay_buffer.extend(tensordict_data)",
    )
    removed = source.replace("        tensordict_data = tensordict_data.reshape(-1)\n", "")
    repo.base({"a.py": source})
    repo.change({"a.py": removed})
    row = 1 + removed.splitlines().index("        replay_buffer.extend(tensordict_data)")
    assert sentence(repo.review()) == (
        f"a.py:{row} This change removed `tensordict_data = tensordict_data.reshape(-1)`"
        f" at line {row}."
    )


def test_a_merge_commit_brings_no_findings_of_the_other_side(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.change({"b.py": "from torchrl.collectors import MultiSyncDataCollector\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"c.py": GAE})
    repo.git("checkout", "-q", "pr")
    repo.git("merge", "-q", "--no-edit", "main")
    assert codes(repo.review().new) == ["b.py PPO901"]
    assert codes(repo.review("HEAD~1..HEAD").new) == ["c.py PPO104"]


def test_findings_that_main_has_meanwhile_are_not_the_branchs(repo: Repo) -> None:
    repo.base({"a.py": OLD})
    repo.change({"b.py": "x = 1\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"a.py": NEW})
    repo.git("checkout", "-q", "pr")
    outcome = repo.review()
    assert (outcome.new, outcome.fixed) == ([], [])


def test_all_shows_what_stood_there_in_touched_files_only(repo: Repo) -> None:
    repo.base({"a.py": OLD, "b.py": OLD})
    repo.change({"a.py": OLD + "x = 1\n"})
    assert codes(repo.review().standing) == ["a.py PPO901"]


@pytest.mark.parametrize("spelling", ["main", "main...pr", "main...", "main..pr", "main..HEAD"])
def test_spellings_of_the_range(repo: Repo, spelling: str) -> None:
    repo.base({"a.py": "x = 1\n"})
    repo.change({"a.py": OLD})
    assert codes(repo.review(spelling).new) == ["a.py PPO901"]


def test_binary_files_and_links_are_no_code(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n", "b.py": OLD})
    (repo.folder / "link.py").symlink_to("b.py")
    repo.change({"a.py": b"\0\1\2", "model.pt": b"\0\1"})
    outcome = repo.review()
    assert codes(outcome.new) == []
    assert outcome.notes == ["not compared, binary: a.py"]


def test_a_submodule_is_left_alone(repo: Repo) -> None:
    inner = Repo(repo.folder.parent / "inner")
    inner.commit({"a.py": OLD})
    repo.base({"b.py": "x = 1\n"})
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), "sub")
    repo.change({"c.py": OLD})
    outcome = repo.review()
    assert codes(outcome.new) == ["c.py PPO901"]
    assert outcome.notes == ["submodules are not reviewed: sub"]


def test_files_that_a_partial_clone_lacks_are_left_out(repo: Repo) -> None:
    repo.base({"a.py": "x = 1\n", "large.py": OLD + "y = 1\n", "data.csv": "1,2\n"})
    repo.change({"a.py": OLD})
    for name in ("large.py", "data.csv"):
        blob = repo.git("rev-parse", f"HEAD:{name}").strip()
        (repo.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    outcome = repo.review()
    assert (codes(outcome.new), outcome.errors) == (["a.py PPO901"], [])
