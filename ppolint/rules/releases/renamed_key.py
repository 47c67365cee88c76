"""A TensorDict key that the targeted TorchRL release writes under another name.

What it does
    Reports reads of `"sample_log_prob"` in code whose actors write their log-probability under the
    default key, which has been `"action_log_prob"` since TorchRL 0.9.0. Silent where the project
    chooses the key itself (`log_prob_key=`, a `set_keys(sample_log_prob=...)` field is a name and
    not a key) or writes it.

Why is this bad
    The key is not there.

Example
    ratio = (log_prob - batch["sample_log_prob"]).exp()

Use instead
    ratio = (log_prob - batch["action_log_prob"]).exp()

What happens at run time
    `KeyError: 'key "sample_log_prob" not found in TensorDict'`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO906",
    name="renamed-key",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"), ("sample_log_prob",)),
    summary="A TensorDict key that the targeted release writes under another name",
    fix=Applicability.SAFE,
    across_files=True,
)
# Whoever says one of these decides about the key.
_DECIDING = (
    *("log_prob_key", "log_prob_keys"),
    *("set_composite_lp_aggregate", "composite_lp_aggregate", "COMPOSITE_LP_AGGREGATE"),
)
_CHOSEN = re.compile(rf"\b({'|'.join(_DECIDING)})\b")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from packaging.version import Version

    from ppolint.rules.releases._context import context
    from ppolint.torchrl_api.renames import LOG_PROB

    ctx = context(file)
    text = file.source.text
    if not ctx.uses_api or _CHOSEN.search(text) or _writes(text, LOG_PROB.old):
        return
    renamed = [r for r in ctx.target.torchrl if Version(r) >= Version(LOG_PROB.since)]
    if not renamed:
        return
    safe = len(renamed) == len(ctx.target.torchrl)
    reads = [
        (use, file.span(use.node))
        for use in ctx.names.strings
        if not use.guarded and use.node.value[1:-1] == LOG_PROB.old
    ]
    reads = [(use, span) for use, span in reads if _is_read(text, *span)]
    if not reads or _chosen_elsewhere(file):
        return
    for use, span in reads:
        quote = use.node.value[0]
        yield rule.at(
            span,
            f'the key "{LOG_PROB.old}" is not written by {ctx.in_target("torchrl", renamed)}: '
            f"KeyError ({LOG_PROB.why})",
            help=f'read "{LOG_PROB.new}", or give the actor `log_prob_key="{LOG_PROB.old}"`',
            scope=use.scope.qualname,
            fix=rule.mend(
                f'Read "{LOG_PROB.new}"',
                Edit(*span, f"{quote}{LOG_PROB.new}{quote}"),
                applicability=Applicability.SAFE if safe else Applicability.SUGGEST,
            ),
        )


def _chosen_elsewhere(file: FileModel) -> bool:
    """Whether another file of the project decides about the key: actors and the code that reads
    what they write are often apart."""
    from ppolint.rules.releases._context import part_of_a_package

    if file.project is None:
        return False
    file.searched_project = True
    return any(
        not part_of_a_package(path) for word in _DECIDING for path in file.project.mentioning(word)
    )


def _writes(text: str, key: str) -> bool:
    """Whether the file itself writes the key, or makes it an `out_keys` or a `set_keys` value."""
    quoted = rf"[\"']{key}[\"']"
    return (
        re.search(rf"\[[^\]\n]*{quoted}\s*\)?\s*\]\s*=[^=]", text) is not None
        or re.search(rf"\.set_?\(\s*\(?[^)\n]*{quoted}", text) is not None
        or re.search(rf"out_keys\s*=\s*\[[^\]]*{quoted}", text) is not None
        or re.search(rf"{quoted}\s*:", text) is not None
        or re.search(rf"\b(sample_log_prob|\w*log_prob\w*)\s*=\s*\(?[^)\n]*{quoted}\s*[,)\n]", text)
        is not None
    )


def _is_read(text: str, start: int, end: int) -> bool:
    """`x["key"]`, `x["agents", "key"]`, `x.get("key")`, `select`, `pop`."""
    before = text[max(0, start - 60) : start]
    after = text[end : end + 4]
    subscript = re.search(r"[\w\])]\[\s*(\(?\s*[\"'][\w]+[\"']\s*,\s*)*$", before)
    method = re.search(r"\.(get|pop|select|exclude|get_item_shape)\(\s*\(?[^()]*$", before)
    return bool((subscript and re.match(r"\s*\)?\s*\]", after)) or method)
