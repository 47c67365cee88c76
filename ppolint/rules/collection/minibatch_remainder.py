"""Epochs that do not show every frame, or a total that is not a multiple of the batch.

What it does
    Reports a loop of `frames // minibatch` minibatches where the division leaves a remainder,
    a collector whose `total_frames` is no multiple of `frames_per_batch`, and a buffer with less
    room than the batch that is put into it. Only known numbers are compared.

Why is this bad
    The loop ends before the sampler has shown every frame. What is left comes first in the
    next epoch, as one small minibatch, so that every epoch after the first shows some frames
    twice and others not at all. A total that does not divide makes the last batch go past it,
    and schedules computed from the total end early.

Example
    frames_per_batch, minibatch = 1000, 64
    for _ in range(frames_per_batch // minibatch):
        rows = buffer.sample(minibatch)

Use instead
    buffer = ReplayBuffer(storage=storage, sampler=SamplerWithoutReplacement(), batch_size=64)
    for rows in buffer:  # every frame, the last minibatch is smaller
        ...

What happens at run time
    With 100 frames and minibatches of 30 the first epoch sees 90 frames; the second draws
    10, 30 and 30 of them, the third 30, 10 and 30. Extending the buffer once more does not start
    the sampler afresh. A storage of 4 rows keeps the last 4 of 10, without a word. A collector with batches of 30 and a total of 100 collects 120 frames, with
    a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO505",
    name="minibatch-remainder",
    severity=Severity.INFO,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Frames that no minibatch gets, or a total that is no multiple of the batch",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Buffer

    pipeline = file.pipeline
    for buffer, (story, _) in training.feeding_buffers(pipeline).items():
        for step in story.of("sample"):
            if step.method != "sample" or buffer not in step.components or not step.loops:
                continue
            if not isinstance(buffer, Buffer) or buffer.without_replacement is not True:
                continue  # rows that are drawn with replacement make no passes
            loop = step.loops[-1]
            size = step.argument(0, "batch_size")
            if size is None:
                size = buffer.batch_size
            rows = training.number(file, size)
            found = _floor_division(file, loop.iterable)
            if not rows or found is None or found[1] != rows:
                continue
            left = int(found[0] % rows)
            if left:
                yield rule.at(
                    file.at(loop.node.iter, step.site),
                    f"these minibatches leave {left} of {found[0]:g} frames out: "
                    f"{found[0]:g} is no multiple of {rows:g}",
                    help="choose sizes that divide, or iterate over the buffer",
                    scope=step.scope,
                )
        yield from _overflow(file, buffer)
    for collector in _trained_collectors(pipeline):
        frames = training.number(file, collector.frames_per_batch)
        total = training.number(file, collector.total_frames)
        if not frames or not total or total < 0 or total % frames == 0:
            continue
        node = file.keyword_node(collector.call, "total_frames") if collector.here else None
        yield rule.at(
            file.span(node) if node is not None else collector.span,
            f"{total:,.0f} frames are no multiple of the batch of {frames:,.0f}: "
            f"{-(-total // frames) * frames:,.0f} are collected",
            help="make `total_frames` a multiple of `frames_per_batch`",
            scope=collector.site.frame.scope,
        )


def _overflow(file: FileModel, buffer: Any) -> Iterator[Finding]:
    """A flat batch of which the storage has no room for the first frames."""
    from ppolint.semantics import training
    from ppolint.semantics.components import Collector

    room = training.number(file, buffer.capacity)
    if not room or buffer.cls is not None:
        return
    for step in file.pipeline.fed(buffer):
        paths = step.data.paths
        if step.method != "extend" or not paths:
            continue
        if not all(isinstance(p.component, Collector) and _is_whole(p) for p in paths):
            continue
        frames = min(training.number(file, p.component.frames_per_batch) or 0 for p in paths)
        if frames > room:
            yield rule.at(
                step.span,
                f"the buffer keeps the last {room:,.0f} of the {frames:,.0f} frames of a batch: no "
                "minibatch gets the others",
                help="give its storage room for a batch",
                scope=step.scope,
                severity=Severity.WARNING,
            )


def _is_whole(path: Any) -> bool:
    """Whether every frame of the batch is a row of its own."""
    from ppolint.semantics import training

    if any(o.kind in ("index", "chunk", "split", "opaque", "key") for o in path.operations):
        return False
    return any(o.flattens for o in path.operations) or training.is_batched(path) is False


def _trained_collectors(pipeline: Any) -> list[Any]:
    """The collectors whose batches a PPO loss is trained on."""
    from ppolint.semantics import training

    out: dict[Any, None] = {}
    for story, _ in training.trained_stories(pipeline):
        out.update(dict.fromkeys(training.collector_loops(story).values()))
    return list(out)


def _floor_division(file: FileModel, iterable: Any) -> tuple[float, float] | None:
    """The numbers of `range(a // b)`."""
    from ppolint.semantics import training

    core = iterable.core if iterable is not None else None
    if core is None or core.op != "fn" or core.data != "range" or len(core.args) != 1:
        return None
    leaves = file.pipeline.wiring.leaves(core.args[0])
    if len(leaves) != 1 or leaves[0].op != "fn" or leaves[0].data != "FloorDivide":
        return None
    left, right = (training.number(file, a) for a in leaves[0].args)
    return (left, right) if left is not None and right else None
