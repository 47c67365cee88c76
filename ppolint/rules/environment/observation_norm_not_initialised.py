"""An `ObservationNorm` that knows no statistics when the environment is used.

What it does
    Reports `ObservationNorm` without `loc` and `scale` in an environment that is stepped, collected
    from or rolled out, when nothing calls `init_stats` on it or loads its state. Silent where the
    call cannot be told apart from one on another transform, and in factories whose caller
    initialises.

Why is this bad
    The statistics come from a rollout with random actions, or from a checkpoint. There is no
    default.

Example
    env = TransformedEnv(GymEnv("Pendulum-v1"), ObservationNorm(in_keys=["observation"]))
    collector = Collector(env, policy, frames_per_batch=1000)

Use instead
    env = TransformedEnv(GymEnv("Pendulum-v1"), ObservationNorm(in_keys=["observation"]))
    env.transform.init_stats(num_iter=1000, reduce_dim=0, cat_dim=0)
    collector = Collector(env, policy, frames_per_batch=1000)

What happens at run time
    The first reset, and building a collector, raise
    `RuntimeError: Loc/Scale have not been initialized`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import COLLECTS

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO302",
    name="observation-norm-not-initialised",
    severity=Severity.ERROR,
    needs=(COLLECTS,),
    summary="`ObservationNorm` without statistics",
    fix=Applicability.SUGGEST,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._normalisers import initialised, is_bare, used_environments

    seen = set()
    for env in used_environments(file):
        for norm in env.transforms:
            if norm.name != "ObservationNorm" or not is_bare(norm) or norm.conditional:
                continue
            if norm.span in seen or initialised(file, env, norm) is not False:
                continue
            seen.add(norm.span)
            yield rule.at(
                norm.span,
                "`ObservationNorm` has no statistics when the environment is first reset: "
                "RuntimeError",
                help="call `init_stats(num_iter=1000, reduce_dim=0, cat_dim=0)` on it first, or "
                "give it "
                "`loc` and `scale`",
                scope=file.scope(norm.site),
            )
