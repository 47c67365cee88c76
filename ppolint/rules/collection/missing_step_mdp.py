"""A hand-written loop passes the result of `env.step` to `env.step` without `step_mdp`.

What it does
    Follows the TensorDict of a loop from one iteration to the next and reports `td =
    env.step(td)` where neither `step_mdp`, `step_and_maybe_reset` nor `td["next"]` brings it to
    the next state. Gymnasium's own `step`, single steps, and a bare `GymEnv` that is given actions
    of which none depends on the root are not reported.

Why is this bad
    `env.step` writes the new state under `"next"` and leaves the root as it is. The next
    iteration acts on the old observation; `td["done"]` at the root never becomes true.

Example
    while not done:
        td = policy(td)
        td = env.step(td)
        done = td["next", "done"].item()

Use instead
    while not done:
        td = policy(td)
        td = env.step(td)
        done = td["next", "done"].item()
        td = step_mdp(td)

What happens at run time
    The root observation stays the same in every iteration and the root `done` false: a loop
    that waits for it runs for ever. `td["reward"]` raises `KeyError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import ACTS

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO511",
    name="missing-step-mdp",
    severity=Severity.ERROR,
    needs=(("step",), ACTS),
    summary="A loop steps the same root state again and again",
    fix=Applicability.UNSAFE,
)


_STEPS = ("step",)
_ADVANCES = ("step_mdp", "advance", "maybe_reset", "_step_mdp", "reset")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    told = set()
    for event in file.events_of("method"):
        if event.key not in _STEPS or len(event.args) != 1:
            continue
        span = file.at(event.node, event.site)
        if span in told or event.value.core.op != "call":
            continue
        carried = _carried(file, event)
        if carried is None or not _is_tensordict_env(file, event):
            continue
        if _is_driven_by_hand(file, event, carried):
            continue
        told.add(span)
        yield rule.at(
            span,
            "the next iteration steps the same state again: `step` writes the new one under "
            '"next" and leaves the root as it is',
            help="`td = step_mdp(td)` at the end of the iteration (or `step_and_maybe_reset`)",
            scope=event.site.frame.scope,
            fix=_fix(file, event),
        )


def _carried(file: FileModel, event: Any) -> Any:
    """The loop variable that goes into the step and takes its result over unchanged."""
    for loop in reversed(event.site.loops()):
        for carried in loop.carried.values():
            if _reaches(file, carried.step, event.value.core) and _comes_from(
                file, event.args[0], carried.start.core
            ):
                return carried
    return None


def _is_driven_by_hand(file: FileModel, event: Any, carried: Any) -> bool:
    """Whether nothing depends on the root: a `GymEnv` keeps its state to itself and takes the action
    only, no policy gets the TensorDict, and what is read of it is under "next"."""
    from ppolint.semantics.components import Environment

    envs = file.pipeline.candidates(event.base)
    if not all(isinstance(e, Environment) and e.name in _STATEFUL and e.cls is None for e in envs):
        return False
    start = carried.start.core
    data = {*_same(event.args[0].core), event.value.core, start}
    if start not in set(_same(event.args[0].core)):
        return False
    for user in (u for d in data for u in file.users(d)):
        if user.op == "item" and _key(user.args[1]) in ("next", "action"):
            continue
        if user.op in ("phi", "after", "carry") or user is event.value.core:
            continue
        if user.op == "attr" and user.data in ("set", "step"):
            continue
        return False
    return True


_STATEFUL = ("GymEnv", "GymWrapper")


def _reaches(file: FileModel, value: Any, result: Any) -> bool:
    """Whether `value` is the result of the step itself, on every branch that is one."""
    return any(o is result for o in _same(value.core))


def _same(core: Any, depth: int = 0) -> Iterator[Any]:
    """What a value may be, through branches and the policy that is applied to it."""
    yield core
    if depth > 6:
        return
    if core.op in ("phi", "after"):
        for arg in core.args:
            yield from _same(arg.core, depth + 1)
    elif core.op == "call" and core.args[0].op == "attr" and core.args[0].data in ("to", "clone"):
        yield from _same(core.args[0].args[0].core, depth + 1)


def _comes_from(file: FileModel, value: Any, start: Any) -> bool:
    """Whether what is stepped is the loop variable, perhaps with the policy applied to it."""
    for core in _same(value.core):
        if core is start:
            return True
        if core.op == "call" and len(core.args) > 1:
            callee = core.args[0]
            if callee.op == "attr" and callee.data in _ADVANCES:
                continue
            if (callee.dotted or "").rpartition(".")[2] in _ADVANCES:
                continue
            if any(_comes_from(file, a, start) for a in core.args[1:2]):
                return True
    return False


def _is_tensordict_env(file: FileModel, event: Any) -> bool:
    """Whether the environment is TorchRL's: known as such, or its result is read by keys."""
    found = file.pipeline.candidates(event.base)
    if any(getattr(c, "kind", "") == "environment" for c in found):
        return True
    return any(
        user.op == "item" and _key(user.args[1]) in ("reward", "done", "terminated", "next")
        for user in file.users(event.value)
    ) and not _has_own_step(file, event)


def _has_own_step(file: FileModel, event: Any) -> bool:
    """Whether the receiver is an object of the project that is no environment."""
    cls = file.class_of(event.base)
    return cls is not None and not any("EnvBase" in b for b in cls.external_bases())


def _key(index: Any) -> Any:
    if index.op == "tuple" and index.args:
        return index.args[0].string
    return index.string


def _fix(file: FileModel, event: Any) -> Any:
    """`td = env.step_mdp(td)` at the end of the loop body, or around a lone step."""
    import libcst as cst

    from ppolint.semantics import edits

    if not event.site.frame.module.main or not event.site.loop:
        return None
    statement = event.site.statement
    call = event.node
    if not edits.is_alone(statement) or not isinstance(call.func, cst.Attribute):
        return None
    assign = statement.body[0]
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1 or assign.value is not call:
        return None
    target = assign.targets[0].target
    env = edits.text_of(file, call.func.value)
    block = edits.block_of(file.tree, statement)
    if block is None or not isinstance(target, cst.Name):
        return None
    if any(
        _key(u.args[1]) in ("reward", "done") for u in file.users(event.value) if u.op == "item"
    ):
        return None
    later = block[block.index(statement) + 1 :]
    if not any(target.value in edits.text_of(file, s) for s in later):
        start, end = file.span(call)
        return rule.mend(
            "go on with the next state", Edit(start, start, f"{env}.step_mdp("), Edit(end, end, ")")
        )
    change = edits.insert_after(file, block[-1], f"{target.value} = {env}.step_mdp({target.value})")
    return rule.mend("go on with the next state", change) if change is not None else None
