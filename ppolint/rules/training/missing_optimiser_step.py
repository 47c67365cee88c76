"""A PPO loss without `backward()`, or gradients without `step()`.

What it does
    Reports a loss that is computed beside a stepping optimiser and never differentiated, and a
    backward pass in a program whose optimiser never steps. Losses that are only measured
    (`torch.no_grad()`), gradients by `torch.autograd.grad`, and optimisers handed to other code
    (trainers, scalers) are not reported.

Why is this bad
    Training runs, and nothing is learned.

Example
    loss.backward()
    optim.zero_grad()

Use instead
    loss.backward()
    optim.step()
    optim.zero_grad()

What happens at run time
    Nothing is raised. No parameter changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO702",
    name="missing-optimiser-step",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A loss that never gets to the parameters",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    yield from _never_differentiated(file)
    yield from _never_stepped(file)


def _never_differentiated(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Optimiser

    for story in file.pipeline.stories:
        steps = training.ppo_steps(story)
        stepped = [s for s in story.of("step") if isinstance(s.component, Optimiser)]
        if not steps or not stepped or story.of("backward") or _takes_gradients(file):
            continue
        step = steps[-1]
        yield rule.at(
            step.span,
            "no gradients are taken of this loss: the optimiser steps, and nothing changes",
            help="call `backward()` on the sum of its terms before `step()`",
            scope=step.scope,
        )


def _takes_gradients(file: FileModel) -> bool:
    """Whether gradients are taken by a function rather than by `backward()`."""
    names = ("torch.autograd.grad", "torch.autograd.backward", "torch.func.grad")
    if file.calls(*names):
        return True
    return any(e.kind == "method" and "backward" in str(e.key) for e in file.events)


def _never_stepped(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    for story, steps in training.trained_stories(pipeline):
        if story.of("step") or not pipeline.optimisers:
            continue
        if any(o.methods("step") for o in pipeline.optimisers):
            continue
        if any(training.has_unseen_use(pipeline, o) for o in pipeline.optimisers):
            continue
        mine = [o for o in pipeline.optimisers if _is_for(o, steps[0])]
        if not mine:
            continue
        backward = story.of("backward")[-1]
        if training.told_there([backward, steps[0]], [*mine, *steps[0].components]):
            continue
        yield rule.at(
            backward.span,
            f"the gradients are computed and `{mine[0].label or 'the optimiser'}` never steps: "
            "nothing is learned",
            help="call `step()` on the optimiser after `backward()`",
            scope=backward.scope,
        )


def _is_for(optimiser: Any, step: Any) -> bool:
    """Whether an optimiser is built in the same run, or has the parameters of the loss."""
    from ppolint.semantics import training

    if optimiser.site.root is step.site.root:
        return True
    return bool(training.parameters(optimiser) & set(step.components))
