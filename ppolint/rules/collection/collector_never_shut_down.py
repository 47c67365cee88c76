"""A collector or environment with worker processes is never shut down.

What it does
    Reports a multi-process collector, or a `ParallelEnv` that a collector steps, of which
    neither `shutdown()` nor `close()` is ever called. What is returned, stored or handed to
    other code is somebody else's to close.

Why is this bad
    The workers live on after the loop: they hold memory and devices, and a script may hang at
    its end or leave processes behind when it fails.

Example
    collector = MultiSyncCollector([make_env] * 8, policy, frames_per_batch=2048)
    for data in collector:
        ...

Use instead
    try:
        for data in collector:
            ...
    finally:
        collector.shutdown()

What happens at run time
    The worker processes are alive after the loop, until `shutdown()` or the end of the
    interpreter.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.program import Site

rule = Rule(
    code="PPO507",
    name="collector-never-shut-down",
    severity=Severity.INFO,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Worker processes that are never told to stop",
    fix=Applicability.SUGGEST,
)


# Collectors with worker processes on this machine; Ray and the others have services of their own.
_LOCAL = frozenset(
    {"MultiSyncCollector", "MultiAsyncCollector", "AsyncCollector", "MultiCollector"}
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Collector
    from ppolint.semantics.story import conditions

    pipeline = file.pipeline
    told = set()
    used = {c for s in pipeline.steps if s.kind == "collect" for c in s.components}
    for collector in pipeline.collectors:
        if not isinstance(collector, Collector) or collector not in used:
            continue
        held = [collector] if collector.name in _LOCAL else []
        if collector.shares_env is True:
            held += [e for e in collector.envs if getattr(e, "name", "") == "ParallelEnv"]
        if any(_is_ruled_out(file, collector.site, *c) for c in conditions(collector.site)):
            continue
        if not held or _is_closed(collector) or any(_is_closed(e) for e in collector.envs if e):
            continue
        if any(training.has_unseen_use(pipeline, c) or _in_with(file, c) for c in held):
            continue
        component = held[0]
        if component.span in told:
            continue  # several kinds that one helper may build
        told.add(component.span)
        yield rule.at(
            component.span,
            f"the worker processes of this {component.name} are never shut down",
            help="call `shutdown()` on the collector when the loop is over, best in a `finally`",
            scope=component.site.frame.scope,
        )


_COMPARED = {
    "GreaterThan": operator.gt, "GreaterThanEqual": operator.ge, "LessThan": operator.lt,
    "LessThanEqual": operator.le, "Equal": operator.eq, "NotEqual": operator.ne,
}  # fmt: skip


def _is_ruled_out(file: FileModel, site: Site, node: Any, branch: int) -> bool:
    """Whether a branch is never taken, by a number of the file: `workers = 1`, `if workers > 1:`."""
    import libcst as cst

    test = getattr(node, "test", None)
    if not isinstance(node, cst.If) or not isinstance(test, cst.Comparison):
        return False
    if len(test.comparisons) != 1 or not isinstance(test.left, cst.Name):
        return False
    right = test.comparisons[0].comparator
    compare = _COMPARED.get(type(test.comparisons[0].operator).__name__)
    if compare is None or not isinstance(right, cst.Integer):
        return False
    name, scope = test.left.value, site.frame
    while name not in scope.env and scope.lexical is not None:
        scope = scope.lexical
    bound = [
        e.value for e in file.events if e.kind == "bind" and e.key == name and e.site.frame is scope
    ]
    numbers = {v.number if v is not None else None for v in bound}
    if len(numbers) != 1 or None in numbers:
        return False
    holds = compare(numbers.pop(), int(right.value))
    return holds == (branch != 0)


def _is_closed(component: Any) -> bool:
    return bool(component.methods("shutdown", "close", "async_shutdown", "__exit__"))


def _in_with(file: FileModel, component: Any) -> bool:
    """Whether it is entered as a context manager."""
    wanted = component.call.core
    return any(
        wanted in c.args or c.core is wanted for s in file.pipeline.steps for c in s.contexts
    )
