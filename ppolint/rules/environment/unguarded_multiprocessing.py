"""Worker processes started while the script is imported.

What it does
    Reports `ParallelEnv` and multi-process collectors that are built when the module is executed,
    outside of `if __name__ == "__main__":`. Silent in notebooks, where a start method that needs no
    guard is chosen, and in functions that nothing calls at import.

Why is this bad
    TorchRL starts its workers by spawning a new interpreter that imports the main script. There it
    meets the same line, and wants to start workers again.

Example
    env = ParallelEnv(4, make_env)
    train(env)

Use instead
    def main():
        env = ParallelEnv(4, make_env)
        train(env)

    if __name__ == "__main__":
        main()

What happens at run time
    RuntimeError in each worker, then EOFError or "Worker 0 failed to initialize" in the script, or
    a collector that waits for ever. The last line of the message says nothing of the guard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO307",
    name="unguarded-multiprocessing",
    severity=Severity.ERROR,
    needs=(
        ("torchrl",),
        (
            "ParallelEnv",
            "MultiSyncCollector",
            "MultiSyncDataCollector",
            "MultiAsyncCollector",
            "MultiaSyncDataCollector",
            "AsyncCollector",
            "aSyncDataCollector",
        ),
    ),
    summary="`ParallelEnv` or a multi-process collector without a main guard",
    fix=Applicability.SUGGEST,
)

_PROCESSES = frozenset(
    {"ParallelEnv", "MultiSyncCollector", "MultiAsyncCollector", "AsyncCollector", "MultiCollector"}
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.cells import is_notebook

    if file.source.is_notebook or "set_start_method" in file.source.text or is_notebook(file.tree):
        return
    pipeline = file.pipeline
    seen = set()
    for component in (*pipeline.environments, *pipeline.collectors):
        if component.name not in _PROCESSES or component.cls is not None:
            continue
        if component.site.root.function is not None or _guarded(component.site):
            continue
        if not _spawns(component) or component.span in seen:
            continue
        seen.add(component.span)
        yield rule.at(
            component.span,
            f"`{component.name}` starts processes while the module is imported: every worker "
            f"imports "
            "the script again and fails",
            help='build it in a function that is called under `if __name__ == "__main__":`',
            scope=file.scope(component.site),
        )


def _spawns(component: Any) -> bool:
    method = component.argument("mp_start_method")
    if method is not None and component.pipeline.text(method) != "spawn":
        return False
    if component.name != "ParallelEnv":
        return True
    alone = component.pipeline.number(component.argument("num_workers")) == 1
    return not (alone and component.flag("serial_for_single", False) is not False)


def _guarded(site: Any) -> bool:
    """Whether a branch around a place (or around the call that leads there) asks for `__name__`."""
    from ppolint.rules.environment._classes import walk
    from ppolint.semantics.story import conditions

    for node, _ in conditions(site):
        test = getattr(node, "test", None)
        if test is not None and any(getattr(n, "value", None) == "__name__" for n in walk(test)):
            return True
    return False
