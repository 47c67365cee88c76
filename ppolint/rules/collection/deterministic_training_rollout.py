"""`env.rollout(n, policy)` for training data, outside `ExplorationType.RANDOM`.

What it does
    Reports a rollout whose data reaches an on-policy loss, an advantage estimator or its
    buffer, when neither `set_exploration_type(ExplorationType.RANDOM)` is around it nor
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


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    if not any(training.on_policy_steps(s) for s in pipeline.training):
        return
    trained = training.trained_rollouts(pipeline)
    told = set()
    for step in pipeline.steps:
        if step.kind != "rollout" or step.result.core not in trained:
            continue
        if step.exploration is not None and step.exploration not in (
            "DETERMINISTIC",
            "MODE",
            "MEAN",
        ):
            continue
        if step.exploration is None and not training.only_known_contexts(step):
            continue
        policy = step.argument(1, "policy")
        if policy is None or not policy or _may_explore(pipeline, policy, step.exploration):
            continue
        if step.span in told:
            continue
        told.add(step.span)
        yield rule.at(
            step.span,
            "this rollout takes the most likely action in every state, and its data is trained "
            "on: the policy never explores",
            help="put `set_exploration_type(ExplorationType.RANDOM)` around it, or use a Collector",
            scope=step.scope,
        )


def _may_explore(pipeline: Any, policy: Any, exploration: Any) -> bool:
    """Whether an actor draws at random by itself, or is not seen."""
    from ppolint.semantics.components import Module

    if exploration is not None:
        return False
    for actor in pipeline.candidates(policy):
        sampler = actor.sampler if isinstance(actor, Module) else None
        if not sampler or sampler.default_interaction not in (
            None,
            "DETERMINISTIC",
            "MODE",
            "MEAN",
        ):
            return True
    return False
