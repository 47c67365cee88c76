"""GAE once per batch, several epochs over it.

What it does
    Reports an estimator outside the loop over epochs of the loss that uses its advantage.

Why is this bad
    The critic changes during an epoch; the advantage of the next one is better computed with
    the critic as it is by then. Both orders are in use: TorchRL's PPO scripts compute it in
    every epoch.

Example
    gae(data)
    for epoch in range(num_epochs):
        for minibatch in buffer:
            update(minibatch)

Use instead
    for epoch in range(num_epochs):
        gae(data)
        buffer.extend(data.reshape(-1))
        for minibatch in buffer:
            update(minibatch)

What happens at run time
    After ten updates at a learning rate of 0.01 the advantages of a batch of 64 differ from
    those computed before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO605",
    name="stale-advantage",
    severity=Severity.INFO,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="The advantage is computed once for several epochs",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    told = set()
    for story, steps in training.trained_stories(pipeline):
        for step in steps:
            for path in pipeline.history(step):
                for operation in path.did("advantage"):
                    applied = _step_of(story, operation)
                    if applied is None or applied.span in told:
                        continue
                    if training.told_there(
                        [applied, step], [*applied.components, *step.components]
                    ):
                        continue
                    if _epochs_between(file, story, applied, step):
                        told.add(applied.span)
                        yield rule.at(
                            applied.span,
                            "the advantage is computed once for several epochs: those after the "
                            "first use that of the critic before them",
                            help="compute it again at the start of each epoch",
                            scope=applied.scope,
                        )


def _step_of(story: Any, operation: Any) -> Any:
    """The step an operation stands for."""
    if operation.step is not None:
        return operation.step
    for step in story.of("advantage"):
        if operation.value is not None and step.result.core is operation.value.core:
            return step
    return None


def _epochs_between(file: FileModel, story: Any, applied: Any, step: Any) -> bool:
    """Whether a loop repeats the minibatches without the estimator."""
    from ppolint.semantics import training

    own = training.minibatch_loop(step, story)
    for loop in step.loops:
        if loop is own or loop in applied.loops or loop.kind != "for":
            continue
        if _is_one_pass(file, loop) or own is None:
            continue
        core = loop.iterable.core if loop.iterable is not None else None
        if core is not None and core.op == "fn" and core.data == "range":
            return True
    return False


def _is_one_pass(file: FileModel, loop: Any) -> bool:
    from ppolint.semantics import training

    core = loop.iterable.core
    if core.op == "fn" and core.data == "range" and len(core.args) == 1:
        return training.number(file, core.args[0]) == 1
    return False
