"""`td.to(device)`, `td.reshape(-1)` and the like as a statement.

What it does
    Reports operations that return a new TensorDict, used as a statement on data of a collector,
    a rollout or a buffer. Modules, losses and environments move in place and are not reported,
    nor are calls with `inplace=True`.

Why is this bad
    A TensorDict is not changed by these operations: the old one is used afterwards.

Example
    subdata.to(device)
    loss_vals = loss_module(subdata)

Use instead
    subdata = subdata.to(device)
    loss_vals = loss_module(subdata)

What happens at run time
    Nothing is raised by the statement itself: dtype, device, shape and keys stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO515",
    name="discarded-tensordict-operation",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="An operation on a TensorDict whose result is dropped",
    fix=Applicability.UNSAFE,
)


_KNOWN = frozenset({"collector", "rollout", "buffer", "reset"})


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    told = set()
    for step in file.pipeline.steps:
        if step.kind != "discard" or step.span in told:
            continue
        paths = step.data.paths
        if not paths or any(p.origin not in _KNOWN for p in paths):
            continue
        if _in_place(file, step):
            continue
        told.add(step.span)
        yield rule.at(
            step.span,
            f"`{step.name}` returns a new TensorDict and leaves this one as it is: its result is "
            "dropped here",
            help="bind the result",
            scope=step.scope,
            fix=_fix(file, step),
        )


def _in_place(file: FileModel, step: Any) -> bool:
    return any(
        a.keyword is not None and a.keyword.value in ("inplace", "out") for a in step.node.args
    )


def _fix(file: FileModel, step: Any) -> Any:
    import libcst as cst

    if not step.here or not isinstance(step.node.func, cst.Attribute):
        return None
    target = step.node.func.value
    if not isinstance(target, (cst.Name, cst.Attribute)):
        return None
    start, _ = file.span(step.node)
    name = file.source.text[slice(*file.span(target))]
    return rule.mend("keep the result", Edit(start, start, f"{name} = "))
