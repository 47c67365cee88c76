"""Runs that are stopped, politely or not, go on from where they were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from generated import Project

pytestmark = pytest.mark.training

Generate = Callable[..., Project]


def start(project: Project, *options: str) -> subprocess.Popen[str]:
    """Start a run that would not end by itself, in a process group of its own."""
    return subprocess.Popen(
        project.training_command("--total-frames=10000000", "--target-return=1e9", *options),
        cwd=project.folder,
        env=project.environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for_metrics(project: Project, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not list(project.folder.glob("runs/*/metrics/scalars/loss_objective.csv")):
        assert time.monotonic() < deadline, "the run does not start"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("collector", "number"),
    [
        ("sync", signal.SIGINT),
        ("sync", signal.SIGTERM),
        ("multi-sync", signal.SIGINT),
        pytest.param("ray", signal.SIGINT, marks=[pytest.mark.slow, pytest.mark.ray]),
    ],
)
def test_signals_save_and_stop(generate: Generate, collector: str, number: signal.Signals) -> None:
    project = generate(action="discrete", name="demo", collector=collector)
    process = start(project)
    wait_for_metrics(project)
    # A terminal sends Ctrl-C to all processes of the group.
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "Continue with --resume" in output
    (run,) = (project.folder / "runs").iterdir()
    (saved,) = (run / "checkpoints").iterdir()
    frames = int(saved.name.split("-")[1])
    resumed = project.run(
        project.training_command(
            f"--resume={run}", f"--total-frames={frames + 512}", "--target-return=None"
        )
    )
    assert f"from frame {frames:,}" in resumed


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_runs_resume_from_the_last_complete_checkpoint(
    generate: Generate, kills: int
) -> None:
    project = generate(action="discrete", name="demo")
    script = Path(__file__).with_name("kill_and_resume.py")
    output = project.run([sys.executable, str(script), str(kills)], seconds=100 + 10 * kills)
    *attempts, end = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert len(attempts) == kills
    for attempt in attempts:
        assert "Traceback" not in attempt["log"], attempt["log"]
        assert f"from frame {attempt['before']:,}" in attempt["log"]
        assert attempt["after"] >= attempt["before"]
    assert attempts[-1]["after"] > 5 * 512
    assert end == {"complete": True, "leftovers": 0}


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_run_of_a_cuda_machine_goes_on_without_cuda(generate: Generate) -> None:
    project = generate(action="discrete", name="demo")
    short = ("--eval-episodes=2", "--confirm-episodes=2", "--checkpoint-every=512")
    project.train("--total-frames=512", *short)
    (run,) = (project.folder / "runs").iterdir()
    # What a GPU changes in a checkpoint: where its tensors were, and one random state more.
    for name in ("collector", "loss", "optimizer", "random"):
        (schema,) = run.glob(f"checkpoints/*/components/*-{name}/state.json")
        text = schema.read_text().replace('"device":"cpu"', '"device":"cuda:0"')
        if name == "random":
            state = json.loads(text)
            entries = {entry[0]["value"]: entry for entry in state["items"]}
            state["items"].append(
                [{"kind": "value", "value": "torch_cuda"}, entries["torch_cpu"][1]]
            )
            text = json.dumps(state)
        schema.write_text(text)
    output = project.run(project.training_command(f"--resume={run}", "--total-frames=1024", *short))
    assert "from frame 512" in output
