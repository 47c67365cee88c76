"""What the rules about recurrent policies share: which module runs in which environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import Collector, Component, Environment, Module
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

RECURRENT = frozenset({"LSTMModule", "GRUModule"})


@dataclass(frozen=True, slots=True)
class Run:
    """A recurrent module, an environment it is run in, and the collector that does it, if any."""

    module: Module
    env: Environment
    collector: Collector | None

    @property
    def registers(self) -> bool:
        """Whether the collector may append the transforms that the policy needs."""
        if self.collector is None:
            return False
        return self.collector.flag("auto_register_policy_transforms", False) is not False


def recurrent_parts(module: Any) -> list[Module]:
    """The recurrent modules that a policy consists of."""
    if not isinstance(module, Module):
        return []
    return [p for p in module.walk() if isinstance(p, Component) and p.name in RECURRENT]  # type: ignore[misc]


def runs(pipeline: Pipeline) -> Iterator[Run]:
    """Every recurrent module with an environment that is known to run it, transforms all seen and
    the simulator a library's (one of the project's own may write what is missing)."""
    for collector in pipeline.collectors:
        for policy in collector.policies:
            for module in recurrent_parts(policy):
                for env in collector.envs:
                    if _known(env):
                        yield Run(module, env, collector)  # type: ignore[arg-type]
    for step in pipeline.steps:
        if step.kind != "rollout":
            continue
        policy = step.argument(1, "policy")
        if not isinstance(policy, Value):
            continue
        for found in pipeline.candidates(policy):
            for module in recurrent_parts(found):
                for env in step.components:
                    if _known(env):
                        yield Run(module, env, None)  # type: ignore[arg-type]


def _known(env: Any) -> bool:
    if not isinstance(env, Environment) or not env.complete:
        return False
    if any(t.cls is not None or t.conditional for t in env.transforms):
        return False
    # `GymEnv(..., policy=policy)` appends what the policy needs
    return all(
        isinstance(e, Environment) and e.cls is None and e.argument("policy") is None
        for e in (env, *env.bases)
    )
