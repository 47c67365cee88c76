"""The training loop: its steps in order, where their data comes from, what the gradients are of."""

from __future__ import annotations

import pytest
from scripts import PPO, line_of, model_of, replaced


# -- the story --------------------------------------------------------------------------------
def test_the_loop_in_order(script):
    (story,) = script.training
    start = line_of("for i, batch in enumerate(collector):")
    loop = [s for s in story.steps if s.line >= start and s.kind != "method"]
    assert [s.kind for s in loop] == [
        "collect", "advantage", "extend", "sample", "loss", "backward", "clip", "step",
        "zero_grad", "rollout", "schedule",
    ]  # fmt: skip
    assert [len(s.loops) for s in loop] == [1, 2, 2, 3, 3, 3, 3, 3, 3, 1, 1]


def test_each_statement_is_told_once():
    text = PPO.replace("\nfor i, batch", "\ndef main():\n  for i, batch").replace(
        "collector.shutdown()", "\n\nmain()"
    )
    head, _, body = text.partition("def main():\n")
    body, _, tail = body.partition("\n\n\nmain()")
    text = head + "def main():\n" + body.replace("\n", "\n  ") + "\n\nmain()" + tail
    pipeline = model_of(text).pipeline
    assert [s.name for s in pipeline.training] == ["<module>"]
    assert len(pipeline.training[0].of("loss")) == 1


def test_where_the_data_of_the_loss_comes_from(script):
    (story,) = script.training
    (loss,) = story.of("loss")
    assert loss.data.origin == "buffer"
    assert loss.data.source is script.buffers[0]
    assert [o.kind for o in loss.data.operations()] == ["device"]
    (path,) = script.history(loss)
    assert path.origin == "collector"
    kinds = [o.kind for o in path.operations]
    assert kinds == ["advantage", "reshape", "device", "sample", "device"]
    assert path.operations[0].component is script.estimators[0]


def test_operations_after_the_use_do_not_count():
    text = replaced("        adv(batch)\n", "")
    text = replaced(
        "        for _ in range(frames // 64)",
        "        adv(batch)\n        for _ in range(frames // 64)",
        text,
    )
    pipeline = model_of(text).pipeline
    (extend,) = pipeline.training[0].of("extend")
    assert not extend.data.maybe("advantage")
    assert not extend.data.opaque


def test_a_flattened_copy_does_not_get_what_is_written_to_the_original_later():
    text = replaced(
        "        adv(batch)\n", "        flat = batch.reshape(-1)\n        adv(batch)\n"
    )
    text = replaced("buffer.extend(batch.reshape(-1).cpu())", "buffer.extend(flat)", text)
    (extend,) = model_of(text).pipeline.training[0].of("extend")
    assert not extend.data.maybe("advantage")


def test_the_same_view_taken_again_after_the_advantage():
    text = replaced(
        "        adv(batch)\n", "        log(batch.reshape(-1).cpu().numel())\n        adv(batch)\n"
    )
    (extend,) = model_of(text).pipeline.training[0].of("extend")
    assert [o.kind for o in extend.data.operations()] == ["advantage", "reshape", "device"]


@pytest.mark.parametrize(
    "line",
    [
        "for batch in collector:",
        "for i, batch in enumerate(collector):",
        "for i, batch in enumerate(tqdm(collector)):",
        "for i, batch in tqdm(enumerate(collector), total=3):",
        "for i, batch in enumerate(iter(collector)):",
        "for batch in itertools.islice(collector, 5):",
    ],
)
def test_spellings_of_the_loop_over_a_collector(line):
    text = replaced("for i, batch in enumerate(collector):", line)
    text = replaced(
        "import torch\n", "import itertools\nimport torch\nfrom tqdm import tqdm\n", text
    )
    pipeline = model_of(text).pipeline
    (collect,) = pipeline.training[0].of("collect")
    assert collect.component is pipeline.collectors[0]
    (advantage,) = pipeline.training[0].of("advantage")
    assert advantage.data.source is pipeline.collectors[0]


def test_batches_from_next():
    text = replaced(
        "for i, batch in enumerate(collector):",
        "it = iter(collector)\nfor i in range(5):\n    batch = next(it)",
    )
    pipeline = model_of(text).pipeline
    (advantage,) = pipeline.training[0].of("advantage")
    assert advantage.data.source is pipeline.collectors[0]
    assert [s.method for s in pipeline.training[0].of("collect")] == ["next"]


@pytest.mark.parametrize(
    ("lines", "operations"),
    [
        (("for _ in range(frames // 64):", "sub = buffer.sample(64)"), ["device"]),
        (("for sub in buffer:", "pass"), ["device"]),
        (("for i, sub in enumerate(buffer):", "pass"), ["device"]),
        (("for _ in range(frames // 64):", "sub, *_ = buffer.sample(64)"), ["index", "device"]),
        (("for _ in range(frames // 64):", "sub, info = buffer.sample(64, return_info=True)"),
         ["index", "device"]),
    ],
)  # fmt: skip
def test_spellings_of_sampling(lines, operations):
    text = replaced("for _ in range(frames // 64):", lines[0])
    text = replaced("sub = buffer.sample(64)", lines[1], text)
    pipeline = model_of(text).pipeline
    (loss,) = pipeline.training[0].of("loss")
    assert loss.data.source is pipeline.buffers[0]
    assert [o.kind for o in loss.data.operations()] == operations
    assert len(pipeline.training[0].of("sample")) == 1


def test_rows_from_a_data_loader():
    text = replaced(
        "        for _ in range(frames // 64):\n            sub = buffer.sample(64)\n",
        "        for sub in DataLoader(batch.reshape(-1), batch_size=64, shuffle=True):\n",
    )
    text = replaced(
        "import torch\n", "import torch\nfrom torch.utils.data import DataLoader\n", text
    )
    (loss,) = model_of(text).pipeline.training[0].of("loss")
    found = [(o.kind, o.name) for o in loss.data.operations()]
    assert found == [
        ("advantage", "GAE"), ("reshape", "reshape"), ("index", "DataLoader"), ("device", "to"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "adv(batch)",
        "batch = adv(batch)",
        "loss_module.value_estimator(batch)",
        "loss_module.value_estimator(batch, params=loss_module.critic_network_params)",
        "estimate = loss_module.value_estimator; estimate(batch)",
    ],
)
def test_spellings_of_the_advantage(line):
    pipeline = model_of(replaced("        adv(batch)\n", f"        {line}\n")).pipeline
    (loss,) = pipeline.training[0].of("loss")
    (path,) = pipeline.history(loss)
    assert len(path.did("advantage")) == 1


def test_an_advantage_on_some_paths_only():
    text = replaced("        adv(batch)\n", "        if i > 3:\n            adv(batch)\n")
    (extend,) = model_of(text).pipeline.training[0].of("extend")
    assert extend.data.maybe("advantage")
    assert not extend.data.always("advantage")


def test_data_given_to_something_unseen_is_opaque():
    text = replaced("        adv(batch)\n", "        prepare(batch)\n")
    text = replaced("import torch\n", "import torch\nfrom mylib import prepare\n", text)
    (extend,) = model_of(text).pipeline.training[0].of("extend")
    assert extend.data.opaque
    assert extend.data.origin == "collector"


def test_data_of_a_parameter_is_opaque():
    text = "def update(adv: 'GAE', loss_module, batch):\n    adv(batch)\n    loss_module(batch)\n"
    text = (
        "from torchrl.objectives import ClipPPOLoss\nloss_module = ClipPPOLoss()\n"
        + text.replace("loss_module, batch", "batch")
    )
    (loss,) = model_of(text).pipeline.steps
    assert loss.data.origin == "parameter"
    assert loss.data.opaque


def test_surroundings_of_a_step(script):
    (story,) = script.training
    (rollout,) = story.of("rollout")
    assert rollout.no_grad
    assert rollout.exploration == "DETERMINISTIC"
    (advantage,) = story.of("advantage")
    assert not advantage.no_grad
    assert advantage.exploration is None


def test_decorators_are_surroundings():
    text = """
import torch
from torchrl.envs import GymEnv

@torch.no_grad()
def evaluate(env, policy):
    return env.rollout(10, policy)

evaluate(GymEnv("CartPole-v1"), None)
"""
    (step,) = [s for s in model_of(text).pipeline.steps if s.kind == "rollout"]
    assert step.no_grad


# -- what the gradients are of ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("expression", "keys", "complete"),
    [
        ('vals["loss_objective"] + vals["loss_critic"]', ["loss_objective", "loss_critic"], True),
        ('vals.get("loss_objective") + vals.get("loss_critic")', ["loss_objective", "loss_critic"], True),
        ('(vals["loss_objective"] - vals["loss_entropy"]).mean()', ["loss_objective", "loss_entropy"], True),
        ('sum(v for k, v in vals.items() if k.startswith("loss_"))', ["loss_*"], True),
        ("sum(vals.values())", ["*"], True),
        ("sum(v for v in vals.values())", ["*"], True),
        ('sum(vals.select("loss_objective", "loss_critic").values())', ["loss_*"], True),
        ('sum(vals[k] for k in ("loss_objective", "loss_critic"))', ["loss_objective", "loss_critic"], True),
        ('vals["loss_objective"] + extra(batch)', ["loss_objective"], False),
        ('vals.clone()["loss_objective"]', ["loss_objective"], True),
    ],
)  # fmt: skip
def test_terms_of_the_objective(expression, keys, complete):
    text = replaced(
        'vals["loss_objective"] + vals["loss_critic"] + vals["loss_entropy"]', expression
    )
    (backward,) = model_of(text).pipeline.training[0].of("backward")
    assert [t.key for t in backward.objective.terms] == keys
    assert backward.objective.complete is complete


@pytest.mark.parametrize(
    ("lines", "keys", "complete"),
    [
        (["for k, v in vals.items():", '    if k.startswith("loss_"):', "        loss = loss + v"],
         ["loss_*"], True),
        (["for v in vals.values():", "    loss += v"], ["*"], True),
        (['for k in ["loss_objective", "loss_critic"]:', "    loss = loss + vals[k]"],
         ["loss_objective", "loss_critic"], True),
        (["for k in wanted:", "    loss = loss + vals[k]"], ["loss_*"], False),
    ],
)  # fmt: skip
def test_terms_that_a_loop_adds_up(lines, keys, complete):
    body = "".join(f"\n            {line}" for line in ["loss = 0", *lines])
    text = replaced(
        '\n            loss = vals["loss_objective"] + vals["loss_critic"] + vals["loss_entropy"]',
        body,
    )
    (backward,) = model_of(text).pipeline.training[0].of("backward")
    assert [t.key for t in backward.objective.terms] == keys
    assert backward.objective.complete is complete


def test_coefficients_of_the_terms():
    text = replaced(
        'vals["loss_objective"] + vals["loss_critic"] + vals["loss_entropy"]',
        'vals["loss_objective"] + 0.5 * vals["loss_critic"] - c * vals["loss_entropy"] / 2',
    )
    (backward,) = model_of(text).pipeline.training[0].of("backward")
    found = {t.key: (len(t.coefficients), t.negative) for t in backward.objective.terms}
    assert found == {
        "loss_objective": (0, False),
        "loss_critic": (1, False),
        "loss_entropy": (2, True),
    }


@pytest.mark.parametrize(
    "line",
    ["loss.backward()", "fabric.backward(loss)", "scaler.scale(loss).backward()"],
)
def test_spellings_of_backward(line):
    pipeline = model_of(replaced("            loss.backward()", f"            {line}")).pipeline
    assert len(pipeline.training[0].of("backward")) == 1
