"""A key that is read and that nothing upstream writes.

What it does
    Follows the keys through the program: what the environment and its transforms write, what each
    module reads and writes, what the distribution, the estimator and the loss read. Reports a
    reader whose key certainly has no writer, estimators and losses that use different names for
    the value, the advantage or the value target, `set_keys` of settings that do not exist, and
    entries of the output of a loss that no loss of the PPO family has.

Why is this bad
    Nothing checks the wiring before the data flows. Most of these errors come late and speak of
    something else; some are silent.

Example
    critic = ValueOperator(net, in_keys=["observation"], out_keys=["value"])
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)

Use instead
    critic = ValueOperator(net, in_keys=["observation"], out_keys=["value"])
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    gae.set_keys(value="value")

What happens at run time
    A module: `KeyError: "... the following inputs are None: {'obs'}"`. A distribution: TypeError
    about its arguments. A critic under another name: `TypeError: 'NoneType' object is not
    subscriptable` in GAE. `losses["loss"]`: KeyError. An advantage under another name: nothing raises, the loss makes its own
    from whatever rows it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import LEARNS

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO403",
    name="disconnected-keys",
    severity=Severity.ERROR,
    needs=(LEARNS,),
    summary="A key that is read and never written",
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from itertools import chain

    from ppolint.rules.modules import _loss_outputs, _wiring

    seen = set()
    for problem in chain(_wiring.problems(file), _loss_outputs.problems(file)):
        if problem.span in seen:
            continue
        seen.add(problem.span)
        yield rule.at(problem.span, problem.message, help=problem.help, scope=problem.scope)
