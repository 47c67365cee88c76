"""Gradients are clipped when they are not used any more, or before they exist.

What it does
    Reports `clip_grad_norm_` and `clip_grad_value_` in a loop where no gradient is computed
    before them and used after them. A call with an infinite limit, to measure the norm, and a
    loop that puts gradients into `.grad` itself are not reported.

Why is this bad
    The step was taken with the full gradient. Large updates that the clipping was to prevent
    happen.

Example
    loss.backward()
    optim.step()
    clip_grad_norm_(loss_module.parameters(), 0.5)

Use instead
    loss.backward()
    clip_grad_norm_(loss_module.parameters(), 0.5)
    optim.step()

What happens at run time
    Nothing is raised. With a limit of 0.001 and plain gradient descent the step is longer than
    0.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO704",
    name="clip-after-step",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Gradient clipping that clips nothing",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    told = set()
    for story in pipeline.training:
        clips = story.of("clip")
        if clips and training.sets_gradients(story):
            continue
        for clip in clips:
            if clip.span in told or _measures(file, clip):
                continue
            order = [
                s
                for s in story.of("backward", "zero_grad", "step")
                if s.loops == clip.loops
                and (s.kind != "zero_grad" or all(c in clip.conditions for c in s.conditions))
            ]
            if not any(s.kind == "backward" for s in order):
                continue
            if not any(s.kind == "step" for s in order) or _is_effective(order, clip):
                continue
            steps = [clip, *(s for s in order if s.kind != "zero_grad")]
            if training.told_there(steps, [c for s in steps for c in s.components]):
                continue
            told.add(clip.span)
            yield rule.at(
                clip.span,
                "this clips nothing: the gradients were used by `step()` already, or are not "
                "computed yet",
                help="clip between `backward()` and `step()`",
                scope=clip.scope,
                fix=_fix(file, order, clip),
            )


def _is_effective(order: list[Any], clip: Any) -> bool:
    """Whether a gradient is computed before, used after, and not cleared in between."""
    from ppolint.semantics import training

    computed = False
    for step in order:
        if step.index >= clip.index:
            break
        if step.kind == "backward":
            computed = True
        elif step.kind == "zero_grad" and training.share(step, clip, clip.pipeline):
            computed = False
    if not computed:
        return False
    for step in order:
        if step.index <= clip.index or not training.share(step, clip, clip.pipeline):
            continue
        if step.kind == "backward":
            continue
        return step.kind == "step"
    return False


def _measures(file: FileModel, clip: Any) -> bool:
    """Whether the limit is infinite: the call is there for the norm it returns."""
    limit = clip.argument(1, "max_norm")
    if not limit:
        return limit is not None
    core = limit.core
    if core.dotted in ("math.inf", "numpy.inf", "torch.inf"):
        return True
    if core.op == "call" and core.args[0].dotted == "builtins.float":
        return True
    return core.number is not None and core.number >= 1e6


def _fix(file: FileModel, order: list[Any], clip: Any) -> Any:
    """Exchange the clipping with the step right in front of it."""
    from ppolint.semantics import edits

    if not clip.here:
        return None
    for step in order:
        if step.kind == "step" and step.site.frame is clip.site.frame:
            changes = edits.swap_neighbours(file, step.site.statement, clip.site.statement)
            if changes:
                return rule.mend("clip before the step", *changes)
    return None
