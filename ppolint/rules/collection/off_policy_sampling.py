"""The buffer that feeds a PPO loss draws rows with replacement, or by priority.

What it does
    Follows the minibatches of a PPO loss back to their replay buffer and reports one without a
    sampler, with a `RandomSampler`, or with priorities. Buffers of other data (expert data,
    logs, off-policy losses) and samplers of trajectory slices are not reported.

Why is this bad
    PPO's epochs are passes over one batch. With replacement, a pass sees some frames several
    times and others not at all; with priorities the gradient is one of another objective.

Example
    buffer = ReplayBuffer(storage=LazyTensorStorage(frames_per_batch))

Use instead
    buffer = ReplayBuffer(
        storage=LazyTensorStorage(frames_per_batch), sampler=SamplerWithoutReplacement()
    )

What happens at run time
    Nothing is raised. Four minibatches of 16 from a batch of 64 frames hold about 40 distinct
    frames. `for minibatch in buffer` over a buffer with a random sampler never ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO501",
    name="off-policy-sampling",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A buffer that feeds a PPO loss samples with replacement or by priority",
    fix=Applicability.UNSAFE,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    fed = training.feeding_buffers(file.pipeline)
    for buffer, (_, step) in fed.items():
        if _repeats_rows(buffer) and not training.told_there([step], [buffer, *step.components]):
            yield _finding(file, buffer, [(*step.span, "the loss")])
    for buffer in file.pipeline.buffers:
        if buffer in fed or not buffer.here or not _repeats_rows(buffer):
            continue
        if _feeds_an_importing_script(file, buffer):
            yield _finding(file, buffer, [])


def _repeats_rows(buffer: Any) -> bool:
    """Whether a pass over the buffer shows some rows twice and others not at all."""
    if buffer.cls is not None or buffer.samples_slices is not False:
        return False
    return buffer.without_replacement is False


def _feeds_an_importing_script(file: FileModel, buffer: Any) -> bool:
    """Whether a script that imports this file trains a PPO loss on the buffer."""
    from ppolint.semantics import training

    scope = buffer.site.frame.scope
    return bool(scope) and any(
        other.name == buffer.name and training.is_built_by(other, file, scope)
        for pipeline in training.importing_pipelines(file)
        for other in training.feeding_buffers(pipeline)
    )


def _finding(file: FileModel, buffer: Any, related: list[Any]) -> Finding:
    if "Prioritized" in buffer.name or "Prioritized" in getattr(buffer.sampler, "name", ""):
        how = "draws by priority"
    else:
        how = "draws with replacement"
    return rule.at(
        buffer.span,
        f"this buffer {how}, and its samples reach a PPO loss: a pass over the batch repeats "
        "some frames and never sees others",
        help="give it `sampler=SamplerWithoutReplacement()`",
        scope=buffer.site.frame.scope,
        fix=_fix(file, buffer),
        related=related,
    )


def _fix(file: FileModel, buffer: Any) -> Any:
    """Give the buffer the sampler; None where its call is not in this file or has priorities."""
    from ppolint.semantics import edits

    if not buffer.here or "Prioritized" in buffer.name or not buffer.sealed:
        return None
    node = buffer.node
    added: tuple[Edit, ...] = ()
    if hasattr(node.func, "attr"):
        written = edits.text_of(file, node.func.value) + ".SamplerWithoutReplacement"
    else:
        modules = ("torchrl.data", "torchrl.data.replay_buffers")
        found = edits.imported_beside(file, node.func.value, "SamplerWithoutReplacement", modules)
        if found is None:
            return None
        written, added = found
    sampler = buffer.sampler
    if sampler is None:
        change = edits.add_argument(file, node, f"sampler={written}()")
    elif sampler.name == "RandomSampler" and sampler.here:
        change = Edit(*sampler.span, f"{written}()")
    else:
        return None
    return rule.mend("sample without replacement", change, *added) if change else None
