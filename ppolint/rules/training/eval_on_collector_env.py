"""An evaluation on the environment object that the collector is stepping.

What it does
    Reports a rollout, between two batches of a collector, on the environment object that the
    collector was given (as it is, or by a `lambda` that returns it); the same for a loop that
    calls the policy and `env.step`, and in the hooks of a `LightningModule` whose `training_step`
    takes batches of the collector. An environment of its own, a factory, and rollouts before or
    after training are not reported.

Why is this bad
    The collector goes on from the state it remembers, in an environment that the evaluation has
    moved elsewhere. The first transition of the next batch joins two different trajectories.

Example
    collector = Collector(env, policy, frames_per_batch=1000, total_frames=100_000)
    for data in collector:
        update(data)
        env.rollout(1000, policy)

Use instead
    eval_env = make_env()
    for data in collector:
        update(data)
        eval_env.rollout(1000, policy)

What happens at run time
    Nothing is raised. After an evaluation the pendulum of the next batch turns by more than two
    radians in its first step, where half of one is the most it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO711",
    name="eval-on-collector-env",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="The collector's own environment is rolled out between two of its batches",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import stepping, training

    told = set()
    for story in file.pipeline.stories:
        loops = training.collector_loops(story)
        hooked = [] if loops else _of_the_same_module(file, story)
        if not loops and not hooked:
            continue
        by_hand = [s.env for s in stepping.evaluations(file.pipeline, story)]
        for step in (*story.of("rollout", "foreign_rollout"), *by_hand):
            if step.span in told:
                continue
            around = next((loops[loop] for loop in step.loops if loop in loops), None)
            stepped = hooked if around is None else [around]
            collector = next((c for c in stepped if _is_moved(file, step, c)), None)
            if collector is None:
                continue
            told.add(step.span)
            yield rule.at(
                step.span,
                f"the collector is stepping this environment: after {_called(step)} its next batch "
                "starts with a transition between two different trajectories",
                help="evaluate on an environment of its own (with the normaliser's statistics of "
                "this one)",
                scope=step.scope,
                related=[(*collector.span, "the collector")],
            )


# What Lightning calls between two training steps.
_HOOKS = frozenset({
    "validation_step", "on_validation_start", "on_validation_end", "on_validation_epoch_start",
    "on_validation_epoch_end", "on_train_batch_end", "on_train_epoch_end",
})  # fmt: skip


def _of_the_same_module(file: FileModel, story: Any) -> list[Any]:
    """The collectors of a LightningModule of which the story is a hook between training steps."""
    from ppolint.semantics import training

    function = story.function
    if function is None or function.name not in _HOOKS or function.cls is None:
        return []
    if not any(b.endswith(".LightningModule") for b in function.cls.external_bases()):
        return []
    return [
        collector
        for other in file.pipeline.stories
        if other.function is not None and other.function.cls is function.cls
        and other.function.name == "training_step"
        for collector in training.collector_loops(other).values()
    ]  # fmt: skip


def _is_moved(file: FileModel, step: Any, collector: Any) -> bool:
    """Whether a step moves what a collector goes on from."""
    if collector.multi_process or not _shares(step, collector) or _keeps_no_state(step):
        return False
    # with `reset_at_each_iter` every batch starts anew, wherever the environment was left
    given = collector.arguments.get("reset_at_each_iter")
    return given is None or file.pipeline.constant(given) is False


def _called(step: Any) -> str:
    return "these steps" if step.kind == "env_step" else "the rollout"


# Environments of TorchRL whose state is in the data: what `step` is given is all they know.
_STATELESS = frozenset({"PendulumEnv", "TicTacToeEnv", "LLMHashingEnv", "BraxEnv", "BraxWrapper"})


def _keeps_no_state(step: Any) -> bool:
    """Whether the environment computes a step from the data alone: then the rollout moves nothing
    that the collector goes on from."""
    from ppolint.rules.environment._classes import is_functional
    from ppolint.semantics.components import Environment

    bases = [b for e in step.components if isinstance(e, Environment) for b in e.bases]
    return bool(bases) and all(
        isinstance(b, Environment)
        and (b.name in _STATELESS if b.cls is None else is_functional(b.cls))
        for b in bases
    )


def _shares(step: Any, collector: Any) -> bool:
    """Whether what is rolled out is certainly the object that the collector was given."""
    from ppolint.semantics.components import Environment
    from ppolint.semantics.values import Value

    if step.kind == "foreign_rollout":
        # an environment that comes from elsewhere: the same parameter, or the same call
        given = collector.argument("create_env_fn")
        if not isinstance(given, Value) or step.operand is None:
            return False
        leaves = step.pipeline.wiring.leaves
        held, mine = leaves(given), leaves(step.operand)
        return len(held) == 1 and held == mine and held[0].op in ("param", "attr", "call")
    if collector.shares_env is not True:
        return False
    shared = [e for e in step.components if isinstance(e, Environment) and e in collector.envs]
    return bool(shared) and len(shared) == len([c for c in step.components if c is not None])
