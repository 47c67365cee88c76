"""A scheduler stepped per minibatch with a period counted in batches, or the reverse.

What it does
    Compares the period of a scheduler (`T_max`, `total_iters`, `total_steps`) with the loop it
    is stepped in: a period of `total_frames // frames_per_batch` belongs to a step per batch, a
    longer product to a step per update.

Why is this bad
    Stepped too often, a cosine schedule reaches zero early and climbs back to the full rate,
    again and again. Stepped too rarely, the rate hardly falls.

Example
    scheduler = CosineAnnealingLR(optim, T_max=total_frames // frames_per_batch)
    for data in collector:
        for minibatch in buffer:
            ...
            scheduler.step()

Use instead
    for data in collector:
        for minibatch in buffer:
            ...
        scheduler.step()

What happens at run time
    Nothing is raised. Stepped four times per batch, the rate is at zero after a quarter of
    training and back at the start after half of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO706",
    name="scheduler-period",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A schedule that is stepped at another rate than its period was computed for",
    fix=Applicability.SUGGEST,
)


_PERIODS = ("T_max", "total_iters", "total_steps")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.values import Value

    pipeline = file.pipeline
    told = set()
    for story, _ in training.trained_stories(pipeline):
        loops = training.collector_loops(story)
        for step in story.of("schedule"):
            scheduler = step.component
            if not scheduler or step.span in told:
                continue
            period = _period(scheduler)
            loop = next((candidate for candidate in step.loops if candidate in loops), None)
            if loop is None or not isinstance(period, Value):
                continue
            deeper = len(step.loops) - step.loops.index(loop) - 1
            ratio = _in_batches(file, period, loops[loop])
            if ratio is None:
                continue
            if deeper and ratio == 1:
                problem = "is counted in batches, and this is a step per update"
            elif not deeper and ratio > 1:
                problem = "is counted in updates, and this is a step per batch"
            else:
                continue
            told.add(step.span)
            yield rule.at(
                step.span,
                f"the period of the schedule {problem}",
                help="step it where its period is counted",
                scope=step.scope,
                related=[(*scheduler.span, "the schedule")],
            )


def _period(scheduler: Any) -> Any:
    for name in _PERIODS:
        found = scheduler.argument(name)
        if found is not None:
            return found
    if scheduler.name == "CosineAnnealingLR" and len(scheduler.positionals) > 1:
        return scheduler.positionals[1]
    return None


def _in_batches(file: FileModel, period: Any, collector: Any) -> float | None:
    """The period as a multiple of the number of batches: 1, more (math.inf), or unknown."""
    from ppolint.semantics import training
    from ppolint.semantics.values import Value

    total, frames = collector.total_frames, collector.frames_per_batch
    known = training.number(file, period)
    all_frames, batch = training.number(file, total), training.number(file, frames)
    if known and all_frames and batch:
        ratio = known / max(all_frames // batch, 1)
        return 1 if 0.9 <= ratio <= 1.1 else (ratio if ratio >= 2 else None)
    if not isinstance(total, Value) or not isinstance(frames, Value):
        return None
    factors = training.factors_of(file, period)
    batches = [f for f in factors if _is_division(file, f, total, frames)]
    if not batches:
        batches = _other_factors(file, factors, total, frames)
    if not batches:
        return None
    rest = [f for f in factors if f not in batches[:1] and f.number != 1]
    return 1 if not rest else float("inf")


def _other_factors(file: FileModel, factors: list[Any], total: Any, frames: Any) -> list[Any]:
    """The factor of a period that is the number of batches: `total_frames` is made of it,
    `total_frames=batches * frames_per_batch`."""
    from ppolint.semantics import training

    same = file.pipeline.same
    parts = training.factors_of(file, total)
    others = [p for p in parts if not same(p, frames)]
    if len(others) != 1 or len(parts) != 2:
        return []
    return [f for f in factors if same(f, others[0])]


def _is_division(file: FileModel, value: Any, total: Any, frames: Any) -> bool:
    """Whether a value is `total_frames // frames_per_batch`."""
    core = value.core
    if core.op != "div" and not (core.op == "fn" and core.data == "FloorDivide"):
        return False
    same = file.pipeline.same
    return same(core.args[0], total) and same(core.args[1], frames)
