"""A recurrent policy whose hidden state is thrown away at every step.

What it does
    Follows `LSTMModule` and `GRUModule` to the environments that run them, and reports an
    environment without the module's primer, unless the collector registers it itself
    (`auto_register_policy_transforms=True`).

Why is this bad
    The module writes its new state under "next". The environment carries it over to the following
    step only when a `TensorDictPrimer` has made it part of its specs; otherwise every step starts
    from zeros, and the recurrent network is an expensive feed-forward one.

Example
    lstm = LSTMModule(input_size=3, hidden_size=64, in_key="observation", out_key="embed")
    env = TransformedEnv(GymEnv("Pendulum-v1"), InitTracker())

Use instead
    lstm = LSTMModule(input_size=3, hidden_size=64, in_key="observation", out_key="embed")
    env = TransformedEnv(
        GymEnv("Pendulum-v1"), Compose(InitTracker(), lstm.make_tensordict_primer())
    )

What happens at run time
    The output of each step equals that of the network run on this step alone, from a state of
    zeros. Nothing raises; the state is missing at the root of the batch.
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
    code="PPO409",
    name="recurrent-without-state-primer",
    severity=Severity.WARNING,
    needs=(COLLECTS,),
    summary="A recurrent policy in an environment that drops its hidden state",
    fix=Applicability.SUGGEST,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import once
    from ppolint.rules.modules._recurrent import runs

    bare = {}
    for run in runs(file.pipeline):
        if run.registers or run.env.transform("TensorDictPrimer") is not None:
            continue
        bare.setdefault(run.module, run)
    for module in once(bare):
        run = bare[module]
        yield rule.at(
            module.span,
            f"the environment that runs this `{module.name}` has no primer for its hidden state: "
            "every step starts from zeros",
            help=f"append `{module.label or 'module'}.make_tensordict_primer()` to the "
            f"environment, or "
            "pass `auto_register_policy_transforms=True` to the collector",
            scope=file.scope(module.site),
            related=[(*run.env.span, "the environment")],
        )
