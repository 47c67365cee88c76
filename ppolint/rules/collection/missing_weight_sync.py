"""A policy that the collector copied is never brought up to date.

What it does
    Reports a collector that has to work on a copy of the policy (another `policy_device` than
    the policy's, a `policy_factory`, workers on other machines) and whose
    `update_policy_weights_()` is never called. A policy that is shared, on one device, follows
    training by itself.

Why is this bad
    The copy keeps its first weights: every batch is collected by the untrained policy, and
    PPO's ratio drifts away from 1 with every update.

Example
    policy.to("cuda")
    collector = Collector(env, policy, policy_device="cpu", frames_per_batch=2048)
    for data in collector:
        update(data)

Use instead
    for data in collector:
        update(data)
        collector.update_policy_weights_()

What happens at run time
    Nothing is raised. After the weights of the trained policy are set to zero, a collector with
    a copy goes on with the old actions; one that shares the policy stops moving at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO509",
    name="missing-weight-sync",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A collector's copy of the policy is never updated",
    fix=Applicability.SUGGEST,
)


_REMOTE = frozenset(
    {"DistributedCollector", "DistributedSyncCollector", "RPCCollector", "RayCollector"}
)
_SYNC = ("update_policy_weights_", "receive_weights", "init_updater")
_OWN_SYNC = (
    "weight_updater", "weight_sync_schemes", "local_weight_updater", "remote_weight_updater",
    "update_after_each_batch", "update_at_each_batch", "trust_policy",
)  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    for story, _ in training.trained_stories(pipeline):
        for collector in dict.fromkeys(training.collector_loops(story).values()):
            why = _copies(file, collector)
            if not why or collector.methods(*_SYNC) or not collector.sealed:
                continue
            if any(collector.argument(name) is not None for name in _OWN_SYNC):
                continue
            if not _is_first(story, collector, pipeline):
                continue
            if training.has_unseen_use(pipeline, collector):
                continue
            yield rule.at(
                collector.span,
                f"{why}, and `update_policy_weights_()` is never called: every batch is collected "
                "with the weights of the start",
                help="call `update_policy_weights_()` on the collector after each update",
                scope=collector.site.frame.scope,
            )


def _is_first(story: Any, collector: Any, pipeline: Any) -> bool:
    """Whether this is the first story that collects from it, so that it is told once."""
    from ppolint.semantics import training

    for other, _ in training.trained_stories(pipeline):
        if collector in training.collector_loops(other).values():
            return other is story
    return False


def _copies(file: FileModel, collector: Any) -> str:
    """Why the collector works on a copy of the policy; empty when it may not."""
    factory = collector.argument("policy_factory")
    if factory is not None:
        return "each worker builds a policy of its own" if factory else ""
    if collector.name in _REMOTE:
        return "the workers have copies of the policy"
    wanted = _device(file, collector.argument("policy_device") or collector.argument("device"))
    policy = collector.policy
    if not wanted or not policy:
        return ""
    placed = [s for s in policy.methods("to", "cuda") if s.index < 10**9]
    if not placed:
        return ""
    last = placed[-1]
    actual = "cuda" if last.method == "cuda" else _device(file, last.args[0] if last.args else None)
    if actual and actual.partition(":")[0] != wanted.partition(":")[0]:
        return f"the policy is on {actual} and the collector copies it to {wanted}"
    return ""


def _device(file: FileModel, value: Any) -> str:
    """A device as text, where it is certain."""
    from ppolint.semantics.values import Value

    if not isinstance(value, Value):
        return ""
    leaves = file.pipeline.wiring.leaves(value)
    if len(leaves) != 1:
        return ""
    leaf = leaves[0]
    if leaf.op == "call" and leaf.args[0].dotted == "torch.device" and len(leaf.args) > 1:
        leaf = leaf.args[1].core
    return leaf.string or ""
