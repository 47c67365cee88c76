"""`ppolint graph`: every format, findings in place, and code without a pipeline."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from ppolint.cli import main

SCRIPT = """\
import torch
from torch import nn
from tensordict.nn import TensorDictModule
from torchrl.collectors import Collector
from torchrl.data import LazyTensorStorage, ReplayBuffer, SamplerWithoutReplacement
from torchrl.envs import GymEnv, RewardSum, TransformedEnv
from torchrl.modules import OneHotCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE


def make_env():
    return TransformedEnv(GymEnv("CartPole-v1"), RewardSum())


env = make_env()
actor = ProbabilisticActor(
    TensorDictModule(nn.Linear(4, 2), in_keys=["observation"], out_keys=["logits"]),
    in_keys=["logits"],
    spec=env.action_spec,
    distribution_class=OneHotCategorical,
    return_log_prob=True,
)
critic = ValueOperator(nn.Linear(4, 1), in_keys=["observation"])
collector = Collector(env, actor, frames_per_batch=256, total_frames=1024)
buffer = ReplayBuffer(
    storage=LazyTensorStorage(256), sampler=SamplerWithoutReplacement(), batch_size=64
)
gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
loss_module = ClipPPOLoss(actor, critic)
optim = torch.optim.Adam(loss_module.parameters())
for batch in collector:
    for _ in range(4):
        gae(batch)
        buffer.extend(batch.reshape(-1))
        for rows in buffer:
            losses = loss_module(rows)
            loss = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
            optim.zero_grad()
            loss.backward()
            optim.step()
evaluation = make_env()
with torch.no_grad():
    evaluation.rollout(100, actor)
collector.shutdown()
"""


@pytest.fixture
def draw(tmp_path):
    def run(text=SCRIPT, *options, name="train.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(main, ["graph", str(path), "--isolated", *options])

    return run


def line_of(snippet):
    assert SCRIPT.count(snippet) == 1
    return SCRIPT.count("\n", 0, SCRIPT.index(snippet)) + 1


@pytest.fixture
def data(draw):
    result = draw(SCRIPT, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_nodes_have_their_place_and_name(data):
    nodes = {n["name"]: n for n in data["nodes"] if n["name"]}
    assert nodes["collector"]["class"] == "Collector"
    assert nodes["collector"]["row"] == line_of("collector = Collector(")
    assert nodes["env"]["class"] == 'TransformedEnv(GymEnv("CartPole-v1"))'
    assert nodes["env"]["details"] == ["RewardSum"]
    assert nodes["evaluation"]["class"] == nodes["env"]["class"]
    assert nodes["actor"]["details"][0] == "observation -> action, action_log_prob, logits"


def test_data_flows_from_the_collector_to_the_optimiser(data):
    names = {n["id"]: n["name"] or n["class"] for n in data["nodes"]}
    flow = {
        (names[e["source"]], names[e["target"]]): e["labels"]
        for e in data["edges"]
        if e["kind"] == "data"
    }
    assert flow == {
        ("env", "collector"): ["observation"],
        ("collector", "gae"): [],
        ("gae", "buffer"): ["advantage", "value_target", "reshape(-1)"],
        ("buffer", "loss_module"): [],
        ("loss_module", "optim"): ["loss_objective", "loss_critic", "loss_entropy"],
        ("evaluation", "rollout"): [],
    }


def test_the_story_has_the_loops(data):
    (story,) = data["stories"]
    assert [(s["depth"], s["text"]) for s in story["steps"]] == [
        (0, "for each batch of collector"),
        (2, "gae(batch)"),
        (2, "buffer.extend(batch.reshape(-1))"),
        (2, "for each minibatch of buffer"),
        (3, "loss_module(minibatch)"),
        (3, "optim.zero_grad()"),
        (3, "backward: loss_objective + loss_critic + loss_entropy"),
        (3, "optim.step()"),
        (0, "rollout of evaluation with actor"),
        (0, "collector.shutdown()"),
    ]
    assert story["steps"][-2]["notes"] == ["no_grad"]


def every_finding(data):
    yield from data["findings"]
    for node in data["nodes"]:
        yield from node["findings"]
    for story in data["stories"]:
        for step in story["steps"]:
            yield from step["findings"]


def test_findings_are_in_place_and_none_is_lost(draw, tmp_path):
    text = SCRIPT.replace("    return_log_prob=True,\n", "")
    drawn = json.loads(draw(text, "--format", "json").output)
    (actor,) = [n for n in drawn["nodes"] if n["name"] == "actor"]
    assert "PPO401" in {f["code"] for f in actor["findings"]}
    path = str(tmp_path / "train.py")
    checked = CliRunner().invoke(
        main, ["check", path, "--isolated", "--no-cache", "--output-format", "json"]
    )
    expected = sorted((f["code"], f["location"]["row"]) for f in json.loads(checked.output))
    assert sorted((f["code"], f["row"]) for f in every_finding(drawn)) == expected


def test_no_findings(draw):
    text = SCRIPT.replace("    return_log_prob=True,\n", "")
    drawn = json.loads(draw(text, "--format", "json", "--no-findings").output)
    assert list(every_finding(drawn)) == []


def test_text_is_a_tree_with_each_component_in_full_once(draw):
    output = draw().output
    assert output.count("observation -> state_value") == 1
    assert "critic [state_value]: critic = ValueOperator (above)" in output
    order = [
        output.index(text)
        for text in ("optim = Adam", "loss_module = Clip", "gae = GAE", "What happens")
    ]
    assert order == sorted(order)
    assert "\x1b" not in output


def test_colours_when_asked(draw):
    assert "\x1b[1m" in draw(SCRIPT, "--color", "always").output


def test_mermaid(draw):
    lines = draw(SCRIPT, "--format", "mermaid").output.splitlines()
    assert lines[0] == "flowchart TD"
    defined = {m[1] for line in lines if (m := re.match(r"\s+(n\d+)[\[({]", line))}
    arrows = [
        m for line in lines if (m := re.match(r'\s+(n\d+) (?:==>|-\.->)\|"[^"]+"\| (n\d+)$', line))
    ]
    assert len(arrows) == len([ln for ln in lines if "==>" in ln or "-.->" in ln])
    assert {end for m in arrows for end in m.groups()} <= defined
    assert "GymEnv(&quot;CartPole-v1&quot;)" in "\n".join(lines)


def test_dot(draw):
    output = draw(SCRIPT, "--format", "dot").output
    assert output.startswith("digraph pipeline {\n")
    assert output.endswith("}\n")
    assert 'GymEnv(\\"CartPole-v1\\")' in output
    defined = set(re.findall(r"^  (n\d+) \[shape", output, re.MULTILINE))
    ends = set(re.findall(r"(n\d+) -> ", output)) | set(re.findall(r" -> (n\d+)", output))
    assert ends and ends <= defined


def boxes_of(output):
    root = ElementTree.fromstring(output)
    space = "{http://www.w3.org/2000/svg}"
    out = {}
    for group in root.iter(f"{space}g"):
        rect = group.find(f"{space}rect")
        out[group.get("id")] = tuple(float(rect.get(k)) for k in ("x", "y", "width", "height"))
    return root, out


def test_svg_is_well_formed_and_no_boxes_overlap(draw):
    root, boxes = boxes_of(draw(SCRIPT, "--format", "svg").output)
    width, height = float(root.get("width")), float(root.get("height"))
    found = list(boxes.values())
    assert len(found) >= 9
    for at, (x, y, w, h) in enumerate(found):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for ox, oy, ow, oh in found[:at]:
            assert x >= ox + ow or ox >= x + w or y >= oy + oh or oy >= y + h


def test_svg_puts_what_flows_in_above(draw):
    drawn = json.loads(draw(SCRIPT, "--format", "json").output)
    _, boxes = boxes_of(draw(SCRIPT, "--format", "svg").output)
    for edge in drawn["edges"]:
        assert boxes[edge["source"]][1] < boxes[edge["target"]][1], edge


def test_output_file(draw, tmp_path):
    target = tmp_path / "out.svg"
    result = draw(SCRIPT, "--format", "svg", "-o", str(target))
    assert (result.exit_code, result.output) == (0, "")
    assert target.read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize("style", ["text", "mermaid", "dot", "svg", "json"])
@pytest.mark.parametrize("text", ["", "print('hello')\n", "import torch\nx = torch.ones(3)\n"])
def test_a_file_without_a_pipeline(draw, text, style):
    result = draw(text, "--format", style)
    assert result.exit_code == 0
    if style == "text":
        assert "No TorchRL pipeline is visible" in result.output
    if style == "svg":
        ElementTree.fromstring(result.output)


def test_names_that_formats_would_obey(draw):
    text = SCRIPT.replace('GymEnv("CartPole-v1")', 'GymEnv("<b>&\\"|`#;")')
    ElementTree.fromstring(draw(text, "--format", "svg").output)
    mermaid = draw(text, "--format", "mermaid").output
    assert "<b>&" not in mermaid
    assert "<b>env = " in mermaid
    json.loads(draw(text, "--format", "json").output)


def test_a_notebook_counts_in_cells(draw):
    half = SCRIPT.index("env = make_env()\n")
    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": part,
        }
        for part in (SCRIPT[:half], SCRIPT[half:])
    ]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    result = draw(json.dumps(book), "--format", "json", name="train.ipynb")
    nodes = {n["name"]: n for n in json.loads(result.output)["nodes"] if n["name"]}
    row = SCRIPT[half:].count("\n", 0, SCRIPT[half:].index("collector = ")) + 1
    assert (nodes["collector"]["cell"], nodes["collector"]["row"]) == (2, row)


def test_environments_wrapped_in_a_loop_and_data_in_a_circle(draw):
    text = SCRIPT.replace(
        "actor = Prob", "for t in extra:\n    env = TransformedEnv(env, t)\nactor = Prob"
    )
    text = text.replace(
        "        gae(batch)\n", "        gae(batch)\n        gae(buffer.sample())\n"
    )
    for style in ("text", "svg"):
        result = draw(text, "--format", style)
        assert result.exit_code == 0, result.output
    ElementTree.fromstring(result.output)


def test_syntax_errors_are_told(draw):
    result = draw("import torch\nx = (\n")
    assert result.exit_code == 2
    assert "syntax error" in result.output
