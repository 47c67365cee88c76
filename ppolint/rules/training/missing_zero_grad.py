"""A loop with `backward()` and `step()` and no `zero_grad()`.

What it does
    Reports a loop that computes a TorchRL loss, takes its gradients and steps an optimiser, in
    which nothing clears the gradients. Accumulation on purpose (a step or a clearing under a
    condition, gradients set to None) is not reported.

Why is this bad
    `backward()` adds to the gradients that are there. Every step is taken along the sum of all
    gradients since the start.

Example
    for minibatch in buffer:
        loss = total(loss_module(minibatch))
        loss.backward()
        optim.step()

Use instead
    for minibatch in buffer:
        loss = total(loss_module(minibatch))
        optim.zero_grad()
        loss.backward()
        optim.step()

What happens at run time
    Nothing is raised. The gradient of the third minibatch is more than one and a half times as
    long as its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO701",
    name="missing-zero-grad",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Gradients are never cleared between minibatches",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Optimiser

    pipeline = file.pipeline
    told = set()
    for story in pipeline.training:
        for loop in _loops(story):
            inside = [s for s in story.steps if s.loops[-1:] == (loop,)]
            backward = next((s for s in inside if s.kind == "backward"), None)
            if backward is None or backward.span in told:
                continue
            group = training.together(backward, story, "step", "zero_grad", "loss")
            stepped = [s for s in group if s.kind == "step" and isinstance(s.component, Optimiser)]
            if not stepped or any(s.kind == "zero_grad" for s in group):
                continue
            if not any(s.kind == "loss" for s in story.steps):
                continue
            some_steps_only = any(
                c not in backward.conditions for s in stepped for c in s.conditions
            )
            if some_steps_only and any(s.kind == "zero_grad" for s in pipeline.steps):
                continue  # gradients of several minibatches are meant, and cleared somewhere
            if _clears_by_hand(file) or any(
                training.has_unseen_use(pipeline, s.component) for s in stepped
            ):
                continue
            if training.told_there([backward, *stepped], [s.component for s in stepped]) and (
                backward.site.frame is backward.site.root or loop in _own_loops(backward)
            ):
                continue
            told.add(backward.span)
            yield rule.at(
                backward.span,
                "nothing in this loop clears the gradients: each step follows the sum of all "
                "gradients so far",
                help="call `zero_grad()` on the optimiser in every iteration",
                scope=backward.scope,
                fix=_fix(file, stepped[-1]),
            )


def _own_loops(step: Any) -> list[Any]:
    """The loops around a step in its own function."""
    out, loop = [], step.site.loop
    while loop is not None:
        out.append(loop)
        loop = loop.parent
    return out


def _loops(story: Any) -> list[Any]:
    return list(dict.fromkeys(s.loops[-1] for s in story.of("backward") if s.loops))


def _clears_by_hand(file: FileModel) -> bool:
    """Whether gradients are set to None somewhere."""
    return any(e.kind == "setattr" and e.key == "grad" for e in file.events) or any(
        e.kind == "method" and e.key == "zero_" for e in file.events
    )


def _fix(file: FileModel, step: Any) -> Any:
    import libcst as cst

    from ppolint.semantics import edits

    if not step.here or not isinstance(step.node.func, cst.Attribute):
        return None
    optimiser = edits.text_of(file, step.node.func.value)
    change = edits.insert_after(file, step.site.statement, f"{optimiser}.zero_grad()")
    return rule.mend("clear the gradients after the step", change) if change else None
