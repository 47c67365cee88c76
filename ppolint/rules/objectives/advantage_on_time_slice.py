"""`gae(batch[:, j])`: an estimator on a slice that has no time.

What it does
    Reports an advantage estimator applied to one column of a batch of a collector or rollout
    (`[:, j]`, `unbind(1)`). Windows of time (`[:, :n]`) and single environments (`[i]`) keep
    the time axis and are not reported.

Why is this bad
    The batch is `[environments, time]`. One column has no time axis left, and GAE takes the
    environments for successive steps. Indexing with an integer also makes a new TensorDict: the
    advantage does not reach the batch.

Example
    for j in range(batch.shape[1]):
        gae(batch[:, j])
        loss = loss_module(batch[:, j])

Use instead
    gae(batch)
    for j in range(batch.shape[1]):
        loss = loss_module(batch[:, j])

What happens at run time
    Nothing is raised. The advantages of a column are those of another problem, and
    `"advantage"` is not in the batch afterwards, so the loss computes one more on its own
    slice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO604",
    name="advantage-on-time-slice",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="GAE on a single time step of every environment",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    told = set()
    for step in file.pipeline.steps:
        if step.kind != "advantage" or step.span in told:
            continue
        paths = step.data.paths
        if not paths or not all(_is_column(p) for p in paths):
            continue
        told.add(step.span)
        yield rule.at(
            step.span,
            "this slice is one time step of every environment: the estimator takes the "
            "environments for successive steps",
            help="apply the estimator to the whole batch, before slicing",
            scope=step.scope,
        )


def _is_column(path: Any) -> bool:
    """Whether the last change of shape took one index of the second dimension."""
    from ppolint.semantics import training

    if path.origin not in ("collector", "rollout") or training.is_batched(path) is False:
        return False
    last = None
    for operation in path.operations:
        if operation.kind in ("reshape", "shape", "opaque", "sample", "split", "stack", "cat"):
            return False
        if operation.kind in ("index", "chunk"):
            if last is not None:
                return False
            last = operation
    if last is None:
        return False
    if last.kind == "chunk":
        return last.name == "unbind" and bool(last.args) and last.args[0].number in (1, -1)
    if last.name != "tuple" or len(last.args) != 1:
        return False
    index = last.args[0].core
    if len(index.args) != 2:
        return False
    rows, column = (a.core for a in index.args)
    return _is_all(rows) and _is_integer(column)


def _is_all(index: Any) -> bool:
    if index.op != "slice":
        return False
    return all(a.op == "const" and a.data is None for a in index.args)


def _is_integer(index: Any) -> bool:
    """Whether an index is one number: a constant, or the variable of a loop over a range."""
    if index.number is not None:
        return True
    if index.op != "elem":
        return False
    iterable = index.args[0].core
    return iterable.op == "fn" and iterable.data in ("range", "reversed")
