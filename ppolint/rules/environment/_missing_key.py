"""A key that is read of an environment's data, and that only one transform would write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics import keys
from ppolint.semantics.components import Collector, Component, Environment
from ppolint.semantics.lineage import literal
from ppolint.semantics.paths import Path
from ppolint.semantics.program import Site
from ppolint.semantics.story import conditions
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

# Environments of libraries that never write such a key themselves.
_PLAIN = frozenset(
    {"GymEnv", "GymWrapper", "DMControlEnv", "DMControlWrapper", "PendulumEnv", "BraxEnv"}
)


@dataclass(frozen=True, slots=True)
class Read:
    """A place that reads the key, and the environment whose data lacks it."""

    span: tuple[int, int]
    scope: str
    env: Environment


def reads(file: FileModel, key: str) -> Iterator[Read]:
    """The reads of `key` that certainly find nothing."""
    if any(s.kind == "write" and _last(s.name) == key for s in file.pipeline.steps):
        return
    seen = set()
    for value in file.of_op("item"):
        if _last(literal(value.args[1])) != key:
            continue
        paths = _paths(file, value.args[0], 3)
        lacking = [_lacking(path, key) for path in paths]
        if not lacking or not all(lacking):
            continue
        for node, site in file.places(value):
            span = file.at(node, site)
            if span not in seen and not _guarded(site, key):
                seen.add(span)
                yield Read(span, file.scope(site), lacking[0])  # type: ignore[arg-type]


def _last(key: Any) -> str:
    return key if isinstance(key, str) else key[-1] if isinstance(key, tuple) else ""


def _paths(file: FileModel, value: Value, depth: int) -> list[Path]:
    """Where data comes from, the buffers it went through included."""
    out: list[Path] = []
    for path in file.pipeline.data(value).paths:
        if path.origin == "buffer" and depth and isinstance(path.component, Component):
            fed = file.pipeline.fed(path.component)
            inner = [
                p for s in fed if s.operand is not None for p in _paths(file, s.operand, depth - 1)
            ]
            out += inner or [path]
        else:
            out.append(path)
    return out


def _guarded(site: Site, key: str) -> bool:
    """Whether a branch around the read asks about the key, or catches its absence."""
    import libcst as cst

    for node, _ in conditions(site):
        test = getattr(node, "test", None)
        if test is None or key in cst.Module([]).code_for_node(test):
            return True
    return False


def _lacking(path: Path, key: str) -> Environment | None:
    """The environment of a path whose data certainly has no such key."""
    if path.opaque or path.did("write", "opaque", "module", "method", "stack", "cat"):
        if any(
            o.kind != "method" or o.name not in ("select", "exclude")
            for o in path.did("write", "opaque", "module", "method", "stack", "cat")
        ):
            return None
    for operation in path.operations:
        if operation.kind == "key" and operation.name not in ("next", key):
            return None
    source = path.component
    if isinstance(source, Collector):
        if any(_may_have(source, name) for name in ("max_frames_per_traj", "postproc")):
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


def _may_have(collector: Collector, name: str) -> bool:
    """Whether an argument is given, or may be in what `**` unpacks."""
    if name in collector.arguments:
        return True
    if collector.sealed:
        return False
    site = collector.call.core.data
    if not getattr(site, "double_star", False) or getattr(site, "star", False):
        return True
    hidden = collector.call.core.args[-1]
    for leaf in collector.pipeline.wiring.leaves_of_container(hidden):
        entries = getattr(leaf.data, "entries", None)
        if leaf.op != "alloc" or entries is None or name in entries:
            return True
        if len(entries) != len(leaf.data.items or ()):  # type: ignore[attr-defined]
            return True
    return False


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
