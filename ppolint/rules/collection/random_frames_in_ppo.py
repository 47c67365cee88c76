"""`init_random_frames` in front of a PPO loss.

What it does
    Reports a collector with a positive `init_random_frames` in a file that trains a PPO loss on
    its batches.

Why is this bad
    Frames at random actions were not drawn from the policy. Their log-probability is stored as
    0, so the ratio of the first update is wrong for every row.

Example
    collector = Collector(env, policy, frames_per_batch=2048, init_random_frames=5000)

Use instead
    collector = Collector(env, policy, frames_per_batch=2048)

What happens at run time
    Nothing is raised. `action_log_prob` of the random batches is 0.0 everywhere and the loss
    reports a clip fraction of 1.0: nearly all of their gradient is clipped away or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO508",
    name="random-frames-in-ppo",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Random frames are collected for PPO",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import edits, training

    pipeline = file.pipeline
    trained = {
        p.component
        for _, steps in training.trained_stories(pipeline)
        for step in steps
        for p in pipeline.history(step)
    }
    for collector in pipeline.collectors:
        given = collector.argument("init_random_frames")
        frames = training.number(file, given)
        some = frames is not None and frames > 0
        # as many as in a batch are some, whatever the number is
        some = some or pipeline.same(given, collector.frames_per_batch)
        if not some or collector not in trained:
            continue
        node = file.keyword_node(collector.call, "init_random_frames") if collector.here else None
        fix = None
        if node is not None:
            change = edits.remove_argument(file, collector.node, node)
            fix = rule.mend("collect with the policy from the start", change)
        yield rule.at(
            file.span(node) if node is not None else collector.span,
            "random frames are stored with a log-probability of 0: the PPO ratio of every one of "
            "them is wrong",
            help="leave `init_random_frames` out; it is for off-policy losses",
            scope=collector.site.frame.scope,
            fix=fix,
        )
