"""A recurrent policy in an environment that does not say where episodes start.

What it does
    Follows `LSTMModule` and `GRUModule` to the environments that run them, and reports an
    environment without `InitTracker`, unless the collector registers it itself
    (`auto_register_policy_transforms=True`).

Why is this bad
    The module has to forget at the start of an episode. It reads that from "is_init".

Example
    gru = GRUModule(input_size=3, hidden_size=64, in_key="observation", out_key="embed")
    env = TransformedEnv(GymEnv("Pendulum-v1"), gru.make_tensordict_primer())

Use instead
    gru = GRUModule(input_size=3, hidden_size=64, in_key="observation", out_key="embed")
    env = TransformedEnv(
        GymEnv("Pendulum-v1"), Compose(gru.make_tensordict_primer(), InitTracker())
    )

What happens at run time
    The first step raises `KeyError: 'key "is_init" not found in TensorDict'`.
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
    code="PPO410",
    name="recurrent-without-init-tracker",
    severity=Severity.ERROR,
    needs=(COLLECTS,),
    summary="A recurrent policy in an environment without `InitTracker`",
    fix=Applicability.SAFE,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._transforms import append_transform
    from ppolint.rules.modules._actors import once
    from ppolint.rules.modules._recurrent import runs

    bare = {}
    for run in runs(file.pipeline):
        if run.registers or run.env.transform("InitTracker") is not None:
            continue
        bare.setdefault(run.module, run)
    for module in once(bare):
        env = bare[module].env
        edits = append_transform(file, env, "InitTracker")
        yield rule.at(
            module.span,
            f"the environment that runs this `{module.name}` has no `InitTracker`: the first step "
            'raises KeyError, "is_init"',
            help="add `InitTracker()` to the transforms of the environment, or pass "
            "`auto_register_policy_transforms=True` to the collector",
            scope=file.scope(module.site),
            fix=rule.mend("Add `InitTracker()`", *edits) if edits else None,
            related=[(*env.span, "the environment")],
        )
