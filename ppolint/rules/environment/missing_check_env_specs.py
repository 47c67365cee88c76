"""An environment that is never checked against its own specs.

What it does
    Reports a subclass of `EnvBase`, and a collector's environment with transforms, when no
    `check_env_specs` reaches it anywhere in the project, tests included. Where class and transforms
    are all TorchRL's own it is a note only, and only in a file that trains with a PPO loss. What a
    test builds for itself is left alone.

Why is this bad
    Specs are promises: buffers, collectors and networks are built from them. A promise that is not
    kept shows far from the environment, or never.

Example
    env = TransformedEnv(MyEnv(), Compose(MyTransform(), StepCounter()))
    collector = Collector(env, policy, frames_per_batch=1000)

Use instead
    env = TransformedEnv(MyEnv(), Compose(MyTransform(), StepCounter()))
    check_env_specs(env)
    collector = Collector(env, policy, frames_per_batch=1000)

What happens at run time
    An observation in float64 where the spec says float32 fails inside a linear layer of the policy;
    an entry that is in no spec is collected without a word. `check_env_specs` names the key in both
    cases. It resets the environment and draws random numbers: run it on one of its own, or seed
    afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import COLLECTS

if TYPE_CHECKING:
    from ppolint.semantics.components import Environment
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.program import Class

rule = Rule(
    code="PPO301",
    name="missing-check-env-specs",
    severity=Severity.WARNING,
    needs=(("EnvBase", "_step", *COLLECTS),),
    summary="No `check_env_specs` reaches the environment",
    fix=Applicability.SUGGEST,
    across_files=True,
)

_CHECK = "check_env_specs"
_HELP = "call `check_env_specs(env)` once, in a test or before training (and seed afterwards)"


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._classes import environment_classes

    if _is_test(file):
        return
    told = []
    for cls in environment_classes(file):
        if _is_concrete(cls) and not _is_base(file, cls) and not _class_is_checked(file, cls):
            told.append(cls)
            start = file.span(cls.node)[0]
            yield rule.at(
                (start, file.span(cls.node.name)[1]),
                f"no `check_env_specs` reaches `{cls.name}`: data that breaks its specs is found "
                f"far "
                "away, or never",
                help=_HELP,
                scope=cls.qualname,
            )
    yield from _collected(file, told)


_TEST = re.compile(r"(?:test_[^/\\]*|[^/\\]*_test|conftest)\.py$")


def _is_test(file: FileModel) -> bool:
    """Whether the file is a test: its environments are doubles, made to be wrong as often as right."""
    text = file.source.text
    return bool(_TEST.search(file.source.path)) and ("def test_" in text or "pytest" in text)


def _is_concrete(cls: Class) -> bool:
    """Whether the class has dynamics of its own and nothing left to fill in."""
    step = cls.methods.get("_step")
    if step is None or "_reset" not in {n for c in cls.lineage() for n in c.methods}:
        return False
    for known in cls.lineage():
        for function in known.methods.values():
            if any((d.dotted or "").endswith("abstractmethod") for d in function.decorators):
                return False
    return "NotImplementedError" not in _body_names(step.node)


def _is_base(file: FileModel, cls: Class) -> bool:
    """Whether other environments derive from the class: those are what is checked."""
    if any(cls in other.lineage() for other in file.classes if other is not cls):
        return True
    if file.project is None:
        return False
    file.searched_project = True
    derived = re.compile(rf"^\s*class\s+\w+\([^)]*\b{cls.name}\b", re.MULTILINE)
    return any(derived.search(file.project.text(p)) for p in file.project.mentioning(cls.name))


def _body_names(node: Any) -> set[str]:
    from ppolint.rules.environment._classes import walk

    return {n.value for n in walk(node) if type(n).__name__ == "Name"}


def _checking_files(file: FileModel) -> list[str]:
    """The other files of the project that call `check_env_specs`."""
    if file.project is None:
        return []
    file.searched_project = True
    project = file.project
    found = (p for p in project.mentioning(_CHECK) if p != file.source.path)
    return [p for p in found if _calls_it(project.text(p))]


def _calls_it(text: str) -> bool:
    """Whether a text does more than import the check, or have it in a comment."""
    return _CALL.search(text) is not None


_CALL = re.compile(rf"^[^#\n]*(?:{_CHECK}\(|\({_CHECK})", re.MULTILINE)


def _class_is_checked(file: FileModel, cls: Class) -> bool:
    from ppolint.semantics.components import Environment

    for step in file.pipeline.steps:
        if step.kind != "check":
            continue
        for found in step.components:
            if not isinstance(found, Environment):
                return True
            if any(
                not isinstance(b, Environment)
                or b.cls in (cls, None)
                and b.name == "EnvBase"
                or (b.cls is not None and cls in b.cls.lineage())
                for b in found.bases
            ):
                return True
    if _calls_it(file.source.text) and not any(s.kind == "check" for s in file.pipeline.steps):
        return True
    project = file.project
    for path in _checking_files(file):
        assert project is not None
        if cls.name in project._words(path) or _imports(file, path):
            return True
    return False


def _imports(file: FileModel, path: str) -> bool:
    """Whether a file of the project imports this one, or a file that does."""
    project = file.project
    assert project is not None
    seen, queue = set(), [file.source.path]
    while queue and len(seen) < 60:
        current = queue.pop()
        if current == path:
            return True
        if current in seen:
            continue
        seen.add(current)
        queue.extend(project.importers.get(current, ()))
    return False


def _collected(file: FileModel, told: list[Class]) -> Iterator[Finding]:
    """Environments of collectors that are transformed and never checked, but for those of classes
    that the file was told about."""
    from ppolint.semantics.components import Environment

    checked: list[Any] = []
    for step in file.pipeline.steps:
        if step.kind == "check":
            checked.extend(step.components)
    if any(not isinstance(c, Environment) for c in checked):
        return
    if _calls_it(file.source.text) and not checked:
        return
    seen = set()
    collected = [
        (e, c) for c in file.pipeline.collectors for e in c.envs if isinstance(e, Environment)
    ]
    for env, collector in collected:
        if not env.here and _is_told_elsewhere(env, collector):
            continue
        if id(env.node) in seen or not env.transforms:
            continue
        if any(getattr(b, "cls", None) in told for b in env.bases):
            continue
        if any(_is_inside(other, env) for other, _ in collected):
            continue  # the same environment, in workers
        if any(_covers(other, env) for other in checked) or _checked_elsewhere(file):
            continue
        own = _has_own_parts(env)
        if not own and not any(loss.is_ppo for loss in file.pipeline.losses):
            continue
        seen.add(id(env.node))
        yield rule.at(
            _place(file, env),
            "no `check_env_specs` reaches this environment after its transforms",
            help=_HELP,
            scope=file.scope(env.site),
            severity=None if own else Severity.INFO,
        )


def _is_told_elsewhere(env: Environment, collector: Any) -> bool:
    """Whether another file builds both the environment and its collector, and so is told itself."""
    if collector.here:
        return False
    return bool(collector.site.frame.module is env.site.frame.module)


def _is_inside(inner: Environment, env: Environment) -> bool:
    """Whether an environment is built like the one that the workers of another one step."""
    from ppolint.semantics.components import Environment

    return env.is_parallel and any(
        isinstance(w, Environment) and w.node is inner.node for w in env.wrapped
    )


def _place(file: FileModel, env: Environment) -> tuple[int, int]:
    """Where it is built, in this file: inside the factory if that is here."""
    if env.here:
        return file.span(env.node)
    return env.span


def _covers(checked: Environment, env: Environment) -> bool:
    """Whether a check of one environment says enough about another: the same, built by the same
    code, or of the same parts."""
    if checked is env or checked.node is env.node:
        return True
    from ppolint.semantics.components import Environment

    for inner in env.wrapped:
        if isinstance(inner, Environment) and _covers(checked, inner):
            return True
    return {t.name for t in checked.transforms} >= {t.name for t in env.transforms} and (
        getattr(checked.base, "name", 0) == getattr(env.base, "name", 1)
    )


def _checked_elsewhere(file: FileModel) -> bool:
    project = file.project
    if project is None:
        return False
    connected = {file.source.path, *file.dependencies()}
    for path in _checking_files(file):
        if path in connected or _imports(file, path):
            return True
        if any(_reaches(project, path, target) for target in file.dependencies()):
            return True
    return False


def _reaches(project: Any, path: str, target: str) -> bool:
    return path in project.importers.get(target, ())


def _has_own_parts(env: Environment) -> bool:
    from ppolint.semantics.components import Environment

    if any(t.cls is not None for t in env.transforms):
        return True
    return any(isinstance(b, Environment) and b.cls is not None for b in env.bases)
