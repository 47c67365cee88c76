"""An evaluation on the environment object that the collector is stepping.

What it does
    Reports a rollout, between two batches of a collector, on the environment object that the
    collector was given (as it is, or by a `lambda` that returns it); the same for a loop that
    calls the policy and `env.step`. An environment of its own, a factory, and rollouts before or
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
        if not loops:
            continue
        by_hand = [s.env for s in stepping.evaluations(file.pipeline, story)]
        for step in (*story.of("rollout", "foreign_rollout"), *by_hand):
            if step.span in told:
                continue
            loop = next((candidate for candidate in step.loops if candidate in loops), None)
            if loop is None:
                continue
            collector = loops[loop]
            if collector.multi_process or not _shares(step, collector):
                continue
            given = collector.arguments.get("reset_at_each_iter")
            if given is not None and file.pipeline.constant(given) is not False:
                continue  # every batch starts with a reset, wherever the environment was left
            if _keeps_no_state(step):
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
