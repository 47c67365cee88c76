"""A file cannot be parsed.

## What it does

Reports the place at which a file stops being Python that ppolint can read. Only files that some
rule would look at are parsed, so a broken file without reinforcement-learning code stays silent.

## Why is this bad

Little else can be said about the file. Where all that is wrong is a block that is indented too far,
the rest is reviewed as if it stood at the level around it. Of a notebook with broken cells, and of
a script that still has a notebook's shell commands, the rules about hand-written plumbing read the
rest: what is there is there, but what is missing may be in the part that cannot be read. Nothing
is fixed automatically in either.

## Example

```python
import torchrl
loss = ClipPPOLoss(actor, critic
```

## Use instead

```python
import torchrl
loss = ClipPPOLoss(actor, critic)
```

## What happens at run time

Python raises `SyntaxError` on import. Code for Python 2 is reported as well.
"""

from __future__ import annotations

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.source.file import Source

rule = Rule(
    code="PPO001",
    name="syntax-error",
    severity=Severity.ERROR,
    needs=(),
    summary="A file that other rules would look at cannot be parsed.",
)


def finding(source: Source, message: str, row: int, column: int) -> Finding:
    """The finding for a parser that gave up at a 1-based row and column of `source.text`."""
    start = source.offset_at(row, column)
    end = min(start + 1, len(source.text))
    return rule.at((start, max(start, end)), f"Syntax error: {message}")
