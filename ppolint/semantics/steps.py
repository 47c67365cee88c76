"""The calls that step environments, and what their replies hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ppolint.semantics.program import AllocSite
from ppolint.semantics.values import Value, alternatives, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

REWARD, DONE, OBSERVATION, ACTION, POLICY = "reward", "done", "observation", "action", "policy"
_STEPS = frozenset({"step", "step_env"})
# What the variables are called that a look at an environment is taken apart to.
_SAYS = {
    REWARD: re.compile(r"(?i)rew(ard)?s?(?![a-z])"),
    DONE: re.compile(r"(?i)done|over|terminal|terminated|end(ed)?$|firsts?$"),
}
# And those to what it tells beside what it shows.
_UNSEEN = re.compile(r"(?i)^_|info|cost|trunc|score|len|success")
_ACTS = frozenset({"step", "act"})  # where it replies nothing
_REPLIES = frozenset({"recv", "step_wait"})
# What the parts of a reply are called, where it is one object or a dict.
_FIELDS = {
    **dict.fromkeys(("reward", "rewards"), REWARD),
    **dict.fromkeys(
        ("observation", "observations", "obs", "vector_observations", "visual_observations"),
        OBSERVATION,
    ),
    **dict.fromkeys(("done", "dones", "terminated", "local_done"), DONE),
}
# What they may be called where the reply is an object that is kept: `self.seen = env.step(action)`.
_KEPT_FIELDS = {**_FIELDS, "state": OBSERVATION, "terminal": DONE}


@dataclass(frozen=True, slots=True)
class Steps:
    """What the file shows of stepping environments."""

    calls: tuple[Value, ...]
    actions: frozenset[Value]
    five: frozenset[Value]
    # What is shown by another call than the step.
    shown: dict[Value, str] = field(default_factory=dict)
    # The attributes that replies are kept in.
    kept: frozenset[Value] = frozenset()
    # The replies of whichever step a branch took.
    merged: frozenset[Value] = frozenset()
    # The third parts of replies that the next step is given: what a solver has reached, no flag.
    given_back: frozenset[Value] = frozenset()
    # The parts of replies in an order of their own, by what they are called.
    reordered: dict[Value, str | None] = field(default_factory=dict)


def steps_of(file: FileModel) -> Steps:
    """The calls `x.step(action)` whose result is taken apart."""
    return file.steps


def find_steps(file: FileModel) -> Steps:
    """`steps_of` a file that was not asked before."""
    calls: list[Value] = []
    actions: set[Value] = set()
    five: set[Value] = set()
    merged: set[Value] = set()
    for event in file.events_of("method"):
        # a worker process that is told to step
        if event.key == "send" and event.args:
            actions.update(v for v in walk(event.args[0].core) if _may_be_action(v))
    holders = _holders(file)
    kept: set[Value] = set()
    for call in file.of_op("call"):
        if not _is_step(call):
            continue
        met = [call, *(u for u in file.users(call) if _is_of_steps(u))]
        indices = {
            u.args[1].number
            for reply in met
            for u in file.users(reply)
            if u.op == "item" and u.args[0].core is reply
        }
        # one reply, or one for each name: env.step(action)[team].rewards
        replies = [*met, *(u for u in file.users(call) if is_named(u, call))]
        fields = {field_role(u) for reply in replies for u in file.users(reply)}
        held = holders.get(call)
        if held is not None and REWARD in {kept_field(u) for u in file.users(held)}:
            kept.add(held)
        elif not (indices & {1, 2, 3} or REWARD in fields):
            continue
        calls.append(call)
        merged.update(met[1:])
        if 4 in indices:
            five.update(met)
        for arg in call.args[1:]:
            for part in (arg, *literal_members(arg.core)):  # step([action])
                actions.update(v for v in walk(part.core, through_calls=True) if _may_be_action(v))
    reordered = _reordered(file, calls)
    shown: dict[Value, str] = {}
    if not any(call.args[0].data in _STEPS for call in calls if call.args[0].op == "attr"):
        shown, looks, environments = _shown_apart(file)
        if shown:
            calls, actions = [*looks], _given_to_steps(file, environments)
    return Steps(
        tuple(calls), frozenset(actions), frozenset(five), shown, frozenset(kept), frozenset(merged),
        frozenset(part for call in calls for part in _given_back(file, call)), reordered,
    )  # fmt: skip


def _reordered(file: FileModel, calls: list[Value]) -> dict[Value, str | None]:
    """The parts of replies that do not come in Gym's order, with their roles: what the variables are
    called says which is the reward, which the end of an episode, and what was not observed."""
    out: dict[Value, str | None] = {}
    for call in calls:
        names = file.taken_apart.get(call, {})
        at = {role: [n for n in names if says.search(names[n])] for role, says in _SAYS.items()}
        if len(at[REWARD]) != 1 or (at[REWARD] == [1] and (not at[DONE] or 2 in at[DONE])):
            continue
        for user in file.users(call):
            number = user.args[1].number if user.op == "item" else None
            if isinstance(number, int) and user.args[0].core is call:
                said = [role for role, places in at.items() if number in places]
                unseen = _UNSEEN.search(names.get(number, "_"))
                out[user] = said[0] if said else None if unseen else OBSERVATION
    return out


def _given_back(file: FileModel, call: Value) -> list[Value]:
    """The third part of a reply, where the next step gets it as an argument."""
    out = []
    for arg in call.args[2:]:
        if arg.core.op == "carry":
            at: int = arg.core.data[0]  # type: ignore[index]
            for carried in file.loops[at].carried.values():
                if carried.start.core is arg.core:
                    out += [
                        part
                        for part in alternatives(carried.step)
                        if part.op == "item" and part.args[0].core is call
                        if part.args[1].number == 2
                    ]
    return out


def _is_of_steps(value: Value) -> bool:
    """Whether a value is the reply of one step or another, whichever branch was taken."""
    parts = value.args[value.op == "where" :] if value.op in ("phi", "after", "where") else ()
    return bool(parts) and all(p.core.op == "call" and _is_step(p.core) for p in parts)


def _holders(file: FileModel) -> dict[Value, Value]:
    """The attributes that the replies of steps are kept in."""
    return {
        event.value.core: file.values.attr(event.base, event.key).core
        for event in file.events_of("setattr")
        if event.base is not None and event.value.core.op == "call"
        if _is_step(event.value.core)
    }


def _shown_apart(file: FileModel) -> tuple[dict[Value, str], set[Value], set[Value]]:
    """What `x.look()` shows of an x whose `x.step(action)` replies nothing: the roles of its parts,
    the calls, and the environments. The variables that it is taken apart to say which part is the
    reward, and which the end of an episode."""
    methods = [e for e in file.events_of("method") if e.base is not None]
    stepped = {
        e.base.core
        for e in methods
        if e.key in _ACTS and len(e.args) == 1 and e.site.loops()
        if not file.users(e.value.core) and e.value.core.op != "tuple"
    }
    looks = [e for e in methods if e.base.core in stepped and not e.args] if stepped else []
    named = {e.value.core: str(e.key) for e in file.events_of("bind")} if looks else {}
    roles: dict[Value, str] = {}
    calls: set[Value] = set()
    environments: set[Value] = set()
    for look in looks:
        whole = look.value.core
        parts = whole.args if whole.op == "tuple" else _items(file, whole)
        shown = {_only(part): _said(named[part.core]) for part in parts if part.core in named}
        made = next((v for part in parts for v in walk(part) if v.op == "call"), None)
        if made is not None and len(shown) > 2 and {REWARD, DONE} <= set(shown.values()):
            roles.update(shown)
            calls.add(made)
            environments.add(look.base.core)
    return roles, calls, environments


def _only(part: Value) -> Value:
    """What is alone in a list: `reward` of `torch.tensor([reward])`."""
    literal = literal_members(part.core)
    return literal[0].core if len(literal) == 1 else part.core


def _items(file: FileModel, whole: Value) -> list[Value]:
    return [u for u in file.users(whole) if u.op == "item" and u.args[0].core is whole]


def _said(name: str) -> str:
    return next((role for role, says in _SAYS.items() if says.search(name)), OBSERVATION)


def _given_to_steps(file: FileModel, environments: set[Value]) -> set[Value]:
    """The actions of steps that reply nothing."""
    return {
        value
        for event in file.events_of("method")
        if event.key in _ACTS and event.base is not None
        if event.base.core in environments
        for arg in event.args
        for value in walk(arg.core, through_calls=True)
        if _may_be_action(value)
    }


def is_named(value: Value, call: Value) -> bool:
    """Whether a value is the part of a reply for one name of a team or an agent."""
    if value.op != "item" or value.args[0].core is not call:
        return False
    index = value.args[1]
    return index.number is None and index.op != "slice" and index.string not in _FIELDS


def field_role(value: Value) -> str | None:
    """The role of `reply.reward` and `reply["reward"]`."""
    name = value.data if value.op == "attr" else value.args[1].string if value.op == "item" else ""
    return _FIELDS.get(name) if isinstance(name, str) else None


def kept_field(value: Value) -> str | None:
    """The role of `self.seen.state1`, where `self.seen` keeps the reply of a step."""
    return _KEPT_FIELDS.get(str(value.data).rstrip("01")) if value.op == "attr" else None


def _is_step(call: Value) -> bool:
    """`x.step(action)`, a worker's reply, or `zip(*[worker.recv() for ...])`."""
    callee = call.args[0]
    if callee.op == "attr":
        return (callee.data in _STEPS and len(call.args) > 1) or callee.data in _REPLIES
    if callee.dotted == "builtins.zip" and len(call.args) == 2 and call.args[1].core.op == "comp":
        inner = call.args[1].core.args[0].core
        return inner.op == "call" and _is_step(inner)
    return False


def is_reset(core: Value) -> bool:
    return core.op == "call" and core.args[0].op == "attr" and core.args[0].data == "reset"


def _may_be_action(value: Value) -> bool:
    return value.op in (
        "call",
        "item",
        "fn",
        "add",
        "clip",
        "mul",
        "elem",
        "param",
        "phi",
        "reduce",
        "where",
    )


def literal_members(core: Value) -> tuple[Value, ...]:
    """The members of a list written out in the source: `[reward]`."""
    if core.op == "alloc" and isinstance(core.data, AllocSite) and core.data.kind == "list":
        return core.data.items or ()
    return ()
