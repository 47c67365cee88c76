"""A rollout of several environments that ends with the first of them, and is averaged.

What it does
    Reports `rollout` on a `ParallelEnv` or `SerialEnv` with a policy and without
    `break_when_any_done=False` or `break_when_all_done=True`, when the rewards of the result
    are summed or averaged and it is not training data.

Why is this bad
    The rollout ends as soon as one environment is done. All other episodes are cut off at that
    length: their returns are too low, and long episodes never count.

Example
    eval_env = SerialEnv(10, make_env)
    td = eval_env.rollout(1000, policy)
    score = td["next", "reward"].sum(1).mean()

Use instead
    td = eval_env.rollout(1000, policy, break_when_any_done=False)

What happens at run time
    Nothing is raised. Of four CartPoles, fewer than four episodes have ended when the rollout
    does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO713",
    name="evaluation-stops-at-first-done",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A batched evaluation stops at the first environment that is done",
    fix=Applicability.UNSAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Environment

    pipeline = file.pipeline
    trained = training.trained_rollouts(pipeline)
    told = set()
    for step in pipeline.steps:
        if step.kind != "rollout" or step.span in told or step.result.core in trained:
            continue
        env = step.component
        if not isinstance(env, Environment) or not _has_several(file, env):
            continue
        if step.argument(1, "policy") is None or not step.argument(1, "policy"):
            continue
        if any(
            step.argument(None, name) is not None
            for name in ("break_when_any_done", "break_when_all_done")
        ):
            continue
        if not _is_averaged(file, step):
            continue
        told.add(step.span)
        yield rule.at(
            step.span,
            "this rollout ends when the first environment is done: the episodes of all others are "
            "cut off, and their returns are too low",
            help="pass `break_when_any_done=False` (or `break_when_all_done=True`)",
            scope=step.scope,
            fix=_fix(file, step),
        )


def _has_several(file: FileModel, env: Any) -> bool:
    """Whether it certainly runs more than one environment."""
    from ppolint.semantics import training
    from ppolint.semantics.components import Environment

    while isinstance(env, Environment) and env.name == "TransformedEnv":
        env = env.wrapped[0] if len(env.wrapped) == 1 else None
    if not isinstance(env, Environment):
        return False
    if env.is_parallel:
        workers = training.number(file, env.argument("num_workers"))
    else:
        workers = _in_a_vector(file, env)
    return workers is not None and workers > 1


def _in_a_vector(file: FileModel, env: Any) -> float | None:
    """The number of environments of Gymnasium's that a wrapped vector environment steps."""
    from ppolint.semantics import training
    from ppolint.semantics.values import Value

    wrapped = env.argument("env")
    leaves = file.pipeline.wiring.leaves(wrapped) if isinstance(wrapped, Value) else []
    if len(leaves) != 1 or leaves[0].op != "call":
        return None
    made = leaves[0]
    name = made.args[0].dotted or ""
    if name.endswith("make_vec"):
        return training.number(file, file.argument(made, 1, "num_envs"))
    if not name.endswith("VectorEnv"):
        return None
    makers = file.argument(made, 0, "env_fns")
    for core in (makers.core, *file.pipeline.wiring.leaves(makers)) if makers is not None else ():
        if core.op == "fn" and core.data == "repeat":
            return next((n for a in core.args if (n := training.number(file, a))), None)
        if core.op == "alloc" and getattr(core.data, "items", None):
            return len(core.data.items)
    return None


def _is_averaged(file: FileModel, step: Any) -> bool:
    """Whether a sum or mean is taken over rewards of the result."""
    from ppolint.semantics.values import walk

    result = step.result.core
    for value in file.of_op("reduce"):
        if value.data not in ("sum", "mean"):
            continue
        inside = set(walk(value.core, through_calls=True))
        if result in inside and any(
            v.op == "const" and isinstance(v.data, str) and "reward" in v.data for v in inside
        ):
            return True
    return False


def _fix(file: FileModel, step: Any) -> Any:
    from ppolint.semantics import edits

    if not step.here:
        return None
    change = edits.add_argument(file, step.node, "break_when_any_done=False")
    return rule.mend("let every episode go on", change) if change else None
