"""The advantage is normalised by the estimator (or by hand) and again by the loss.

What it does
    Reports `average_gae=True`, or a normalisation written out, beside a loss with
    `normalize_advantage=True`.

Why is this bad
    The second normalisation undoes what the first one was chosen for: per batch or per
    minibatch is a decision, and the code says both.

Example
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic, average_gae=True)
    loss_module = ClipPPOLoss(actor, critic, normalize_advantage=True)

Use instead
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss_module = ClipPPOLoss(actor, critic, normalize_advantage=True)

What happens at run time
    Nothing is raised. `loss_objective` of an unchanged policy is about 0 with the second
    normalisation, whatever the mean of the minibatch's advantages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO612",
    name="double-advantage-normalisation",
    severity=Severity.INFO,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="The advantage is normalised twice",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    for estimator, loss in training.links(pipeline):
        if loss.flag("normalize_advantage", False) is not True:
            continue
        if estimator.flag("average_gae", False) is not True:
            continue
        node = file.keyword_node(estimator.call, "average_gae") if estimator.here else None
        yield rule.at(
            file.span(node) if node is not None else estimator.span,
            "the advantage is normalised here, and once more by the loss "
            "(`normalize_advantage=True`)",
            help="keep one of the two",
            scope=estimator.site.frame.scope,
            related=[(*loss.span, "the loss")],
        )
    yield from _by_hand(file)


def _by_hand(file: FileModel) -> Iterator[Finding]:
    """`data["advantage"] = (a - a.mean()) / (a.std() + eps)` in front of such a loss, or after such
    an estimator."""
    from ppolint.semantics import training

    pipeline = file.pipeline
    losses = [
        c
        for _, steps in training.trained_stories(pipeline)
        for s in steps
        for c in s.components
        if c
    ]
    by_loss = bool(losses) and all(c.flag("normalize_advantage", False) is True for c in losses)
    told = set()
    for step in pipeline.steps:
        if step.kind != "write" or step.name != "advantage" or step.span in told:
            continue
        value = step.args[-1] if step.method else step.result
        if not _is_standardised(value):
            continue
        if step.data.origin not in ("collector", "rollout", "buffer"):
            continue
        if by_loss:
            other = "once more by the loss (`normalize_advantage=True`)"
        elif _by_estimator(pipeline.history(step)):
            other = "before that by the estimator (`average_gae=True`)"
        else:
            continue
        told.add(step.span)
        yield rule.at(
            step.span,
            f"the advantage is normalised here, and {other}",
            help="keep one of the two",
            scope=step.scope,
        )


def _by_estimator(paths: list[Any]) -> bool:
    """Whether the advantage of the data is certainly that of an estimator that normalises."""
    from ppolint.semantics.components import Estimator

    if not paths:
        return False
    for path in paths:
        wrote = [
            o
            for o in path.did("advantage", "write")
            if o.kind == "advantage" or o.name == "advantage"
        ]
        last = wrote[-1].component if wrote and wrote[-1].kind == "advantage" else None
        if not isinstance(last, Estimator) or last.flag("average_gae", False) is not True:
            return False
    return True


def _is_standardised(value: Any) -> bool:
    """Whether a value is something minus its mean, over something with its deviation."""
    from ppolint.semantics.values import walk

    core = value.core
    if core.op != "div":
        return False
    over = {v.data for v in walk(core.args[1]) if v.op == "reduce"}
    top = {v.data for v in walk(core.args[0]) if v.op == "reduce"}
    return "std" in over and "mean" in top
