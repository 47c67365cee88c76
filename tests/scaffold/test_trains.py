"""The generated projects learn: the claim that all the rest is for."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from generated import Project

pytestmark = pytest.mark.training

Generate = Callable[..., Project]


def best_return(project: Project) -> float:
    """Best evaluation while training; evaluation episodes are never trained on."""
    (path,) = project.folder.glob("runs/*/metrics/scalars/eval/return.csv")
    with path.open(newline="") as file:
        return max(float(value) for _, value in csv.reader(file))


def check_solved(project: Project, target: float, budget: int, seed: int) -> str:
    """Train, and check the policy that is left on disk on episodes of yet other seeds."""
    result, output = project.train(f"--seed={seed}", f"--total-frames={budget}")
    assert result["solved"], output
    assert result["frames"] <= budget
    assert result["eval_return"] >= target
    (run,) = (project.folder / "runs").iterdir()
    for name in ("config.json", "policy.pt", "learning_curve.png", "metrics", "checkpoints"):
        assert (run / name).exists(), name
    fresh = project.run(
        [sys.executable, "-m", "demo.evaluate", str(run), "--episodes=20", "--seed=987654321"]
    )
    assert float(fresh.split("return ")[1].split()[0]) >= target, fresh
    return output


def test_discrete_solves_cartpole(generate: Generate) -> None:
    project = generate(action="discrete", name="demo")
    output = check_solved(project, target=475, budget=65_536, seed=1)
    assert "warning" not in output.lower(), output
    assert "[INFO]" not in output, output


def test_continuous_solves_double_pendulum(generate: Generate) -> None:
    project = generate(action="continuous", name="demo")
    output = check_solved(project, target=9_100, budget=98_304, seed=1)
    assert "warning" not in output.lower(), output


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 11))
def test_discrete_solves_cartpole_with_other_seeds(generate: Generate, seed: int) -> None:
    check_solved(generate(action="discrete", name="demo"), 475, budget=65_536, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_continuous_solves_double_pendulum_with_other_seeds(generate: Generate, seed: int) -> None:
    check_solved(generate(action="continuous", name="demo"), 9_100, budget=131_072, seed=seed)


# A policy that acts at random keeps the pole up for 9 to 40 steps, 22 on average.
@pytest.mark.parametrize(
    "collector",
    [
        "multi-sync",
        pytest.param("multi-async", marks=pytest.mark.slow),
        pytest.param("ray", marks=pytest.mark.ray),
    ],
)
def test_workers_learn(generate: Generate, collector: str) -> None:
    project = generate(action="discrete", name="demo", collector=collector)
    project.train("--total-frames=12288", "--eval-every=4096", "--confirm-episodes=20")
    assert best_return(project) >= 100


@pytest.mark.ray
def test_ray_cluster_that_is_too_small_is_told(
    generate: Generate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray would wait for CPUs that never come."""
    import ray

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    project = generate(action="discrete", name="demo", collector="ray")
    cluster = ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        command = project.training_command(
            f"--ray-address={cluster.address_info['gcs_address']}", "--num-workers=2"
        )
        with pytest.raises(AssertionError, match=r"has 1 CPU\(s\) for 2 workers"):
            project.run(command, seconds=180)
    finally:
        ray.shutdown()


# Every pair of choices is in one of these.
PAIRS = [
    ("discrete", "sync", ("tensorboard",), True),
    ("continuous", "sync", ("wandb",), False),
    ("discrete", "multi-sync", ("wandb",), False),
    ("continuous", "multi-sync", (), True),
    ("discrete", "multi-async", (), False),
    ("continuous", "multi-async", ("tensorboard",), True),
    ("discrete", "ray", ("tensorboard",), False),
    ("continuous", "ray", ("wandb",), True),
]


@pytest.mark.parametrize(
    ("action", "collector", "loggers", "single_file"),
    [
        pytest.param(*choices, marks=pytest.mark.ray if choices[1] == "ray" else ())
        for choices in PAIRS
    ],
)
def test_short_run_of_other_combinations(
    generate: Generate, action: str, collector: str, loggers: tuple[str, ...], single_file: bool
) -> None:
    if "wandb" in loggers:
        pytest.importorskip("wandb", reason="wandb is not installed")
    project = generate(
        action=action, collector=collector, loggers=loggers, single_file=single_file, name="demo"
    )
    result, output = project.train(
        "--total-frames=1024", "--eval-every=1024", "--eval-episodes=2", "--confirm-episodes=2"
    )
    assert result["frames"] == 1024, output
    (run,) = (project.folder / "runs").iterdir()
    losses = (run / "metrics/scalars/loss_objective.csv").read_text().splitlines()
    assert len(losses) == 1024 // project.plan.preset.frames_per_batch
    if "tensorboard" in loggers:
        assert list(run.glob("tensorboard/events.*")), output


@pytest.mark.parametrize(
    ("action", "collector"),
    [
        ("discrete", "sync"),
        ("continuous", "sync"),
        ("discrete", "multi-sync"),
        pytest.param("continuous", "multi-async", marks=pytest.mark.slow),
        pytest.param("discrete", "ray", marks=[pytest.mark.slow, pytest.mark.ray]),
    ],
)
def test_projects_own_tests_pass(generate: Generate, action: str, collector: str) -> None:
    """Specs, first ratio, resumed runs that are equal to the last bit: the projects check it."""
    project = generate(action=action, collector=collector, name="demo")
    project.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"])


@pytest.mark.slow
def test_compiled_update_learns(generate: Generate) -> None:
    project = generate(action="discrete", name="demo")
    project.train("--total-frames=6144", "--eval-every=2048", "--compile", "--confirm-episodes=20")
    assert best_return(project) >= 60


def test_films_an_episode(generate: Generate) -> None:
    for module in ("moviepy", "pygame"):
        pytest.importorskip(module, reason=f"videos need {module}")
    project = generate(action="discrete", name="demo")
    project.train("--total-frames=512", "--eval-episodes=2", "--confirm-episodes=2")
    (run,) = (project.folder / "runs").iterdir()
    project.run([sys.executable, "-m", "demo.evaluate", str(run), "--episodes=2", "--video"])
    (video,) = (run / "video").glob("*.mp4")
    assert video.stat().st_size > 1000


def test_settings_are_saved_and_hold_for_a_resumed_run(generate: Generate) -> None:
    project = generate(action="discrete", name="demo")
    project.train("--total-frames=1024", "--gamma=0.9", "--confirm-episodes=2")
    (run,) = (project.folder / "runs").iterdir()
    project.run(project.training_command(f"--resume={run}", "--total-frames=2048"))
    settings = json.loads((run / "config.json").read_text())
    assert (settings["gamma"], settings["total_frames"]) == (0.9, 2048)
    assert json.loads((run / "result.json").read_text())["frames"] == 2048
    assert [path.name for path in (project.folder / "runs").iterdir()] == [Path(run).name]
