"""`zero_grad()` between `backward()` and `step()`.

What it does
    Reports gradients that are cleared after they were computed and before the optimiser uses
    them. Optimisers that take turns, clearing under a condition (a loss that is not finite),
    and gradients that the program puts into `.grad` itself are not reported.

Why is this bad
    The step is taken with gradients of zero (or none): the parameters stay where they are.

Example
    loss.backward()
    optim.zero_grad()
    optim.step()

Use instead
    optim.zero_grad()
    loss.backward()
    optim.step()

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
    code="PPO703",
    name="gradient-order",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Gradients are cleared between backward and step",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    told = set()
    for story in pipeline.training:
        order = story.of("backward", "zero_grad", "step")
        if training.sets_gradients(story):
            continue
        for at, zero in enumerate(order):
            if zero.kind != "zero_grad" or zero.span in told:
                continue
            before = _preceding(order[:at], zero)
            after = _following(order[at + 1 :], zero)
            if before is None or after is None or after.kind != "step":
                continue
            if not training.share(zero, after, pipeline):
                continue
            if any(c not in after.conditions for c in zero.conditions):
                continue
            if training.told_there([before, zero, after], [*zero.components, *after.components]):
                continue
            told.add(zero.span)
            yield rule.at(
                zero.span,
                "the gradients are cleared between `backward()` and `step()`: the step changes "
                "nothing",
                help="clear them before `backward()` or after `step()`",
                scope=zero.scope,
                fix=_fix(file, before, zero),
            )


def _following(steps: list[Any], zero: Any) -> Any:
    """What is done next in the same loop, but for clearing the gradients on some paths."""
    for step in steps:
        on_some_paths = any(c not in zero.conditions for c in step.conditions)
        if step.loops == zero.loops and not (step.kind == "zero_grad" and on_some_paths):
            return step
    return None


def _preceding(steps: list[Any], zero: Any) -> Any:
    """The first backward pass since the last step or clearing, if one is in the same loop."""
    found = None
    for step in steps:
        if step.loops != zero.loops:
            continue
        if step.kind == "backward":
            found = found or step
        else:
            found = None
    return found


def _fix(file: FileModel, backward: Any, zero: Any) -> Any:
    from ppolint.semantics import edits

    if not zero.here or backward.site.frame is not zero.site.frame:
        return None
    changes = edits.move_before(file, zero.site.statement, backward.site.statement)
    return rule.mend("clear the gradients before `backward()`", *changes) if changes else None
