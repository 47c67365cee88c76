"""GAE on a minibatch of shuffled rows.

What it does
    Reports an advantage estimator applied to samples of a buffer of single frames, or to rows
    picked by a permutation. Samplers of slices, stored trajectories, contiguous windows and
    whole environments picked by index keep the order of time and are not reported.

Why is this bad
    GAE takes each row for the successor of the one before. Of shuffled rows, the advantage
    mixes frames that have nothing to do with each other, and overwrites a right one if there
    was any.

Example
    for _ in range(minibatches):
        rows = buffer.sample()
        gae(rows)
        loss = loss_module(rows)

Use instead
    gae(data)
    buffer.extend(data.reshape(-1))
    for rows in buffer:
        loss = loss_module(rows)

What happens at run time
    Nothing is raised. The advantages of 128 sampled rows differ from those of the batch by more
    than 5 on average, and are hardly correlated with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO602",
    name="advantage-on-minibatch",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="An advantage estimator is applied to shuffled rows",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    if not any(loss.is_on_policy for loss in pipeline.losses):
        return
    told = set()
    for step in pipeline.steps:
        if step.kind != "advantage" or step.span in told:
            continue
        paths = step.data.paths
        if not paths or not all(_is_shuffled(file, p) for p in paths):
            continue
        if _only_where_missing(step) and any(
            p.opaque or p.did("advantage", "write") for p in pipeline.history(step)
        ):
            continue
        if training.told_there([step], [*step.components, *(p.component for p in paths)]):
            continue
        told.add(step.span)
        yield rule.at(
            step.span,
            "the rows of this minibatch are shuffled: the estimator takes unrelated frames for "
            "successors, and the advantage is noise",
            help="apply it to the whole batch, in order of time, before the rows are shuffled",
            scope=step.scope,
        )


def _only_where_missing(step: Any) -> bool:
    """Whether it runs only where something is not there yet: `if advantage is None:`,
    `if "advantage" not in td.keys():`."""
    import libcst as cst

    for node, branch in step.conditions:
        test = getattr(node, "test", None)
        if branch != 0 or not isinstance(test, cst.Comparison):
            continue
        for part in test.comparisons:
            if isinstance(part.operator, cst.NotIn):
                return True
            if isinstance(part.operator, cst.Is):
                return isinstance(part.comparator, cst.Name) and part.comparator.value == "None"
    return False


def _is_shuffled(file: FileModel, path: Any) -> bool:
    from ppolint.semantics.components import Buffer

    for operation in path.operations:
        if operation.kind == "reshape" and not operation.flattens:
            return False
        if operation.kind in ("opaque", "split"):
            return False
    if path.origin == "buffer" and isinstance(path.component, Buffer):
        return _of_rows(file, path.component)
    if path.origin not in ("collector", "rollout"):
        return False
    return _permuted(file, path)


def _of_rows(file: FileModel, buffer: Any) -> bool:
    """Whether a buffer holds single frames and draws them one by one."""
    from ppolint.semantics import training

    if buffer.samples_slices is not False or buffer.cls is not None:
        return False
    dimensions = buffer.storage.argument("ndim") if buffer.storage else None
    if dimensions is not None and training.number(file, dimensions) != 1:
        return False
    fed = file.pipeline.fed(buffer)
    sources = [p for step in fed for p in step.data.paths]
    return bool(sources) and all(
        any(o.flattens for o in p.operations) or training.is_batched(p) is False for p in sources
    )


def _permuted(file: FileModel, path: Any) -> bool:
    from ppolint.semantics import training

    flat = training.is_batched(path) is False
    for operation in path.operations:
        flat = flat or operation.flattens
        if operation.kind == "index" and operation.name in ("tensor", "gather", "index_select"):
            return flat and _is_permutation(operation)
    return False


def _is_permutation(operation: Any) -> bool:
    from ppolint.semantics.values import walk

    for argument in operation.args:
        for value in walk(argument.core, through_calls=True):
            name = value.dotted if value.op == "ref" else value.data if value.op == "fn" else None
            if isinstance(name, str) and name.rpartition(".")[2] in ("randperm", "permutation"):
                return True
    return False
