"""Options become a plan, or one clear line about why they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppolint.scaffold import environments
from ppolint.scaffold.environments import KNOWN, find_environment
from ppolint.scaffold.errors import ScaffoldError
from ppolint.scaffold.plan import COLLECTORS, Options, describe, plan_project
from ppolint.scaffold.presets import find_preset

DISCRETE = Options(directory=Path("demo"), action="discrete")


@pytest.fixture
def no_gymnasium(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without gymnasium."""
    monkeypatch.setattr(environments.importlib.util, "find_spec", lambda name: None)


def refusal(**options: object) -> str:
    with pytest.raises(ScaffoldError) as caught:
        plan_project(Options(**{"directory": Path("demo"), **options}))  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_per_kind_of_actions() -> None:
    assert plan_project(DISCRETE).environment.env_id == "CartPole-v1"
    continuous = plan_project(Options(action="continuous"))
    assert continuous.environment.env_id == "InvertedDoublePendulum-v5"
    assert continuous.directory == Path("inverted_double_pendulum")
    assert continuous.name == "inverted_double_pendulum"


def test_an_environment_says_which_actions_it_has() -> None:
    assert plan_project(Options(env_id="Pendulum-v1")).environment.action == "continuous"


def test_action_space_and_environment_must_agree() -> None:
    message = refusal(action="discrete", env_id="Pendulum-v1")
    assert "Pendulum-v1 has continuous actions" in message


def test_action_space_and_environment_must_agree_without_gymnasium(no_gymnasium: None) -> None:
    message = refusal(action="continuous", env_id="CartPole-v1")
    assert "CartPole-v1 has discrete actions" in message


def test_unknown_environment_is_told_with_a_suggestion() -> None:
    assert "did you mean 'CartPole-v1'?" in refusal(env_id="Cartpole-v1")


def test_unknown_environment_without_gymnasium(no_gymnasium: None) -> None:
    assert "install gymnasium" in refusal(env_id="MyOwnTask-v0")


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "Blackjack-v1"])
def test_environments_that_networks_on_vectors_cannot_read(env_id: str) -> None:
    assert "observes" in refusal(env_id=env_id)


def test_nothing_given() -> None:
    assert "--discrete or --continuous" in refusal()


@pytest.mark.parametrize("name", ["2fast", "class", "my-project", "Café", "", "a" * 41])
def test_names_that_are_no_package(name: str) -> None:
    assert "--name" in refusal(action="discrete", name=name)


@pytest.mark.parametrize("name", ["torch", "random", "ray", "tests"])
def test_names_that_hide_a_module(name: str) -> None:
    assert "would hide" in refusal(action="discrete", name=name)


def test_folder_names_become_package_names() -> None:
    plan = plan_project(Options(directory=Path("My first-project.v2"), action="discrete"))
    assert plan.name == "my_first_project_v2"


@pytest.mark.parametrize("loggers", [("mlflow",), ("csv", "tensorbord")])
def test_unknown_logger(loggers: tuple[str, ...]) -> None:
    assert "--logger takes" in refusal(action="discrete", loggers=loggers)


def test_csv_is_always_written() -> None:
    plan = plan_project(Options(action="discrete", loggers=("tensorboard",)))
    assert plan.loggers == ("csv", "tensorboard")


@pytest.mark.parametrize("num_envs", [0, -1, 5000])
def test_number_of_environments(num_envs: int) -> None:
    assert "--num-envs" in refusal(action="discrete", num_envs=num_envs)


@pytest.mark.parametrize("collector", COLLECTORS)
@pytest.mark.parametrize("num_envs", [1, 3, 7, 10, 64, 1000])
@pytest.mark.parametrize("action", ["discrete", "continuous"])
def test_batches_divide_into_environments_and_minibatches(
    action: str, num_envs: int, collector: str
) -> None:
    plan = plan_project(Options(action=action, num_envs=num_envs, collector=collector))
    preset = plan.preset
    assert preset.num_envs == num_envs * plan.num_workers
    assert preset.frames_per_batch % preset.num_envs == 0
    assert preset.frames_per_batch % preset.minibatch_size == 0
    assert preset.frames_per_batch // preset.minibatch_size == preset.num_minibatches


@pytest.mark.parametrize("collector", COLLECTORS)
def test_plan_names_components_reasons_and_budget(collector: str) -> None:
    plan = plan_project(Options(action="continuous", collector=collector))
    text = describe(plan)
    for word in ("TanhNormal", "ObservationNorm", "GAE", "ClipPPOLoss", "learning rate", "frames"):
        assert word in text
    assert f"{plan.preset.total_frames:,}" in text


def test_table_agrees_with_gymnasium() -> None:
    """What serves machines without gymnasium says what gymnasium says."""
    import gymnasium

    for env_id, known in KNOWN.items():
        assert env_id in gymnasium.registry, env_id
        if known.extra == "mujoco" and env_id.endswith("-v4"):
            continue  # the old models are slow to load and have the spaces of v5
        assert find_environment(env_id).action == known.action, env_id


def test_every_known_environment_has_a_preset() -> None:
    for environment in KNOWN.values():
        assert find_preset(environment).total_frames > 0
