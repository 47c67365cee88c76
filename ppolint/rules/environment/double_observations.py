"""Observations in double precision that meet a single-precision network.

What it does
    Reports MuJoCo and DeepMind Control environments, whose observations are float64, that are run
    with a policy network and have no `DoubleToFloat` (or another cast). Silent where the network
    casts, is in double precision itself, or cannot be seen, and where nothing but random actions
    are played.

Why is this bad
    Layers are float32. TorchRL does not convert between the two by itself.

Example
    env = TransformedEnv(GymEnv("HalfCheetah-v5"), StepCounter())
    collector = Collector(env, policy, frames_per_batch=1000)

Use instead
    env = TransformedEnv(GymEnv("HalfCheetah-v5"), Compose(StepCounter(), DoubleToFloat()))
    collector = Collector(env, policy, frames_per_batch=1000)

What happens at run time
    `RuntimeError: mat1 and mat2 must have the same dtype, but got Double and Float` at the first
    step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import COLLECTS

if TYPE_CHECKING:
    from ppolint.semantics.components import Environment
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO304",
    name="double-observations",
    severity=Severity.WARNING,
    needs=(COLLECTS,),
    summary="float64 observations reach a float32 network",
    fix=Applicability.UNSAFE,
    across_files=True,
)

_CASTS = (
    "DoubleToFloat",
    "DTypeCastTransform",
    "ToTensorImage",
    "VecNorm",
    "VecNormV2",
    "FrozenNorm",
)
_CASTING = ("float", "double", "to", "type", "half", "float32", "float64")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._transforms import append_transform
    from ppolint.semantics.components import Environment

    if "set_default_dtype" in file.source.text or "float64" in file.source.text:
        return
    seen = set()
    for policy, env in _played(file):
        base = env.base
        if not isinstance(base, Environment) or base.span in seen or not _is_double(env, base):
            continue
        if not _is_single(file, policy):
            continue
        seen.add(base.span)
        edits = append_transform(file, env, "DoubleToFloat")
        yield rule.at(
            base.span,
            "the observations of this environment are float64, and the policy's layers float32: "
            "RuntimeError at the first step",
            help="add `DoubleToFloat()` to the transforms of the environment",
            scope=file.scope(base.site),
            fix=rule.mend("Add `DoubleToFloat()`", *edits) if edits else None,
        )


def _played(file: FileModel) -> Iterator[tuple[Any, Environment]]:
    """Policies with the environments they are run in."""
    from ppolint.semantics.components import Environment
    from ppolint.semantics.values import Value

    for collector in file.pipeline.collectors:
        if isinstance(collector.env, Environment):
            yield collector.policy, collector.env
    for step in file.pipeline.steps:
        if step.kind == "rollout" and isinstance(step.component, Environment):
            policy = step.argument(1, "policy")
            if isinstance(policy, Value):
                yield file.pipeline.component(policy), step.component


def _is_double(env: Environment, base: Environment) -> bool:
    from ppolint.semantics.gym_tasks import Task, task

    if not env.complete or env.transform(*_CASTS) is not None:
        return False
    if any(t.cls is not None for t in env.transforms):
        return False
    if base.name == "DMControlEnv" and base.cls is None:
        return base.flag("from_pixels", False) is False
    if base.flag("from_pixels", False) is not False:
        return False
    found = task(base)
    return isinstance(found, Task) and found.double


def _is_single(file: FileModel, policy: Any) -> bool:
    """Whether the first layers of a policy are certainly float32 ones that cast nothing."""
    from ppolint.semantics.components import Module

    if not isinstance(policy, Module):
        return False
    for part in policy.walk():
        if not isinstance(part, Module):
            return False
        network = part.network
        if part.parts or network is None or not hasattr(network, "core"):
            continue
        return _layers(file, network, 0)
    return False


def _layers(file: FileModel, value: Any, depth: int) -> bool:
    if depth > 4:
        return False
    leaves = file.pipeline.resolved(value)
    if len(leaves) != 1 or leaves[0].op != "call":
        return False
    core = leaves[0]
    callee = core.args[0]
    if callee.op == "attr":
        # `.to(device)`, `.double()`: what is given is not known to be a device
        return (
            callee.data == "to"
            and len(core.args) == 2
            and _is_device(core.args[1])
            and _layers(file, callee.args[0], depth + 1)
        )
    name = callee.dotted or ""
    last = name.rpartition(".")[2]
    if "dtype" in file.keywords(core):
        return False
    if name.startswith("torch.nn."):
        if last == "Sequential":
            return len(core.args) > 1 and _layers(file, core.args[1], depth + 1)
        return last in ("Linear", "LazyLinear")
    return name.startswith("torchrl.") and last == "MLP"


def _is_device(value: Any) -> bool:
    return "device" in repr(value) or value.string in ("cpu", "cuda", "mps")
