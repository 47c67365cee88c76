"""A suppression comment suppresses nothing.

## What it does

Reports `# ppolint: ignore[...]`, `# ppolint: ignore-file[...]` and the ppolint codes of a `# noqa`
comment that keep no finding from being reported, and names in them that are no rule. Rules that
are not selected are left alone. The fix removes what is unused and keeps the rest of the comment.

## Why is this bad

The comment tells readers that something here is wrong on purpose. When that is no longer so it
misleads them, and it hides the next real finding on the line.

## Example

```python
advantage_module = GAE(gamma=0.99, lmbda=0.95, value_network=critic)  # ppolint: ignore[PPO104]
```

## Use instead

```python
advantage_module = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
```

## What happens at run time

Nothing: comments do not run.
"""

from __future__ import annotations

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

rule = Rule(
    code="PPO002",
    name="unused-suppression",
    severity=Severity.INFO,
    needs=(("ppolint", " PPO", ",PPO", ":PPO"), ("ppolint", "noqa")),  # the rarer ones first
    summary="A suppression comment suppresses nothing, or names no rule.",
    fix=Applicability.SAFE,
)


def finding(span: tuple[int, int], names: list[str], unknown: list[str], edit: Edit) -> Finding:
    """The finding for a comment of which `names` suppress nothing and `unknown` are no rules."""
    said = []
    if names:
        said.append(f"{_listed(names)} {_plural(names, 'suppresses', 'suppress')} nothing here")
    if unknown:
        said.append(f"{_listed(unknown)} {_plural(unknown, 'is no rule', 'are no rules')}")
    message = f"Unused suppression: {' and '.join(said)}."
    return rule.at(span, message, fix=rule.mend("Remove the unused suppression", edit))


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plural(names: list[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
