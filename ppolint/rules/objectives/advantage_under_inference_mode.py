"""GAE under `torch.inference_mode()`, then a backward pass over its result.

What it does
    Reports an estimator under `inference_mode` when the batch itself, or a view of it, reaches
    a loss. Rows that were copied since (through a buffer, by a tensor of indices) are ordinary
    tensors again and are not reported.

Why is this bad
    Tensors made in inference mode cannot be saved for the backward pass. `torch.no_grad()` is
    what is meant; and estimators do not track gradients anyway.

Example
    with torch.inference_mode():
        gae(data)
    loss = loss_module(data)["loss_objective"]
    loss.backward()

Use instead
    with torch.no_grad():
        gae(data)

What happens at run time
    `RuntimeError: Inference tensors cannot be saved for backward`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO613",
    name="advantage-under-inference-mode",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Advantages made under inference_mode reach a backward pass",
    fix=Applicability.SAFE,
)


_COPIES = frozenset({"sample", "copy", "device", "cast", "stack", "cat", "opaque"})


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    told = set()
    for story in pipeline.training:
        for step in training.on_policy_steps(story):
            for path in pipeline.history(step):
                applied = _applied(story, path)
                if applied is None or not applied.inference_mode:
                    continue
                place = _context(file, applied)
                if place is None:
                    continue
                span = file.at(*place)
                if span in told:
                    continue
                told.add(span)
                yield rule.at(
                    span,
                    "advantages made in inference mode reach a backward pass, which refuses them",
                    help="use `torch.no_grad()`",
                    scope=applied.scope,
                    fix=_fix(file, *place),
                    related=[(*step.span, "the loss")],
                )


def _applied(story: Any, path: Any) -> Any:
    """The last step of an estimator on the path whose result was not copied since."""
    found = None
    for operation in path.operations:
        if operation.kind == "advantage":
            found = operation.step
            for step in story.of("advantage"):
                if operation.value is not None and step.result.core is operation.value.core:
                    found = found or step
        elif operation.kind in _COPIES:
            found = None
        elif operation.kind == "index" and operation.name not in ("slice", "int", "tuple"):
            found = None
    return found


def _context(file: FileModel, step: Any) -> Any:
    """The `inference_mode()` around a step, as a place in this file."""
    from ppolint.semantics import training

    context = training.context_of(step, "torch.inference_mode")
    places = file.places(context) if context is not None else []
    written = [(n, s) for n, s in places if s.frame.module.main]
    return written[-1] if written else None


def _fix(file: FileModel, node: Any, site: Any) -> Any:
    import libcst as cst

    if not isinstance(node, cst.Call) or node.args or not isinstance(node.func, cst.Attribute):
        return None
    return rule.mend("use `no_grad`", Edit(*file.span(node.func.attr), "no_grad"))
