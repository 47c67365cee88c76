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


def _evaluate(code: str) -> tuple[str, str]:
    """Pattern and replacement that put an evaluation into the training loop."""
    lines = [*code.split("\n"), "metrics = {**episode_metrics(data)"]
    return r"metrics = \{\*\*episode_metrics\(data\)", ("\n" + " " * 16).join(lines)


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
    # collection and buffer
    ("both", "no sampler", r"\n\s*sampler=SamplerWithoutReplacement\(\),", "", "PPO501"),
    ("both", "rows of four batches", r"LazyTensorStorage\(config.frames_per_batch,",
     "LazyTensorStorage(4 * config.frames_per_batch,", "PPO502"),
    ("both", "rows that are sequences", r"\.select\(\*LOSS_KEYS\)\.reshape\(-1\)", "", "PPO503"),
    ("both", "a row for the minibatch", r"for minibatch in self.buffer:",
     "for _ in range(2):\n                minibatch, *_ = self.buffer.sample()", "PPO504"),
    ("both", "padded trajectories", r"trust_policy=True,", "split_trajs=True,", "PPO506"),
    ("both", "random frames", r"trust_policy=True,", "init_random_frames=1024,", "PPO508"),
    ("both", "minibatches on the CPU",
     r"\.reshape\(-1\)\)|, device=device\),\n(\s*)sampler", lambda m: "),\n" + m[1] + "sampler" if m[1] else ".reshape(-1).cpu())",
     "PPO512"),
    ("both", "root key of the batch", r'\["next", "episode_reward"\]', '["episode_reward"]', "PPO513"),
    ("both", "a reward nobody reads", r"(\n\s*)data = data.to\(self.device\)",
     r'\1data = data.to(self.device)\1data["reward"] = data["next", "reward"] * 0.1', "PPO514"),
    ("both", "a result that is dropped", r"data = data.to\(self.device\)", "data.to(self.device)",
     "PPO515"),
    # advantage and loss
    ("both", "no advantage", r"\n\s*with torch.no_grad\(\):\n\s*self.advantage\(data\)", "",
     "PPO601"),
    ("both", "advantage on minibatches",
     r"\n\s*with torch.no_grad\(\):\n\s*self.advantage\(data\)([\s\S]*?for minibatch in self.buffer:)",
     r"\1\n                self.advantage(minibatch)", "PPO602"),
    ("both", "advantage after the flattening", r"data = data.to\(self.device\)",
     "data = data.to(self.device).reshape(-1)", "PPO603"),
    ("both", "advantage on a slice of time", r"self.advantage\(data\)",
     "for t in range(data.shape[1]):\n                    self.advantage(data[:, t])", "PPO604"),
    ("both", "advantage once",
     r"(\n\s*)for _ in range\(self.config.epochs\):([\s\S]*?)\n\s*with torch.no_grad\(\):\n\s*self.advantage\(data\)",
     r"\1self.advantage(data)\1for _ in range(self.config.epochs):\2", "PPO605"),
    ("both", "an argument nobody knows", r"clip_epsilon=config", "clip_param=config", "PPO606"),
    ("both", "another critic", r"value_network=critic",
     'value_network=ValueOperator(nn.Linear(4, 1), in_keys=["observation"])', "PPO607"),
    ("discrete", "no entropy term", r" \+ losses\[\"loss_entropy\"\]", "", "PPO608"),
    ("both", "no critic term", r" \+ losses\[\"loss_critic\"\]", "", "PPO608"),
    ("both", "no objective", r"losses\[\"loss_objective\"\] \+ ", "", "PPO608"),
    ("both", "all outputs", r"total = .*", "total = sum(losses.values())", "PPO608"),
    ("both", "a coefficient twice", r"losses\[\"loss_critic\"\]",
     'self.config.critic_coeff * losses["loss_critic"]', "PPO609"),
    ("both", "a coefficient nobody reads", r"self.scheduler.step\(\)",
     "self.scheduler.step()\n        self.loss.entropy_coef = 0.0", "PPO610"),
    ("both", "normalised twice", r"vectorized=True,", "average_gae=True,", "PPO612"),
    ("both", "advantage under inference mode",
     r"with torch.no_grad\(\):(\n\s*)self.advantage\(data\)\n(\s*)self.buffer.extend[^\n]*\n\s*for minibatch in self.buffer:\n\s*",
     r"with torch.inference_mode():\1self.advantage(data)\n\2for minibatch in data.split(16):\n\2    ",
     "PPO613"),
    ("both", "a default", r'\n\s*loss_critic_type="l2",', "", "PPO614"),
    # optimisation
    ("both", "no zero_grad", r"\n\s*self.optimizer.zero_grad\(set_to_none=True\)", "", "PPO701"),
    ("both", "no step", r"\n\s*self.optimizer.step\(\)", "", "PPO702"),
    ("both", "no backward", r"\n\s*total.backward\(\)", "", "PPO702"),
    ("both", "gradients zeroed too early", r"total.backward\(\)",
     "total.backward()\n        self.optimizer.zero_grad()", "PPO703"),
    ("both", "clipped too late",
     r"(\n\s*nn.utils.clip_grad_norm_[^\n]*)(\n\s*self.optimizer.step\(\))", r"\2\1", "PPO704"),
    ("both", "clipped too early",
     r"(\n\s*total.backward\(\))(\n\s*nn.utils.clip_grad_norm_[^\n]*)", r"\2\1", "PPO704"),
    ("both", "critic not optimised", r"list\(self.loss.parameters\(\)\)",
     "list(actor.parameters())", "PPO705"),
    ("both", "actor not optimised", r"list\(self.loss.parameters\(\)\)",
     "list(critic.parameters())", "PPO705"),
    ("both", "a period in batches, a step for each minibatch",
     r"LambdaLR\(self.optimizer, self._schedule\)|\n\s*self.scheduler.step\(\)|(?<=zero_grad\(set_to_none=True\))",
     lambda m: ("CosineAnnealingLR(self.optimizer, config.num_batches)" if "Lambda" in m[0]
                else "" if m[0] else "\n        self.scheduler.step()"), "PPO706"),
    # evaluation, put before the update
    ("both", "the collector's environment", *_evaluate(
        "with torch.no_grad():\n    collector.env.rollout(100, actor)"), "PPO711"),
    ("both", "evaluation with gradients", *_evaluate(
        "make_env(config, 1, 7, statistics).rollout(100, actor)"), "PPO712"),
    ("both", "episodes cut off", *_evaluate(
        "with torch.no_grad():\n    played = make_env(config, 8, 7, statistics).rollout(100, actor)\n"
        'print(played["next", "reward"].sum(1).mean())'), "PPO713"),
    ("both", "a mean that is none", r"ExplorationType.DETERMINISTIC", "ExplorationType.MEAN", "PPO714"),
    ("both", "evaluation at random", *_evaluate(
        "with torch.no_grad(), set_exploration_type(ExplorationType.RANDOM):\n"
        "    make_env(config, 1, 7, statistics).rollout(100, actor)"), "PPO715"),
]  # fmt: skip


def _codes(file: Path) -> set[str]:
    done = CliRunner().invoke(
        main,
        ["check", "--isolated", "--no-cache", "--select", "PPO3,PPO4,PPO5,PPO6,PPO7", "--exit-zero",
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
