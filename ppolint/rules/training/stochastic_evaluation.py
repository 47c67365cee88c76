"""An evaluation rollout under `ExplorationType.RANDOM`.

What it does
    Reports rollouts between two batches of training whose data is not trained on, and loops that
    call the policy and `env.step` there, when they are under `RANDOM`, or when the actor samples
    by default (`default_interaction_type=RANDOM`) and no context says otherwise.

Why is this bad
    What is measured is the exploring policy: its returns are lower and noisier than those of
    the policy that was learned.

Example
    policy = ProbabilisticActor(..., default_interaction_type=ExplorationType.RANDOM)
    with torch.no_grad():
        eval_env.rollout(1000, policy)

Use instead
    with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
        eval_env.rollout(1000, policy)

What happens at run time
    Nothing is raised. From one start, eight rollouts begin with eight different actions.
    Without a default, a rollout is deterministic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO715",
    name="stochastic-evaluation",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="An evaluation that samples its actions",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import stepping, training

    pipeline = file.pipeline
    trained = training.trained_rollouts(pipeline)
    told = set()
    for story in pipeline.stories:
        loops = set(training.collector_loops(story)) | training.training_loops(story)
        for step in story.of("rollout"):
            if step.span in told or step.result.core in trained:
                continue
            if not any(loop in loops for loop in step.loops):
                continue
            policy = step.argument(1, "policy")
            why = _why(pipeline, step, pipeline.candidates(policy)) if policy else ""
            if why:
                told.add(step.span)
                yield _finding(step, why)
        for turn in stepping.evaluations(pipeline, story):
            if turn.policy.span in told:
                continue
            why = _why(pipeline, turn.policy, turn.policy.components)
            if why:
                told.add(turn.policy.span)
                yield _finding(turn.policy, why)


def _finding(step: Any, why: str) -> Finding:
    return rule.at(
        step.span,
        f"this evaluation samples its actions: {why}",
        help="put `set_exploration_type(ExplorationType.DETERMINISTIC)` around it",
        scope=step.scope,
    )


def _why(pipeline: Any, step: Any, policies: tuple) -> str:
    """Why the actions are random; empty when they are not, or it cannot be seen."""
    from ppolint.semantics import training
    from ppolint.semantics.components import Module

    if step.exploration == "RANDOM":
        return "the exploration type is RANDOM"
    if step.exploration is not None:
        return ""
    samplers = [c.sampler if isinstance(c, Module) else None for c in policies]
    if samplers and all(s and s.default_interaction == "RANDOM" for s in samplers):
        if training.only_known_contexts(step):
            return "the actor's `default_interaction_type` is RANDOM"
    return ""
