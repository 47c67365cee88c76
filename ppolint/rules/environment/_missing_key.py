"""A key that is read of an environment's data, and that only one transform would write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics import keys
from ppolint.semantics.components import Collector, Environment
from ppolint.semantics.lineage import Path

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.story import Step

# Environments of libraries that never write such a key themselves.
_PLAIN = frozenset({"GymEnv", "GymWrapper", "DMControlEnv", "DMControlWrapper", "PendulumEnv", "BraxEnv"})


def reads(file: FileModel, key: str) -> Iterator[tuple[Step, Environment]]:
    """The reads of `key` that certainly find nothing, with the environment that lacks it."""
    seen = set()
    for step in file.pipeline.steps:
        if step.kind != "read" or step.span in seen or step.method in ("get", "get_at"):
            continue
        name = step.name if isinstance(step.name, str) else (step.name or ("",))[-1]
        if name != key or _guarded(file, step, key):
            continue
        lacking = [_lacking(path, key) for path in file.pipeline.history(step)]
        if lacking and all(lacking):
            seen.add(step.span)
            yield step, lacking[0]  # type: ignore[misc]


def _guarded(file: FileModel, step: Step, key: str) -> bool:
    """Whether a branch around the read asks about the key, or catches its absence."""
    for node, _ in step.conditions:
        test = getattr(node, "test", None)
        if test is None or key in _text(file, node, test):
            return True
    return False


def _text(file: FileModel, node: Any, test: Any) -> str:
    import libcst as cst

    return cst.Module([]).code_for_node(test)


def _lacking(path: Path, key: str) -> Environment | None:
    """The environment of a path whose data certainly has no such key."""
    if path.opaque or path.did("write", "opaque", "module", "method", "stack", "cat"):
        if any(o.kind != "method" or o.name not in ("select", "exclude") for o in
               path.did("write", "opaque", "module", "method", "stack", "cat")):
            return None
    for operation in path.operations:
        if operation.kind == "key" and operation.name not in ("next", key):
            return None
    source = path.component
    if isinstance(source, Collector):
        if source.argument("max_frames_per_traj") is not None or not source.sealed:
            return None
        if source.argument("postproc") is not None:
            return None
        source = source.env
    if not isinstance(source, Environment) or not _plain(source):
        return None
    written = keys.NOTHING
    for transform in source.transforms:
        if transform.cls is not None:
            return None
        written |= keys.transform_writes(transform)
        if transform.name in ("RenameTransform", "Timer"):
            return None
    names = {k if isinstance(k, str) else k[-1] for k in written.found}
    return source if key not in names and _closed(source) else None


def _plain(env: Environment) -> bool:
    return env.complete and all(
        isinstance(b, Environment) and b.cls is None and b.name in _PLAIN for b in env.bases
    )


def _closed(env: Environment) -> bool:
    """Whether each transform says which keys it writes, as far as counters are concerned."""
    for transform in env.transforms:
        if transform.name in ("StepCounter", "RewardSum"):
            if not transform.sealed:
                return False
            found = keys.transform_writes(transform)
            if not found.complete:
                return False
    return True
