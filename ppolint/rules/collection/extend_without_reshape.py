"""The batch of several environments goes into the buffer without `reshape(-1)`.

What it does
    Reports `buffer.extend(batch)` where the batch has an environment and a time dimension (`[N,
    T]`) and the buffer feeds a PPO loss. Whole trajectories on purpose are left alone:
    two-dimensional storages, samplers of slices, recurrent policies, minibatches that are
    flattened or get their advantage after sampling.

Why is this bad
    The rows of the buffer are trajectories then: a minibatch of 64 asks for 64 trajectories,
    which is the whole batch and more.

Example
    for batch in collector:  # [8, 128]
        gae(batch)
        buffer.extend(batch)

Use instead
    for batch in collector:
        gae(batch)
        buffer.extend(batch.reshape(-1))

What happens at run time
    Nothing is raised. Four environments of 16 steps give a buffer of length 4, whose
    `sample(16)` returns all 64 frames, as `[4, 16]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO503",
    name="extend-without-reshape",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A batched rollout is stored as whole trajectories",
    fix=Applicability.UNSAFE,
)


_KEEPS_ROWS = frozenset(
    {"device", "copy", "cast", "method", "write", "module", "advantage", "loss"}
)
_RECURRENT = ("LSTMModule", "GRUModule", "DecisionTransformer")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Component

    pipeline = file.pipeline
    if any(m.name in _RECURRENT for m in pipeline.modules):
        return
    for buffer, (story, _) in training.feeding_buffers(pipeline).items():
        storage = buffer.storage
        if buffer.samples_slices is not False or buffer.cls is not None:
            continue
        if isinstance(storage, Component) and _dimensions(file, storage) != 1:
            continue
        if _whole_trajectories(pipeline, story, buffer):
            continue
        for step in pipeline.fed(buffer):
            paths = step.data.paths
            if not paths or not all(_is_batched(p) for p in paths):
                continue
            yield rule.at(
                step.span,
                "the batch still has its environment dimension here: each row of the buffer is a "
                "whole trajectory, and a minibatch of n rows is n trajectories",
                help="flatten it first: `.reshape(-1)`",
                scope=step.scope,
                fix=_fix(file, step),
            )


def _dimensions(file: FileModel, storage: Any) -> float | None:
    """The number of dimensions a storage samples over."""
    from ppolint.semantics import training

    value = storage.argument("ndim")
    return 1 if value is None else training.number(file, value)


def _is_batched(path: Any) -> bool:
    from ppolint.semantics import training

    if path.origin not in ("collector", "rollout") or training.is_batched(path) is not True:
        return False
    return all(o.kind in _KEEPS_ROWS for o in path.operations)


def _whole_trajectories(pipeline: Any, story: Any, buffer: Any) -> bool:
    """Whether minibatches are reshaped, indexed or get their advantage after sampling."""
    for step in story.of("loss", "advantage"):
        for path in step.data.paths:
            if path.component is not buffer:
                continue
            if step.kind == "advantage" or path.did("reshape", "chunk", "index", "opaque"):
                return True
    return False


def _fix(file: FileModel, step: Any) -> Any:
    import libcst as cst

    if not step.here or not step.node.args:
        return None
    value = step.node.args[0].value
    if not isinstance(value, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        return None
    end = file.span(value)[1]
    return rule.mend("flatten the batch", Edit(end, end, ".reshape(-1)"))
