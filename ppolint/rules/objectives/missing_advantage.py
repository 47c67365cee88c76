"""Minibatches without an advantage reach a PPO loss.

What it does
    Follows the minibatches of a PPO loss back through buffers and permutations. Reports the
    loss when no advantage estimator (of any kind, `loss.value_estimator` included) and no write
    of the advantage came before the rows were shuffled, or where it came after the buffer had
    copied them. A loss on the whole, ordered batch is
    not reported: it computes the same advantage itself.

Why is this bad
    Without an advantage the loss computes one from the rows it is given, as if each followed
    the one before it. Of shuffled rows that is noise.

Example
    buffer.extend(data.reshape(-1))
    gae(data)  # too late: the buffer has its copy
    for minibatch in buffer:
        loss = loss_module(minibatch)

Use instead
    gae(data)
    buffer.extend(data.reshape(-1))
    for minibatch in buffer:
        loss = loss_module(minibatch)

What happens at run time
    Nothing is raised, nothing is warned. The advantage it computes on shuffled rows has a
    correlation of about -0.2 with the true one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO601",
    name="missing-advantage",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Shuffled rows reach a PPO loss and no estimator saw the batch first",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Buffer

    pipeline = file.pipeline
    told = set()
    for story, steps in training.trained_stories(pipeline):
        for step in steps:
            if step.span in told:
                continue
            keys = _advantage_keys(step)
            if keys is None or not step.data.paths:
                continue
            buffers = [p.component for p in step.data.paths if isinstance(p.component, Buffer)]
            if any(_gives_advantage(b) for b in buffers):
                continue
            paths = [_of_this_slice(step, p) for p in pipeline.history(step)]
            if not paths or not all(_without(p, keys) for p in paths):
                continue
            if any(_is_copied(story, p) for p in paths):
                continue
            if not all(_shuffled(file, p) for p in paths):
                if all(_comes_too_late(story, step, p) for p in paths):
                    told.add(step.span)
                    yield rule.at(
                        step.span,
                        "these rows carry no advantage: it was computed after the buffer had "
                        "copied the batch, and the loss computes another one from what it gets",
                        help="apply the estimator before `extend`",
                        scope=step.scope,
                    )
                continue
            told.add(step.span)
            column = any(_is_column(p, o) for p in paths for o in p.did("index"))
            rows = "are one time step of every environment" if column else "are shuffled"
            yield rule.at(
                step.span,
                f"these rows {rows} and carry no advantage: the loss computes one from them as if "
                "each followed the one before",
                help="apply GAE to the whole batch, in order of time, before `extend`",
                scope=step.scope,
            )


def _of_this_slice(step: Any, path: Any) -> Any:
    """The path without what was done to another slice: `loss(batch[:, j])` makes a new one."""
    import dataclasses

    import libcst as cst

    args = getattr(step.node, "args", ())
    if not args or not isinstance(args[0].value, cst.Subscript):
        return path
    last = max((i for i, o in enumerate(path.operations) if o.kind == "index"), default=None)
    if last is None or not _is_column(path, path.operations[last]):
        return path
    kept = [o for i, o in enumerate(path.operations) if i <= last or not o.in_place]
    return dataclasses.replace(path, operations=tuple(kept))


def _advantage_keys(step: Any) -> set[Any] | None:
    """Under which keys the loss looks for its advantage; None when that cannot be seen."""
    from ppolint.semantics.components import UNKNOWN

    out: set[Any] = {"advantage"}
    for loss in step.components:
        if not loss or loss.keys is UNKNOWN:
            return None
        key = loss.keys.get("advantage", "advantage")
        if key is not UNKNOWN:
            out.add(key)
    return out


def _gives_advantage(buffer: Any) -> bool:
    """Whether the buffer may write the advantage itself, or hands out trajectories."""
    if buffer.samples_slices is not False or not buffer.sealed:
        return True
    if any(buffer.argument(n) is not None for n in ("transform", "collate_fn")):
        return True
    return bool(buffer.methods("append_transform", "insert_transform"))


def _without(path: Any, keys: set[Any]) -> bool:
    """Whether nothing on the way can have written an advantage."""
    if path.opaque or path.origin not in ("collector", "rollout"):
        return False
    source = path.component
    if source is None or not source:
        return False
    if source.kind == "collector" and source.argument("postproc"):
        return False
    for operation in path.operations:
        if operation.kind == "advantage":
            return False
        if operation.kind == "write" and (operation.name is None or operation.name in keys):
            return False
        if operation.kind == "write" and isinstance(operation.name, tuple):
            if operation.name[-1] == "advantage":
                return False
        if operation.kind == "method" and operation.name in ("update", "update_", "set", "apply"):
            return False
    return True


def _shuffled(file: FileModel, path: Any) -> bool:
    """Whether single rows were drawn in another order than that of time."""
    flat = False
    for operation in path.operations:
        if operation.flattens:
            flat = True
        elif operation.kind == "sample":
            buffer = operation.component
            if flat or _is_flat(path):
                return buffer.samples_slices is False
            return False
        elif operation.kind == "index" and operation.name in ("tensor", "gather", "index_select"):
            if (flat or _is_flat(path)) and _is_permutation(file, operation):
                return True
        elif operation.kind == "index" and _is_column(path, operation):
            return not flat and not _is_flat(path)
    return False


def _is_copied(story: Any, path: Any) -> bool:
    """Whether the advantage may have been given to another copy of the same data."""
    return bool(path.did("copy")) and any(
        path.value is other.value for step in story.of("advantage") for other in step.data.paths
        if other.did("copy")
    )  # fmt: skip


def _comes_too_late(story: Any, step: Any, path: Any) -> bool:
    """Whether the batch went into a storage that copies, and got its advantage only then."""
    drawn = next((o.component for o in path.operations if o.kind == "sample"), None)
    storage = getattr(drawn, "storage", None)
    if not storage or storage.name not in _COPYING or drawn.samples_slices is not False:
        return False
    stored = [s for s in story.of("extend") if drawn in s.components]
    return bool(stored) and any(
        late.index > stored[-1].index and late.index < step.index
        and len(late.loops) < len(step.loops) and late.loops == stored[-1].loops
        and any(path.value is other.value for other in late.data.paths)
        for late in story.of("advantage")
    )  # fmt: skip


_COPYING = ("LazyTensorStorage", "LazyMemmapStorage")


def _is_column(path: Any, operation: Any) -> bool:
    """Whether `[:, j]` leaves one time step of every environment."""
    if operation.name != "tuple" or not operation.args or path.origin != "collector":
        return False
    index = operation.args[0].core
    if len(index.args) != 2:
        return False
    rows, column = (a.core for a in index.args)
    if rows.op != "slice" or any(a.op != "const" or a.data is not None for a in rows.args):
        return False
    ranged = column.op == "elem" and column.args[0].core.data in ("range", "reversed")
    return column.number is not None or ranged


def _is_flat(path: Any) -> bool:
    from ppolint.semantics import training

    return training.is_batched(path) is False


def _is_permutation(file: FileModel, operation: Any) -> bool:
    """Whether an index comes from `randperm` or another shuffle."""
    from ppolint.semantics.values import walk

    for argument in operation.args:
        for value in walk(argument.core, through_calls=True):
            name = value.dotted or (str(value.data) if value.op == "fn" else "")
            if value.op == "ref" and name.rpartition(".")[2] in _SHUFFLES:
                return True
            if value.op == "fn" and name in _SHUFFLES:
                return True
    return False


_SHUFFLES = frozenset(
    {"randperm", "permutation", "shuffle", "randint", "BatchSampler", "SubsetRandomSampler"}
)
