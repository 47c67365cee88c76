"""A file was skipped because it cannot be analysed.

## What it does

Reports a file that is unreadable, binary, not in the encoding it declares, larger than ppolint
analyses, or nested so deeply that a parser runs out of stack.

## Why is this bad

No rule has looked at the file, so its silence means nothing.

## Example

```python
# -*- coding: klingon -*-
import torchrl
```

## Use instead

```python
# -*- coding: utf-8 -*-
import torchrl
```

## What happens at run time

It depends on the cause: Python refuses null bytes and unknown encodings, and runs large or deeply
nested files. Generated files belong into `exclude`.
"""

from __future__ import annotations

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

rule = Rule(
    code="PPO003",
    name="file-not-analysed",
    severity=Severity.INFO,
    needs=(),
    summary="A file is unreadable, too large or too deeply nested to be analysed.",
)


def finding(reason: str, at: int = 0) -> Finding:
    """The finding for a file that was skipped; `at` is the offset of the cause, if it has one."""
    return rule.at((at, at), f"File not analysed: {reason}.")
