"""A TensorDict module that does not say which keys it reads and writes.

What it does
    Reports `TensorDictModule` without `in_keys` or `out_keys`, and `ProbabilisticActor` and
    `ValueOperator` without `in_keys`. Their default `out_keys` ("action", "state_value") are what
    the losses expect, and fine.

Why is this bad
    The keys are the wiring of a TorchRL program. Left out they are an error at best, and a silent
    assumption about the environment at worst.

Example
    module = TensorDictModule(net)
    critic = ValueOperator(value_net)

Use instead
    module = TensorDictModule(net, in_keys=["observation"], out_keys=["loc", "scale"])
    critic = ValueOperator(value_net, in_keys=["observation"])

What happens at run time
    `TensorDictModule` and `ProbabilisticActor` raise a TypeError about a missing argument.
    `ValueOperator` reads "observation", whatever the environment calls it: on pixels it raises a
    KeyError at the first advantage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO402",
    name="missing-keys",
    severity=Severity.WARNING,
    needs=(("TensorDictModule", "ProbabilisticActor", "ValueOperator", "SafeModule"),),
    summary="A TensorDict module without `in_keys` or `out_keys`",
)

_WANTED = {
    "TensorDictModule": ("in_keys", "out_keys"),
    "ProbabilisticActor": ("in_keys",),
    "ValueOperator": ("in_keys",),
}


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import built_here

    for name, wanted in _WANTED.items():
        for module in built_here(file, name):
            if module.cls is not None or not module.sealed:
                continue
            if "dist_in_keys" in module.arguments:
                continue  # the name of other releases, which rules about releases speak of
            missing = [key for key in wanted if module.argument(key) is None]
            if not missing:
                continue
            words = " and ".join(f"`{key}`" for key in missing)
            if name == "ValueOperator":
                message = (
                    f'`{name}` without {words} reads "observation", whatever the environment has'
                )
            else:
                message = f"`{name}` without {words} raises TypeError when it is built"
            yield rule.at(
                module.span,
                message,
                help=f"say which keys it reads and writes: {words}",
                scope=file.scope(module.site),
            )
