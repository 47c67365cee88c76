"""The buffer that feeds a PPO loss holds more than one batch and is never emptied.

What it does
    Compares the capacity of the storage with `frames_per_batch` of the collector that fills it.
    Buffers that are emptied, or made anew for every batch, are not reported, nor are sizes that
    cannot be compared.

Why is this bad
    PPO is on-policy: the frames of earlier policies have other log-probabilities and advantages
    of an older critic. The importance ratio was never meant to bridge more than one update.

Example
    buffer = ReplayBuffer(storage=LazyTensorStorage(1_000_000), sampler=SamplerWithoutReplacement())
    for data in collector:  # 2,048 frames
        buffer.extend(data.reshape(-1))

Use instead
    buffer = ReplayBuffer(
        storage=LazyTensorStorage(frames_per_batch), sampler=SamplerWithoutReplacement()
    )

What happens at run time
    Nothing is raised. With room for four batches, two thirds of the rows that are drawn after
    the third batch come from the two before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO502",
    name="stale-replay-storage",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="The buffer that feeds a PPO loss keeps frames of earlier policies",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Collector, Component

    pipeline = file.pipeline
    for buffer in training.feeding_buffers(pipeline):
        if buffer.methods("empty") or buffer.cls is not None:
            continue
        collectors = {
            p.component
            for step in pipeline.fed(buffer)
            for p in step.data.paths
            if isinstance(p.component, Collector)
        }
        if len(collectors) != 1:
            continue
        collector = collectors.pop()
        fed = pipeline.fed(buffer)
        loops = {loop for step in fed for loop in step.loops}
        if any(loop in loops for loop in _loops(buffer)):
            continue
        batches = _batches(file, buffer.capacity, collector.frames_per_batch)
        if batches is None or batches <= 1:
            continue
        storage = buffer.storage
        place = storage if isinstance(storage, Component) else buffer
        room = f"{batches:g} batches" if batches < 1e5 else "many batches"
        yield rule.at(
            place.span,
            f"the storage has room for {room} and is never emptied: PPO trains on frames of "
            "earlier policies",
            help="make it as large as one batch of the collector (or call `empty()` before "
            "`extend`)",
            scope=buffer.site.frame.scope,
            fix=_fix(file, place, buffer.capacity, collector),
            related=[(*collector.span, "the collector")],
        )


def _loops(component: Any) -> list[Any]:
    return list(component.site.loops())


def _batches(file: FileModel, capacity: Any, frames: Any) -> float | None:
    """How many batches fit: by numbers, or by the factors of `n * frames_per_batch`."""
    from ppolint.semantics import training
    from ppolint.semantics.values import Value

    if capacity is None:
        size: float | None = 1000.0
    else:
        size = training.number(file, capacity)
    batch = training.number(file, frames)
    if size is not None and batch:
        return size / batch
    if not isinstance(capacity, Value) or not isinstance(frames, Value):
        return None
    rest = list(training.factors_of(file, capacity))
    for factor in training.factors_of(file, frames):
        if factor not in rest:
            return None
        rest.remove(factor)
    total = 1.0
    for factor in rest:
        known = training.number(file, factor)
        if known is None:
            return None
        total *= known
    return total


def _fix(file: FileModel, storage: Any, capacity: Any, collector: Any) -> Any:
    """Write the collector's `frames_per_batch` for the size, where both are written here."""
    from ppolint.semantics import edits

    if not storage.here or not collector.here or storage.kind != "storage":
        return None
    frames = file.keyword_node(collector.call, "frames_per_batch")
    size = file.keyword_node(storage.call, "max_size")
    if size is None and storage.node.args and storage.node.args[0].keyword is None:
        size = storage.node.args[0]
    if frames is None or size is None or storage.site.frame is not collector.site.frame:
        return None
    text = edits.text_of(file, frames.value)
    return rule.mend("hold one batch", Edit(*file.span(size.value), text))
