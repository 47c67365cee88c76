"""A recurrent policy trained on single steps in random order.

What it does
    Reports a PPO loss whose actor has an `LSTMModule` or `GRUModule`, applied to rows that were
    drawn one by one: from a flattened batch in a buffer that does not sample slices, or by a random
    index.

Why is this bad
    The loss runs the recurrent network over the rows as if they were consecutive in time, so the
    new log-probabilities belong to another policy than the stored ones. The ratio is off before the
    first update.

Example
    buffer = ReplayBuffer(storage=LazyTensorStorage(1000), sampler=SamplerWithoutReplacement())
    buffer.extend(batch.reshape(-1))
    loss = loss_module(buffer.sample(100))

Use instead
    buffer = ReplayBuffer(
        storage=LazyTensorStorage(1000),
        sampler=SliceSamplerWithoutReplacement(
            slice_len=20, traj_key=("collector", "traj_ids"), strict_length=False
        ),
    )
    buffer.extend(batch.reshape(-1))
    loss = loss_module(buffer.sample(100))

What happens at run time
    In the first epoch, where old and new policy are the same, `kl_approx` is above 0.001 on
    shuffled rows and below 0.00001 on the same rows in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import LEARNS

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO411",
    name="recurrent-on-shuffled-rows",
    severity=Severity.WARNING,
    needs=(LEARNS,),
    summary="A recurrent policy trained on shuffled single steps",
    fix=Applicability.SUGGEST,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._recurrent import recurrent_parts
    from ppolint.semantics.components import Loss

    seen = set()
    for step in file.pipeline.steps:
        if step.kind != "loss" or step.span in seen:
            continue
        losses = [c for c in step.components if isinstance(c, Loss) and c.is_ppo]
        if not any(recurrent_parts(actor) for loss in losses for actor in loss.actors):
            continue
        paths = file.pipeline.history(step)
        if not paths or not all(_shuffled(path) for path in paths):
            continue
        seen.add(step.span)
        yield rule.at(
            step.span,
            "the actor is recurrent, and the rows given to the loss are single steps in random "
            "order",
            help="sample slices of consecutive steps (`SliceSamplerWithoutReplacement`), or "
            "train on "
            "whole sequences",
            scope=step.scope,
        )


def _shuffled(path: Any) -> bool:
    """Whether rows of a flat batch come out in random order."""
    from ppolint.semantics.components import Collector, Environment

    flat = _is_flat(path.component, Collector, Environment)
    for operation in path.operations:
        if operation.flattens:
            flat = True
        elif operation.kind in ("stack", "split", "reshape") and not operation.flattens:
            return False
        elif operation.kind == "sample":
            buffer = operation.component
            if not hasattr(buffer, "samples_slices") or buffer.samples_slices is not False:
                return False
            return flat
        elif operation.kind == "index" and operation.name == "tensor":
            return flat
    return False


def _is_flat(source: Any, collector: type, environment: type) -> bool:
    """Whether batches of the source have one dimension, time."""
    if isinstance(source, collector):
        if source.flag("split_trajs", False) is True:  # type: ignore[attr-defined]
            return False
        source = source.env  # type: ignore[attr-defined]
    return isinstance(source, environment) and source.is_batched is False  # type: ignore[attr-defined]
