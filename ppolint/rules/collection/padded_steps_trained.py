"""`split_trajs=True` without a use of the mask: PPO trains on padding.

What it does
    Reports a collector with `split_trajs=True` in a file that trains a PPO loss and never reads
    the `"mask"` entry.

Why is this bad
    Split trajectories are padded with zeros to the length of the longest one. The padding
    counts as data: for the advantage, for the normalisation, for the loss.

Example
    collector = Collector(env, policy, frames_per_batch=2048, split_trajs=True)
    for data in collector:
        buffer.extend(data.reshape(-1))

Use instead
    collector = Collector(env, policy, frames_per_batch=2048)
    # or, with split trajectories:
        buffer.extend(data[data["collector", "mask"]])

What happens at run time
    Nothing is raised. Two environments and 56 frames, in episodes of 20 steps, come as a batch
    of 80 rows, 24 of them zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO506",
    name="padded-steps-trained",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Padding of split trajectories is trained on",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    pipeline = file.pipeline
    if not _trains(pipeline) or _reads_mask(file):
        return
    for collector in pipeline.collectors:
        if collector.argument("split_trajs") is None or not collector.flag("split_trajs", False):
            continue
        if not collector.here and _is_told_there(pipeline, collector):
            continue
        node = file.keyword_node(collector.call, "split_trajs") if collector.here else None
        yield rule.at(
            file.span(node) if node is not None else collector.span,
            "`split_trajs=True` pads every trajectory with zeros, and nothing here reads the mask: "
            "the padding is trained on",
            help='leave `split_trajs` out, or index with `data["collector", "mask"]`',
            scope=collector.site.frame.scope,
        )


def _trains(pipeline: Any) -> bool:
    """Whether a loss of the PPO family is trained on batches of a collector, a loss of the project
    that computes its terms itself included."""
    from ppolint.semantics import training

    if training.trained_stories(pipeline):
        return True
    return any(loss.is_ppo for loss in pipeline.losses) and any(
        training.collector_loops(story) and story.of("backward") for story in pipeline.stories
    )


def _is_told_there(pipeline: Any, collector: Any) -> bool:
    """Whether the file that builds the collector builds the loss as well."""
    module = collector.site.frame.module
    return any(loss.is_ppo and loss.site.frame.module is module for loss in pipeline.losses)


def _reads_mask(file: FileModel) -> bool:
    return any(isinstance(v.data, str) and "mask" in v.data for v in file.of_op("const"))
