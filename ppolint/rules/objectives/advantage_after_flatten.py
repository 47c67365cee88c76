"""`reshape(-1)` before GAE.

What it does
    Reports data that is flattened before an advantage estimator is applied to it, in this
    iteration or, where the flat batch takes the place of the batch, in the one before. An error
    for a batch of several environments, information for a single one, a warning where that cannot
    be seen. A batch that is put back into shape before is not reported.

Why is this bad
    Flattened, the last step of one environment is followed by the first of the next: GAE
    carries the advantage across that border, all the way back through the environment.

Example
    data = data.reshape(-1)
    gae(data)
    buffer.extend(data)

Use instead
    gae(data)
    data = data.reshape(-1)
    buffer.extend(data)

What happens at run time
    Nothing is raised. With four environments of 16 steps, 48 of 64 advantages are wrong, by up
    to 60 where their standard deviation is 18. With a single environment nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO603",
    name="advantage-after-flatten",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="GAE on a batch whose environments were laid end to end",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    told = set()
    for step in file.pipeline.steps:
        if step.kind != "advantage":
            continue
        for path, is_later in _ways(file, step):
            flatten = _last_flattening(path)
            if flatten is None or flatten.value is None:
                continue
            places = _places(file, flatten, step, is_later)
            if not places:
                continue
            node, site = places[-1]
            span = file.at(node, site)
            if span in told or (
                not step.here and site.frame.module is step.site.frame.module
            ):  # the other file has all of it
                continue
            told.add(span)
            severity, which = _severity(path)
            again = " once more, in the next iteration" if is_later else ""
            yield rule.at(
                span,
                f"the batch is flattened before the advantage is computed{again}{which}",
                help="give the flat batch a name of its own"
                if is_later
                else "apply the estimator to the batch first, then flatten",
                scope=site.frame.scope,
                fix=None if is_later else _fix(file, site, step),
                severity=severity,
                related=[(*step.span, "the estimator")],
            )


def _ways(file: FileModel, step: Any) -> Iterator[tuple[Any, bool]]:
    """The ways the data of an estimator can have taken; True for those through the iteration
    before, where the result of the flattening goes under the name of the batch."""
    for path in step.data.paths:
        yield path, False
        if _last_flattening(path) is not None:
            continue
        for carried in path.carried:
            if carried.loop in step.loops:
                for way in file.pipeline.data(carried.step).paths:
                    if way.value is path.value:
                        yield way, True


def _places(file: FileModel, flatten: Any, step: Any, is_later: bool) -> list[Any]:
    """Where the flattening is written, in front of the estimator; behind it, in a loop."""
    found = [
        (e.node, e.site)
        for e in file.events_of("method")
        if e.key == flatten.name and e.value is flatten.value
    ]
    if not found:
        found = file.places(flatten.value)
    return [(node, site) for node, site in found if (site.order > step.site.order) is is_later]


def _last_flattening(path: Any) -> Any:
    """The operation that merged the dimensions, if the data still is flat and in order."""
    if path.origin not in ("collector", "rollout", "parameter", "container"):
        return None
    found = None
    for operation in path.operations:
        if operation.flattens:
            found = operation
        elif operation.kind in ("reshape", "shape", "key", "chunk", "split", "index", "sample"):
            if operation.kind == "shape" and operation.name in ("unsqueeze", "squeeze"):
                continue
            found = None
        elif operation.kind == "opaque":
            return None
    return found


def _severity(path: Any) -> tuple[Severity, str]:
    from ppolint.semantics import training

    if path.origin in ("collector", "rollout"):
        batched = training.is_batched(path)
        if batched is True:
            return Severity.ERROR, ": it runs from the end of one environment into the next"
        if batched is False:
            return Severity.INFO, ": harmless for one environment, wrong for several"
    return Severity.WARNING, ": with several environments it runs from one into the next"


def _fix(file: FileModel, site: Any, step: Any) -> Any:
    """Exchange `data = data.reshape(-1)` and the `gae(data)` right behind it."""
    import libcst as cst

    from ppolint.semantics import edits

    first, second = site.statement, step.site.statement
    if not step.here or site.frame is not step.site.frame:
        return None
    if not edits.is_alone(first) or not edits.is_alone(second):
        return None
    assign, call = first.body[0], second.body[0]
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        return None
    target = assign.targets[0].target
    if not isinstance(target, cst.Name) or not isinstance(call, cst.Expr):
        return None
    flatten = assign.value
    if not (isinstance(flatten, cst.Call) and isinstance(flatten.func, cst.Attribute)):
        return None
    source = flatten.func.value
    if not isinstance(source, cst.Name) or source.value != target.value:
        return None
    changes = edits.swap_neighbours(file, first, second)
    return rule.mend("compute the advantage first", *changes) if changes else None
