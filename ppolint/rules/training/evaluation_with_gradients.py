"""A rollout of the policy for evaluation, outside `torch.no_grad()`.

What it does
    Reports rollouts of a policy between two batches of training, or under a deterministic
    exploration type, whose data is not trained on and around which gradients are not switched
    off. In a loop that calls the policy and `env.step` between two batches, the call of the policy
    is reported.

Why is this bad
    The graph of every step is kept until the data is dropped: memory grows with the length of
    the rollout, for nothing. A loop by hand may drop each graph at once; it is built for nothing
    all the same.

Example
    with set_exploration_type(ExplorationType.DETERMINISTIC):
        eval_rollout = eval_env.rollout(1000, policy)

Use instead
    with set_exploration_type(ExplorationType.DETERMINISTIC), torch.no_grad():
        eval_rollout = eval_env.rollout(1000, policy)

What happens at run time
    Nothing is raised. The actions of the rollout have a `grad_fn`, and its `loc` requires
    gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO712",
    name="evaluation-with-gradients",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="An evaluation rollout keeps the graph of every step",
    fix=Applicability.SAFE,
)


_DETERMINISTIC = ("DETERMINISTIC", "MODE", "MEAN")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import stepping, training
    from ppolint.semantics.components import Module

    pipeline = file.pipeline
    trained = training.trained_rollouts(pipeline)
    if file.calls("torch.set_grad_enabled", "torch.autograd.set_grad_enabled"):
        return
    told = set()
    for story in pipeline.stories:
        loops = training.collector_loops(story)
        for step in story.of("rollout"):
            if step.span in told or step.no_grad or step.result.core in trained:
                continue
            around = next((loop for loop in step.loops if loop in loops), None)
            if around and not step.here and around.frame.module is step.site.frame.module:
                continue  # the other file is told so itself
            in_training = story.trains and around is not None
            if not in_training and not (story.trains and step.exploration in _DETERMINISTIC):
                continue
            policy = step.argument(1, "policy")
            if policy is None or not policy:
                continue
            if not any(isinstance(c, Module) for c in pipeline.candidates(policy)):
                continue
            if not training.only_known_contexts(step, training.GRADIENTS):
                continue
            told.add(step.span)
            yield rule.at(
                step.span,
                "gradients are not switched off: the graph of every step of this rollout is kept",
                help="put `torch.no_grad()` around it",
                scope=step.scope,
                fix=_fix(file, step),
            )
        if not story.trains:
            continue
        for turn in stepping.evaluations(pipeline, story):
            step = turn.policy
            around = next(loop for loop in step.loops if loop in loops)
            if step.span in told or step.no_grad:
                continue
            if not step.here and around.frame.module is step.site.frame.module:
                continue
            if not training.only_known_contexts(step, training.GRADIENTS):
                continue
            told.add(step.span)
            yield rule.at(
                step.span,
                "gradients are not switched off: every step of this evaluation builds a graph "
                "that nothing uses",
                help="put `torch.no_grad()` around the loop",
                scope=step.scope,
            )


def _fix(file: FileModel, step: Any) -> Any:
    """Add it to the `with` that sets the exploration type, or wrap the statement."""
    import libcst as cst

    from ppolint.semantics import edits

    if not step.here or not _has_torch(file):
        return None
    around = _with_around(file, step.site.statement)
    if around is not None and isinstance(around, cst.With):
        items = around.items
        if any("exploration" in edits.text_of(file, i.item) for i in items):
            end = file.span(items[-1].item)[1]
            if items[-1].asname is None:
                return rule.mend("switch gradients off", Edit(end, end, ", torch.no_grad()"))
    changes = edits.wrap_in_with(file, step.site.statement, "torch.no_grad()")
    return rule.mend("switch gradients off", *changes) if changes else None


def _has_torch(file: FileModel) -> bool:
    import libcst as cst

    for line in file.tree.body:
        for small in getattr(line, "body", ()) if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.Import):
                if any(a.name.value == "torch" and a.asname is None for a in small.names):
                    return True
    return False


def _with_around(file: FileModel, statement: Any) -> Any:
    """The `with` whose block holds a statement."""
    import libcst as cst

    from ppolint.semantics.scopes import children

    stack: list[Any] = [file.tree]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.With) and isinstance(node.body, cst.IndentedBlock):
            if any(s is statement for s in node.body.body):
                return node
        stack.extend(children(node))
    return None
