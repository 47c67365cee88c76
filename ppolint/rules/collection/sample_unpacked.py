"""A sample of a TorchRL replay buffer is taken apart as if it were a tuple.

What it does
    Reports `rows, *_ = buffer.sample()`, `rows, _ = buffer.sample()` and `buffer.sample()[0]`
    of a buffer that stores TensorDicts, unless `return_info=True` asks for a tuple.

Why is this bad
    `sample` returns one TensorDict. Unpacking iterates over its rows: the first target is the
    first row, so every minibatch consists of one frame.

Example
    subdata, *_ = buffer.sample(sub_batch_size)

Use instead
    subdata = buffer.sample(sub_batch_size)

What happens at run time
    Nothing is raised by the starred form: the loss accepts the single row. With as many targets
    as there are not rows, `ValueError: too many values to unpack`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO504",
    name="sample-unpacked",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A sample of a TorchRL buffer is unpacked",
    fix=Applicability.UNSAFE,
)


_LAZY = frozenset({"LazyTensorStorage", "LazyMemmapStorage", "TensorStorage"})


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    import libcst as cst

    from ppolint.semantics import training

    unpacked = {}
    for event in file.events:
        value = event.value
        if event.kind == "bind" and value.op == "item" and value.args[1].number is not None:
            unpacked.setdefault(value.args[0].core, (event.node, event.site))
    for step in file.pipeline.steps:
        if step.kind != "sample" or step.method != "sample" or not _of_tensordicts(step):
            continue
        node, site = unpacked.get(step.result.core, (None, None))
        if node is None:
            for user in file.users(step.result):
                if user.op == "item" and user.args[1].number is not None:
                    places = file.places(user)
                    node, site = places[0] if places else (None, None)
        if node is None or site is None or training.told_there([step], [step.component]):
            continue
        fix = None
        if step.here and isinstance(node, cst.Assign) and len(node.targets) == 1:
            target = node.targets[0].target
            if isinstance(target, (cst.Tuple, cst.List)) and target.elements:
                first = target.elements[0].value
                name = file.source.text[slice(*file.span(first))]
                start, end = file.span(target)
                if target.lpar:
                    start = file.source.text.rfind("(", 0, start)
                    end = file.source.text.find(")", end) + 1
                fix = rule.mend("take the whole sample", Edit(start, end, name))
        yield rule.at(
            file.at(node, site),
            "`sample()` returns one TensorDict, not a tuple: this takes its first row, one frame "
            "for the whole minibatch",
            help="bind the sample to one name (`sample(..., return_info=True)` returns a tuple)",
            scope=step.scope,
            fix=fix,
        )


def _of_tensordicts(step: Any) -> bool:
    """Whether the sample is certainly a TensorDict, not a tuple with the info."""
    from ppolint.semantics.components import Buffer, Component

    buffer = step.component
    if not isinstance(buffer, Buffer) or buffer.cls is not None:
        return False
    info = step.argument(None, "return_info")
    if info is not None and step.pipeline.constant(info) is not False:
        return False
    storage = buffer.storage
    if not isinstance(storage, Component) or storage.name not in _LAZY:
        return False
    fed = [s.operand for s in step.pipeline.fed(buffer) if s.operand is not None]
    return not any(o.core.op in ("tuple", "alloc") for o in fed)
