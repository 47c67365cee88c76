"""Take one thing out of a script that is right, and the rule about it speaks.

The scripts are what `ppolint scaffold --single-file` writes: longer than the fixtures, configured
by a dataclass, built by helpers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ppolint.cli import main

MUTATIONS = [
    # (kind of actions, what is changed, pattern, replacement, rule that must speak)
    ("both", "no stored log-prob", r"\n\s*return_log_prob=True,", "", "PPO401"),
    ("both", "log-prob switched off", r"return_log_prob=True", "return_log_prob=False", "PPO401"),
    ("both", "no action spec", r"\n\s*spec=[\w.]+,", "", "PPO404"),
    ("both", "no step counter", r"StepCounter\(\), ", "", "PPO305"),
    ("both", "no reward sum", r", RewardSum\(\)", "", "PPO310"),
    ("both", "no check of the specs", r"check_env_specs\(env\)", "env.reset()", "PPO301"),
    (
        "both", "value under another key",
        r'out_keys=\["state_value"\]', 'out_keys=["value"]', "PPO403",
    ),
    (
        "both", "misnamed observation",
        r'in_keys=\["observation"\],\n(\s*)out_keys=\["(loc|logits)',
        r'in_keys=["obs"],\n\1out_keys=["\2', "PPO403",
    ),
    (
        "both", "critic without keys",
        r'in_keys=\["observation"\],\n\s*out_keys=\["state_value"\],', "", "PPO402",
    ),
    ("continuous", "no bounds", r"\n\s*distribution_kwargs=\{[^}]*\},", "", "PPO405"),
    (
        "continuous", "a log-prob for each dimension", r"distribution_class=TanhNormal",
        "distribution_class=torch.distributions.Normal", "PPO407",
    ),
    (
        "continuous", "renamed parameters", r'in_keys=\["loc", "scale"\],',
        'in_keys=["mean", "std"],', "PPO403",
    ),
    (
        "discrete", "an index for a one-hot action", r"distribution_class=TraceableOneHot",
        "distribution_class=torch.distributions.Categorical", "PPO406",
    ),
    ("discrete", "misnamed logits", r'in_keys=\["logits"\],', 'in_keys=["logit"],', "PPO403"),
]  # fmt: skip


def _codes(file: Path) -> set[str]:
    done = CliRunner().invoke(
        main,
        ["check", "--isolated", "--no-cache", "--select", "PPO3,PPO4", "--exit-zero",
         "--output-format", "json", str(file)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return {finding["code"] for finding in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def script(request, tmp_path_factory) -> Path:
    """A script for one kind of actions."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    done = CliRunner().invoke(
        main, ["scaffold", f"--{request.param}", "--single-file", "--yes", str(folder)]
    )
    assert done.exit_code == 0, done.output
    (file,) = folder.glob("*.py")
    return file


KINDS = ["continuous", "discrete"]


@pytest.mark.parametrize("script", KINDS, indirect=True)
def test_the_script_itself_is_right(script) -> None:
    assert _codes(script) == set()


@pytest.mark.parametrize(
    ("script", "pattern", "replacement", "code"),
    [
        pytest.param(kind, *mutation[2:], id=f"{kind}: {mutation[1]}")
        for kind in KINDS
        for mutation in MUTATIONS
        if mutation[0] in ("both", kind)
    ],
    indirect=["script"],
)
def test_a_mutation_is_caught(script, tmp_path, pattern, replacement, code) -> None:
    text, count = re.subn(pattern, replacement, script.read_text())
    assert count, "the pattern is not in the script any more"
    mutated = tmp_path / "train.py"
    mutated.write_text(text)
    assert code in _codes(mutated)
