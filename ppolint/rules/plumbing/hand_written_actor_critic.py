"""An actor-critic module builds its distribution, samples and evaluates by hand.

## What it does

Finds one `nn.Module` that builds a distribution, samples an action, takes its log-probability and
computes a value in its own methods.

## Why is this bad

Such a module decides itself when to sample and what to return, so every caller has to know. Modules
with named inputs and outputs can be put into collectors, losses and estimators as they are, and
their exploration is switched from outside.

## Example

```python
class ActorCritic(nn.Module):
    def act(self, obs):
        dist = Categorical(logits=self.actor(obs))
        action = dist.sample()
        return action, dist.log_prob(action), self.critic(obs)
```

## Use instead

```python
from tensordict.nn import TensorDictModule
from torchrl.modules import OneHotCategorical, ProbabilisticActor, ValueOperator

actor = ProbabilisticActor(
    TensorDictModule(net, in_keys=["observation"], out_keys=["logits"]),
    in_keys=["logits"],
    spec=env.action_spec,
    distribution_class=OneHotCategorical,
    return_log_prob=True,
)
critic = ValueOperator(value_net, in_keys=["observation"])
```

## What happens at run time

`Normal(mean, std).log_prob(action)` has the shape of the action, `[N, A]`, and a loss that forgets
`.sum(-1)` broadcasts. `ProbabilisticActor(..., distribution_class=IndependentNormal,
return_log_prob=True)` writes "action_log_prob" of shape `[N]`. For a `GymEnv` with
`categorical_action_encoding=True` the distribution is `torch.distributions.Categorical`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO121",
    name="hand-written-actor-critic",
    severity=Severity.INFO,
    program="torch",
    needs=(
        ("log_prob", "log_softmax"),
        ("sample", "rsample", "multinomial"),
        ("Module", "Linear", "Sequential"),
    ),
    summary="One module that builds a distribution, samples, and computes a value by hand.",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.policies import actor_critics

    for cls in actor_critics(file):
        yield rule.at(
            file.span(cls.node.name),
            f"{cls.name} builds its distribution, samples and computes a value by hand",
            help="compose torchrl.modules.ProbabilisticActor(TensorDictModule(...), "
            "return_log_prob=True) and ValueOperator",
            scope=cls.qualname,
        )
