"""A name or an argument that is newer than a release the project says it runs on.

What it does
    Reports names and keyword arguments of TorchRL and TensorDict that exist only in later releases
    than the oldest one the project admits.

Why is this bad
    The program works here and stops at the import for whoever installs that release.

Example
    # pyproject.toml: dependencies = ["torchrl>=0.6"]
    from torchrl.collectors import Collector  # since 0.11.0

Use instead
    # pyproject.toml: dependencies = ["torchrl>=0.11"]
    from torchrl.collectors import Collector

What happens at run time
    `ImportError` or `TypeError` on the older release; a loss may swallow the newer keyword
    (`entropy_coeff` before TorchRL 0.9.0) and use its default.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO907",
    name="too-new-api",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="An API that a release the project admits does not have yet",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    """An error for an exact pin; a warning for a range, which other releases satisfy too."""
    from ppolint.rules.releases import _arguments
    from ppolint.rules.releases._context import context
    from ppolint.rules.releases._imports import mentions

    ctx = context(file)
    severity = Severity.ERROR if ctx.target.exact else Severity.WARNING
    for mention in mentions(ctx):
        missing = ctx.missing(mention.path)
        if not missing or ctx.was_removed(mention.path):
            continue
        since = ctx.db.lifetime(mention.path).since
        if since is None:
            continue
        yield rule.at(
            mention.span(ctx),
            f"`{mention.path}` exists since {ctx.title(mention.path, since)}; "
            f"it is not in {ctx.in_target(mention.path, missing)}",
            help=f"raise the floor to {since}",
            scope=mention.scope,
            severity=severity,
        )
    for verdict in _arguments.verdicts(file, rule.code):
        yield rule.at(
            verdict.span,
            verdict.message,
            help=verdict.help,
            scope=verdict.scope,
            severity=severity,
        )
