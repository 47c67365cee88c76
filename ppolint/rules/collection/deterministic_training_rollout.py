"""`env.rollout(n, policy)` for training data, outside `ExplorationType.RANDOM`.

What it does
    Reports a rollout whose data reaches an on-policy loss, an advantage estimator or its
    buffer, and the call of the policy in a loop over `env.step` that does the same, when neither `set_exploration_type(ExplorationType.RANDOM)` is around it nor
    `default_interaction_type=RANDOM` in the actor.

Why is this bad
    A rollout takes the mode of the action distribution by default. PPO learns from the
    difference between sampled actions: without any, there is nothing to learn from.

Example
    with torch.no_grad():
        data = env.rollout(2048, policy, break_when_any_done=False)
    gae(data)

Use instead
    with torch.no_grad(), set_exploration_type(ExplorationType.RANDOM):
        data = env.rollout(2048, policy, break_when_any_done=False)
    # or a Collector, which explores by default

What happens at run time
    Nothing is raised. From one start, the first actions of eight rollouts have a standard
    deviation of 0; under `ExplorationType.RANDOM` they differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO510",
    name="deterministic-training-rollout",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Training data from a rollout that does not explore",
    fix=Applicability.SUGGEST,
)


_DETERMINISTIC = ("DETERMINISTIC", "MODE", "MEAN")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import stepping, training

    pipeline = file.pipeline
    if not any(training.on_policy_steps(s) for s in pipeline.training):
        return
    trained = training.trained_rollouts(pipeline)
    told = set()
    for step in pipeline.steps:
        if step.kind != "rollout" or step.result.core not in trained or step.span in told:
            continue
        policy = step.argument(1, "policy")
        if policy and _never_explores(step, pipeline.candidates(policy)):
            told.add(step.span)
            yield _finding(step, "this rollout takes the most likely action in every state")
    for turn in stepping.collections(pipeline):
        step = turn.policy
        if step.span not in told and _never_explores(step, step.components):
            told.add(step.span)
            yield _finding(step, "this takes the most likely action in every state")


def _finding(step: Any, what: str) -> Finding:
    return rule.at(
        step.span,
        f"{what}, and its data is trained on: the policy never explores",
        help="put `set_exploration_type(ExplorationType.RANDOM)` around it, or use a Collector",
        scope=step.scope,
    )


def _never_explores(step: Any, actors: tuple) -> bool:
    """Whether an actor takes its most likely action at a step."""
    from ppolint.semantics import training

    if step.exploration is not None:
        return step.exploration in _DETERMINISTIC
    return training.only_known_contexts(step) and not _may_explore(actors)


def _may_explore(actors: tuple) -> bool:
    """Whether an actor draws at random by itself, or is not seen."""
    from ppolint.semantics.components import Module

    for actor in actors:
        sampler = actor.sampler if isinstance(actor, Module) else None
        if not sampler or sampler.default_interaction not in (None, *_DETERMINISTIC):
            return True
    return False
