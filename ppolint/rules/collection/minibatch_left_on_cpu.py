"""Data goes to the CPU before the buffer, and minibatches do not come back before the loss.

What it does
    Reports a PPO loss on samples of a buffer that is filled with `.cpu()` data, in a file whose
    networks may be on an accelerator, when nothing moves the minibatch to their device.

Why is this bad
    The script works on a machine without an accelerator and fails on the one it was written
    for.

Example
    buffer.extend(data.reshape(-1).cpu())
    minibatch = buffer.sample()
    loss = loss_module(minibatch)

Use instead
    buffer.extend(data.reshape(-1).cpu())
    minibatch = buffer.sample()
    loss = loss_module(minibatch.to(device))

What happens at run time
    `RuntimeError`: expected all tensors to be on the same device. On a CPU nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO512",
    name="minibatch-left-on-cpu",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Minibatches from a CPU buffer reach a loss on another device",
    fix=Applicability.UNSAFE,
)


_ACCELERATORS = ("cuda", "mps", "xpu", "npu")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    for buffer, (story, _) in training.feeding_buffers(pipeline).items():
        if any(buffer.argument(n) is not None for n in ("transform", "collate_fn")):
            continue
        if buffer.methods("append_transform", "insert_transform") or buffer.cls is not None:
            continue
        if not _on_cpu(pipeline, buffer):
            continue
        device = _accelerator(file, story)
        if device is None:
            continue
        for step in training.ppo_steps(story):
            paths = [p for p in step.data.paths if p.component is buffer]
            if not paths or any(p.did("device", "opaque", "copy") for p in paths):
                continue
            yield rule.at(
                step.span,
                "the minibatch is on the CPU (the buffer was filled with `.cpu()`), the networks "
                "may be on an accelerator",
                help="move it to the device of the loss: `loss_module(minibatch.to(device))`",
                scope=step.scope,
                fix=_fix(file, step, device),
            )


def _on_cpu(pipeline: Any, buffer: Any) -> bool:
    """Whether everything that is stored was moved to the CPU last."""
    fed = pipeline.fed(buffer)
    if not fed:
        return False
    for step in fed:
        for path in step.data.paths:
            moves = [
                o for o in path.operations if o.kind == "device" and o.name in ("to", "cpu", "cuda")
            ]
            if not moves:
                return False
            last = moves[-1]
            to_cpu = last.name == "cpu" or (
                last.name == "to" and last.args and last.args[0].core.string == "cpu"
            )
            if not to_cpu:
                return False
    storage = buffer.storage
    return not storage or storage.argument("device") is None


def _accelerator(file: FileModel, story: Any) -> Any:
    """The text of the device that networks are moved to, when it may be an accelerator."""
    from ppolint.semantics import edits
    from ppolint.semantics.components import Component

    pipeline = file.pipeline
    for event in file.events_of("method"):
        if event.key not in ("to", "cuda") or event.base is None:
            continue
        found = pipeline.candidates(event.base)
        known = any(isinstance(c, Component) and c.kind in ("module", "loss") for c in found)
        network = event.base.core.op == "call" and (
            (event.base.core.args[0].dotted or "").startswith("torch.nn.")
        )
        if not (known or network) or not event.args:
            continue
        if _may_be_accelerator(pipeline, event.args[0]) and event.site.frame.module.main:
            arg = event.node.args[0].value
            return edits.text_of(file, arg)
    return None


def _may_be_accelerator(pipeline: Any, value: Any) -> bool:
    for leaf in pipeline.wiring.leaves(value):
        if leaf.op == "call" and leaf.args[0].dotted == "torch.device" and len(leaf.args) > 1:
            for inner in pipeline.wiring.leaves(leaf.args[1]):
                if inner.number is not None or (inner.string or "").startswith(_ACCELERATORS):
                    return True
        elif (leaf.string or "").startswith(_ACCELERATORS):
            return True
    return False


def _fix(file: FileModel, step: Any, device: str) -> Any:
    import libcst as cst

    if not step.here or len(step.node.args) != 1:
        return None
    value = step.node.args[0].value
    if not isinstance(value, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        return None
    end = file.span(value)[1]
    return rule.mend("move the minibatch", Edit(end, end, f".to({device})"))
