"""A changed reward is written at the root of the batch.

What it does
    Reports `batch["reward"] = ...` and `batch.set("reward", ...)` on data of a collector, a
    rollout or a buffer. Inside an environment's `_step`, and in TensorDicts built by hand, the
    root is right.

Why is this bad
    Estimators and losses read the reward under `("next", "reward")`. The new one is ignored,
    and the old one is trained on.

Example
    batch["reward"] = 0.1 * batch["next", "reward"]
    gae(batch)

Use instead
    batch["next", "reward"] = 0.1 * batch["next", "reward"]
    gae(batch)

What happens at run time
    Nothing is raised. With a root reward of a million in every step the advantages are the
    same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO514",
    name="root-reward-write",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A reward is written where no estimator reads it",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    told = set()
    for step in file.pipeline.steps:
        if step.kind != "write" or not _is_reward(step.name) or step.span in told:
            continue
        paths = step.data.paths
        if not paths or any(p.origin not in ("collector", "rollout", "buffer") for p in paths):
            continue
        if any(p.did("key", "step", "step_mdp") for p in paths):
            continue
        told.add(step.span)
        key = ("next", step.name) if isinstance(step.name, str) else ("next", *step.name)
        yield rule.at(
            step.span,
            'advantage estimators read the reward under "next": this one, at the root, is never '
            "used",
            help="write it to " + ", ".join(f'"{k}"' for k in key),
            scope=step.scope,
            fix=_fix(file, step),
        )


def _is_reward(key: Any) -> bool:
    if isinstance(key, tuple):
        return key[0] != "next" and key[-1] == "reward"
    return key == "reward"


def _fix(file: FileModel, step: Any) -> Any:
    import libcst as cst

    if not step.here:
        return None
    node: Any = step.node
    if isinstance(node, cst.Assign) and len(node.targets) == 1:
        node = node.targets[0].target
    if isinstance(node, cst.Subscript):
        start, _ = file.span(node.slice[0])
        return rule.mend('write it under "next"', Edit(start, start, '"next", '))
    if (
        isinstance(node, cst.Call)
        and node.args
        and isinstance(node.args[0].value, cst.SimpleString)
    ):
        start, end = file.span(node.args[0].value)
        text = file.source.text[start:end]
        return rule.mend('write it under "next"', Edit(start, end, f'("next", {text})'))
    return None
