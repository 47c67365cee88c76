"""`reward`, `done` or `episode_reward` read at the root of a batch.

What it does
    Reports these keys read from a batch of a collector, a rollout, a sample of a buffer or the
    result of `env.step`, without `"next"`. Environments' own `_step`, plain dictionaries, and
    data after `reset` or `step_mdp` are not reported.

Why is this bad
    TorchRL keeps what a step returned under `"next"`. The root describes the state before the
    step: it has no reward, it is not done, and its `episode_reward` lacks the last step.

Example
    episode_reward = data["episode_reward"][data["next", "done"]]
    finished = data["done"].sum()

Use instead
    episode_reward = data["next", "episode_reward"][data["next", "done"]]
    finished = data["next", "done"].sum()

What happens at run time
    `data["reward"]` raises `KeyError`; `data["done"]` of a batch is false everywhere;
    `data["episode_reward"]` at the end of an episode is the sum without the last reward.
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
    code="PPO513",
    name="root-key-read",
    severity=Severity.WARNING,
    needs=(
        ("reward", "done", "terminated", "truncated", "episode_reward"),
        ACTS,
    ),
    summary="A result of the step is read at the root of the batch",
    fix=Applicability.UNSAFE,
)


_KEYS = frozenset({"reward", "done", "terminated", "truncated", "episode_reward"})
_WHAT = {
    "reward": "there is no reward at the root",
    "episode_reward": "at the root it is the sum before this step",
}
_KEEPS = frozenset({
    "device", "copy", "cast", "shape", "reshape", "index", "method", "advantage", "module", "loss",
    "stack", "cat", "chunk", "step",
})  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    told = set()
    copied = _copied(file)
    for value, base, key in _reads(file):
        if _only_described(file, value) or (value, _last(key)) in copied:
            continue
        for node, site in file.places(value):
            if not site.frame.module.main:
                continue
            span = file.at(node, site)
            if span in told or not _at_the_root(file, base, site, key):
                continue
            told.add(span)
            last = _last(key)
            if _written_here(file, base, key):
                if last == "reward":
                    yield rule.at(
                        span,
                        "this is the reward that was written at the root, not the one under "
                        '"next" that is trained on',
                        help='write and read it under "next"',
                        scope=site.frame.scope,
                    )
                continue
            what = _WHAT.get(last, "at the root it is the flag of the state before the step")
            yield rule.at(
                span,
                f'{_shown(key)} of this step is under "next": {what}',
                help=f"read {_shown(('next', *((key,) if isinstance(key, str) else key)))}",
                scope=site.frame.scope,
                fix=_fix(file, node, site, key),
            )


def _last(key: Any) -> str:
    return key if isinstance(key, str) else key[-1]


def _copied(file: FileModel) -> set[tuple[Any, str]]:
    """(value, key) of what is written at the root of a TensorDict under a key of that name: a flag
    of the root that stays one."""
    from ppolint.semantics.lineage import literal

    out = set()
    for event in file.events_of("store", "method"):
        if event.kind == "store" and event.key is not None:
            key, value = literal(event.key), event.value
        elif event.kind == "method" and event.key in ("set", "set_") and len(event.args) == 2:
            key, value = literal(event.args[0]), event.args[1]
        else:
            continue
        if _is_step_result(key):
            out.add((value.core, _last(key)))
    return out


def _only_described(file: FileModel, value: Any) -> bool:
    """Whether only the shape, dtype or device of the entry is used."""
    users = file.users(value)
    return bool(users) and all(
        u.op == "attr" and u.data in ("device", "dtype", "shape", "ndim") for u in users
    )


class _Group(str):
    """The part of a key that is the group of agents a loop is at."""

    __slots__ = ()


def _shown(key: Any) -> str:
    parts = (key,) if isinstance(key, str) else key
    return ", ".join(str(k) if isinstance(k, _Group) else f'"{k}"' for k in parts)


def _reads(file: FileModel) -> Iterator[tuple[Any, Any, Any]]:
    """Every read of one of the keys: the value, what it is read from, the key."""
    for value in file.of_op("item"):
        key = _key(file, value.args[1])
        if _is_step_result(key):
            yield value, value.args[0], key
    for value in file.of_op("call"):
        callee = value.args[0]
        if callee.op == "attr" and callee.data == "get" and _is_taken_as_it_is(value):
            key = _key(file, value.args[1])
            if _is_step_result(key):
                yield value, callee.args[0], key


def _is_taken_as_it_is(get: Any) -> bool:
    """Whether `td.get(key)` has no default, or one that hides that there is no such entry: after
    `None` the code may look elsewhere."""
    if len(get.args) == 3:
        default = get.args[2].core
        return not (default.op == "const" and default.data is None)
    return len(get.args) == 2


def _key(file: FileModel, index: Any) -> Any:
    """A key, also one that begins with the group of a loop over groups of agents."""
    from ppolint.semantics.lineage import literal

    if index.op != "tuple" or len(index.args) != 2 or index.args[0].string is not None:
        return literal(index)
    last = index.args[1].string
    if last not in _KEYS or not _is_group(file, index.args[0]):
        return None
    return (_Group(_name(file, index.args[0])), last)


def _name(file: FileModel, value: Any) -> str:
    """What the loop calls its group."""
    core = value.core
    loop = file.loops[core.data if core.op == "elem" else core.args[0].core.data]
    target = getattr(loop.node, "target", None)
    if core.op == "item" and getattr(target, "elements", None):
        target = target.elements[0].value
    found = getattr(target, "value", None)
    return found if isinstance(found, str) else "group"


def _is_group(file: FileModel, value: Any) -> bool:
    """Whether a name comes of a loop over the groups of an environment, or over given names."""
    from ppolint.semantics.values import walk

    core = value.core
    if core.op == "item" and core.args[1].number == 0:
        core = core.args[0].core  # for group, agents in group_map.items()
    if core.op != "elem":
        return False
    sources = file.pipeline.wiring.leaves_of_container(file.pipeline.iterable(core.args[0]))
    for source in sources:
        if any(v.op == "attr" and v.data == "group_map" for v in walk(source, through_calls=True)):
            continue
        names = _names(file, source)
        if not names or not all(isinstance(n, str) and n != "next" for n in names):
            return False
    return bool(sources)


def _names(file: FileModel, container: Any) -> list[Any]:
    """The keys of a dictionary, those stored later included, or the strings of a list."""
    if container.op == "tuple":
        return [item.string for item in container.args]
    if container.op != "alloc":
        return []
    stored = [e.key for e in file.events if e.kind == "store" and e.base.core is container]
    keys = [*(container.data.entries or ()), *(getattr(k, "string", k) for k in stored)]
    return keys or [item.string for item in container.data.items or ()]


def _is_step_result(key: Any) -> bool:
    if isinstance(key, str):
        return key in _KEYS
    return isinstance(key, tuple) and key[-1] in _KEYS and key[0] != "next" and len(key) > 1


def _at_the_root(file: FileModel, base: Any, site: Any, key: Any) -> bool:
    """Whether the data is certainly a batch or a step with its `"next"` still in it."""
    from ppolint.semantics.components import UNKNOWN
    from ppolint.semantics.stepping import stepped_in_place

    if stepped_in_place(file.pipeline, base, site):
        return True
    data = file.pipeline.data(base)
    if not data.paths:
        return _unseen_step(file, base)
    for path in data.paths:
        if any(o.kind not in (*_KEEPS, "write") for o in path.operations):
            return _unseen_step(file, base)
        if path.origin == "reset":
            if not any(o.kind == "step" and o.name == "step" for o in path.operations):
                return False
        elif path.origin not in ("collector", "rollout", "buffer"):
            return _unseen_step(file, base)
        elif path.origin == "buffer" and path.component is not UNKNOWN:
            if not _holds_steps(file, path.component):
                return False
        elif path.did("step"):
            return False
    return True


def _holds_steps(file: FileModel, buffer: Any) -> bool:
    """Whether what is in a buffer comes from a collector or a rollout."""
    fed = file.pipeline.fed(buffer)
    origins = {p.origin for s in fed for p in s.data.paths}
    return bool(origins) and origins <= {"collector", "rollout"}


def _written_here(file: FileModel, base: Any, key: Any) -> bool:
    """Whether the code itself writes that key at the root of such data."""
    return any(
        s.kind == "write" and s.name == key and s.operand is not None
        and {p.value for p in s.data.paths} & {p.value for p in file.pipeline.data(base).paths}
        for s in file.pipeline.steps
    )  # fmt: skip


def _unseen_step(file: FileModel, base: Any) -> bool:
    """Whether the data is `env.step(td)` of an environment that is not seen, by how it is used."""
    core = base.core
    if core.op != "call" or core.args[0].op != "attr" or core.args[0].data != "step":
        return False
    if len(core.args) != 2 or core.data.keywords:
        return False
    stepped = core.args[1].core
    receiver = core.args[0].args[0]
    cls = file.class_of(receiver)
    if cls is not None and not any("EnvBase" in b for b in cls.external_bases()):
        return False
    return _is_td(file, stepped, receiver)


def _is_td(file: FileModel, value: Any, env: Any, depth: int = 0) -> bool:
    """Whether a value comes from `env.reset()` of the same environment, the policy applied."""
    core = value.core
    if depth > 10:
        return False
    if core.op == "carry":
        return any(
            _is_td(file, v, env, depth + 1) for v in file.pipeline.wiring.carried(core) or ()
        )
    if core.op in ("phi", "after"):
        return any(_is_td(file, v, env, depth + 1) for v in core.args)
    if core.op != "call":
        return False
    callee = core.args[0]
    if callee.op == "attr" and callee.data == "reset":
        return callee.args[0].core is env.core
    return len(core.args) > 1 and _is_td(file, core.args[1], env, depth + 1)


def _fix(file: FileModel, node: Any, site: Any, key: Any) -> Any:
    import libcst as cst

    if not site.frame.module.main:
        return None
    if isinstance(node, cst.Subscript) and len(node.slice) >= 1:
        start, _ = file.span(node.slice[0])
        return rule.mend('read it under "next"', Edit(start, start, '"next", '))
    if isinstance(node, cst.Call) and node.args:
        start, end = file.span(node.args[0].value)
        text = file.source.text[start:end]
        inner = text[1:-1].strip() if text.startswith("(") else text
        return rule.mend('read it under "next"', Edit(start, end, f'("next", {inner})'))
    return None
