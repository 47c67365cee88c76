"""An environment that is already built, given to workers that want to build their own.

What it does
    Reports an environment instance, or a list of them, as the `create_env_fn` of `ParallelEnv` or
    `SerialEnv`. Silent for factories, classes and closures. Collectors take instances.

Why is this bad
    Each worker needs an environment of its own, in its own process.

Example
    env = ParallelEnv(4, GymEnv("Pendulum-v1"))

Use instead
    env = ParallelEnv(4, lambda: GymEnv("Pendulum-v1"))

What happens at run time
    `NotImplementedError: EnvBase.forward is not implemented` at the first reset: the workers call
    the instance as if it were a factory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO309",
    name="environment-instance-shared-with-workers",
    severity=Severity.ERROR,
    needs=(("ParallelEnv", "SerialEnv"),),
    summary="An environment instance where workers need a factory",
    fix=Applicability.SUGGEST,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.components import Environment
    from ppolint.semantics.values import Value

    pipeline = file.pipeline
    seen = set()
    for env in pipeline.environments:
        if not env.is_parallel or env.cls is not None or env.span in seen:
            continue
        given = env.argument("create_env_fn")
        if not isinstance(given, Value):
            continue
        leaves = pipeline.resolved(given)
        built = [pipeline.wiring.component(leaf) if leaf.op == "call" else None for leaf in leaves]
        if not built or not all(isinstance(b, Environment) for b in built):
            continue
        seen.add(env.span)
        yield rule.at(
            env.span,
            f"`{env.name}` is given an environment that is already built: its workers call it as a "
            "factory and raise NotImplementedError",
            help="give it what builds one: a function, a `lambda`, `functools.partial`",
            scope=file.scope(env.site),
        )
