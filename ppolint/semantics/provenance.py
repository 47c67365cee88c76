"""Where experience comes from: steps of an environment, and what a policy made of them.

A value is a reward, a done flag, an observation, an action or an output of the policy because of
how it was computed, never because of its name.
"""

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
_ELEMENTWISE = frozenset("add mul div neg not fn clip cmp item or and where min max".split())
_KEPT = frozenset({"item", "fn", "carry", "after", "phi"})
_CARRIERS = frozenset({"call", "item", "fn", "carry", "after", "phi"})


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
    for event in file.events:
        # a worker process that is told to step
        if event.kind == "method" and event.key == "send" and event.args:
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
        replies = [*met, *(u for u in file.users(call) if _is_named(u, call))]
        fields = {_field(u) for reply in replies for u in file.users(reply)}
        held = holders.get(call)
        if held is not None and REWARD in {_kept_field(u) for u in file.users(held)}:
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
        for event in file.events
        if event.kind == "setattr" and event.base is not None and event.value.core.op == "call"
        if _is_step(event.value.core)
    }


def _shown_apart(file: FileModel) -> tuple[dict[Value, str], set[Value], set[Value]]:
    """What `x.look()` shows of an x whose `x.step(action)` replies nothing: the roles of its parts,
    the calls, and the environments. The variables that it is taken apart to say which part is the
    reward, and which the end of an episode."""
    methods = [e for e in file.events if e.kind == "method" and e.base is not None]
    stepped = {
        e.base.core
        for e in methods
        if e.key in _ACTS and len(e.args) == 1 and e.site.loops()
        if not file.users(e.value.core) and e.value.core.op != "tuple"
    }
    looks = [e for e in methods if e.base.core in stepped and not e.args] if stepped else []
    named = {e.value.core: str(e.key) for e in file.events if looks and e.kind == "bind"}
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
        for event in file.events
        if event.kind == "method" and event.key in _ACTS and event.base is not None
        if event.base.core in environments
        for arg in event.args
        for value in walk(arg.core, through_calls=True)
        if _may_be_action(value)
    }


def _is_named(value: Value, call: Value) -> bool:
    """Whether a value is the part of a reply for one name of a team or an agent."""
    if value.op != "item" or value.args[0].core is not call:
        return False
    index = value.args[1]
    return index.number is None and index.op != "slice" and index.string not in _FIELDS


def _field(value: Value) -> str | None:
    """The role of `reply.reward` and `reply["reward"]`."""
    name = value.data if value.op == "attr" else value.args[1].string if value.op == "item" else ""
    return _FIELDS.get(name) if isinstance(name, str) else None


def _kept_field(value: Value) -> str | None:
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


def _is_reset(core: Value) -> bool:
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
    )


def literal_members(core: Value) -> tuple[Value, ...]:
    """The members of a list written out in the source: `[reward]`."""
    if core.op == "alloc" and isinstance(core.data, AllocSite) and core.data.kind == "list":
        return core.data.items or ()
    return ()


class Provenance:
    """Tells the role of a value in a step of experience."""

    def __init__(self, file: FileModel, steps: Steps) -> None:
        self.file = file
        self.steps = {*steps.calls, *steps.merged}
        self.five = steps.five
        self.actions = steps.actions
        self.shown = steps.shown
        self.kept = steps.kept
        self.given_back = steps.given_back
        self.reordered = steps.reordered
        self._memo: dict[Value, frozenset[str]] = {}
        self._observations: dict[Value, bool] = {}

    def roles(self, value: Value) -> frozenset[str]:
        core = value.core
        known = self._memo.get(core)
        if known is None:
            self._memo[core] = frozenset()
            self._memo[core] = known = self._roles(core)
        return known

    def _roles(self, core: Value) -> frozenset[str]:
        if core.op in ("phi", "after", "where"):
            parts = core.args[1:] if core.op == "where" else core.args
            if self._is_chosen_by_end(core, parts):
                mask = {part.number for part in parts} <= {0, 1}
                return frozenset({DONE if mask else REWARD})
            if self._is_discount(core):
                return frozenset({DONE})
            return frozenset().union(*(self.roles(p) for p in parts))
        if self._accumulates(core):
            return frozenset()
        if core.op == "carry":  # the flag of the step before
            kept = [self.roles(s) for s in self._sources(core)[1:]]
            if kept == [frozenset({DONE})]:
                return kept[0]
        literal = literal_members(core)
        if len(literal) == 1:
            return self.roles(literal[0])
        direct = self._step_part(core)
        if direct is not None:
            return frozenset({direct})
        if self._is_other_part(core):
            return frozenset()
        if core.op == "call" and core.args[0].op == "attr" and core.args[0].data == "log_prob":
            return frozenset({POLICY})
        if self.is_observation(core):
            return frozenset({OBSERVATION})
        inner = {self._step_part(v) for v in self._single_steps(core)} - {None}
        if core.op in _ELEMENTWISE:
            if REWARD in inner:
                return frozenset({REWARD})
            if DONE in inner:
                return frozenset({DONE})
        if core in self.actions and not (inner & {REWARD, DONE}):
            return frozenset({ACTION})
        if core.op == "call" and inner and core.args[0].op in ("ref", "class"):
            return frozenset(inner) if len(inner) == 1 else frozenset()  # type: ignore[arg-type]
        if core.op == "comp" and len(core.args) == 2:  # the same of each agent
            each = self.roles(core.args[1])
            if each:
                return each
        through = list(walk(core, through_calls=True))
        if any(self._step_part(v) in (REWARD, DONE) for v in through):
            return frozenset()
        if any(v.op in _CARRIERS and self.is_observation(v) for v in through):
            return frozenset({POLICY})
        if any(self._is_policy_call(v) for v in walk(core)):
            return frozenset({POLICY})
        return frozenset()

    def _is_chosen_by_end(self, core: Value, parts: tuple[Value, ...]) -> bool:
        """Whether a number is chosen by the end of an episode: a mask, or a reward of the program's
        own, `-10 if done else 1`."""
        if any(part.number is None for part in parts):
            return False
        tests = core.args[:1] if core.op == "where" else self.file.values.tests.get(core, ())
        return any(DONE in self.roles(test) for test in tests)

    def _is_discount(self, core: Value) -> bool:
        """Whether a value is a discount with its mask: `0.0 if done else gamma`."""
        if core.op != "where" or DONE not in self.roles(core.args[0]):
            return False
        zeros = [a.number == 0 for a in core.args[1:]]
        return any(zeros) and not any(self.roles(a) for a in core.args[1:])

    def _single_steps(self, core: Value) -> list[Value]:
        """What `core` is made of, running totals left out."""
        out, stack, seen = [], [core], set()
        while stack:
            value = stack.pop()
            if value in seen:
                continue
            seen.add(value)
            if self._accumulates(value) or (value.op == "call" and value is not core):
                continue
            out.append(value)
            if value.op != "reduce":
                stack.extend(value.args)
                stack.extend(literal_members(value))
        return out

    def _is_policy_call(self, value: Value) -> bool:
        if value.op != "call" or value in self.steps:
            return False
        return any(self.is_observation(a) for a in value.args[1:]) or (
            value.args[0].op == "attr"
            and value.args[0].data in ("log_prob", "entropy")
            and any(v in self.actions for v in walk(value, through_calls=True) if v is not value)
        )

    def _step_part(self, value: Value) -> str | None:
        if self.shown:
            return self.shown.get(value)
        if value in self.reordered:
            return self.reordered[value]
        if value.op == "item" and value.args[0].core in self.steps:
            index = value.args[1].number
            if index == 0:
                return OBSERVATION
            if index == 1:
                return REWARD
            if value in self.given_back:
                return None
            if index == 2 or (index == 3 and value.args[0].core in self.five):
                return DONE
        if value.op in ("attr", "item"):
            reply = value.args[0].core
            if reply in self.kept:
                return _kept_field(value)
            if any(reply is part or _is_named(reply, part) for part in self._calls(reply)):
                return _field(value)
        return None

    def _is_other_part(self, core: Value) -> bool:
        """Whether a value is what a step replies beside the rest, or is in that: `info["score"]`."""
        while core.op in ("item", "attr", "elem"):
            whole = core.args[0].core
            if whole in self.steps:
                other = core.op == "item" and core.args[1].number is not None
                return other and self._step_part(core) is None
            core = whole
        return False

    def _calls(self, reply: Value) -> list[Value]:
        """The step that a reply, or the part of it for one name, is of."""
        calls = [reply, *(a.core for a in reply.args[:1])]
        return [call for call in calls if call in self.steps]

    def is_observation(self, value: Value) -> bool:
        """Whether a value is what an environment showed: a step's first result, or a reset's."""
        core = value.core
        known = self._observations.get(core)
        if known is not None:
            return known
        self._observations[core] = False
        answer = False
        if self._step_part(core) == OBSERVATION:
            answer = True
        elif _is_reset(core):
            answer = bool(self.steps)
        elif core.op in ("carry", "phi", "after"):
            answer = any(self.is_observation(p) for p in self._sources(core))
            answer = answer or self._is_filtered(core)
        elif core.op == "item" and core.args[1].number in (0, None):
            answer = self.is_observation(core.args[0])
        elif core.op == "item" and core.args[1].string is not None:
            answer = self.is_observation(core.args[0])
        elif core.op in ("fn", "wrap", "clip", "div", "mul", "reduce"):
            answer = any(self.is_observation(a) for a in core.args[:1])
        elif core.op == "add":  # centred, or the difference of two frames
            answer = any(self.is_observation(t.args[0] if t.op == "neg" else t) for t in core.args)
        elif core.op == "alloc":  # frames that are stacked
            answer = any(self.is_observation(m) for m in literal_members(core))
        elif core.op == "attr":
            kept = [v for v in self.file.resolve(core) if v is not core and v.op in _KEPT]
            answer = any(self.is_observation(v) for v in kept)
            if not answer and _field(core) == OBSERVATION:  # of env.reset(), or env.reset()[team]
                reply = core.args[0].core
                resets = [c for c in (reply, *(a.core for a in reply.args[:1])) if _is_reset(c)]
                answer = any(self.is_observation(c) for c in resets)
        elif core.op == "call" and core.args[0].op == "ref" and len(core.args) > 1:
            answer = self.is_observation(core.args[1])
        self._observations[core] = answer
        return answer

    def _is_filtered(self, core: Value) -> bool:
        """Whether observations go through one filter, at first and in each step:
        `x = scale(env.reset())`, then `x = scale(env.step(action)[0])`."""
        origins: list[Value] = [core]
        for value in origins:
            if value.op in ("carry", "phi", "after"):
                sources = (s.core for s in self._sources(value))
                origins.extend(s for s in sources if s not in origins)
        calls = [v for v in origins if v.op not in ("carry", "phi", "after")]
        return (
            len(calls) > 1
            and all(c.op == "call" and len(c.args) == 2 for c in calls)
            and len({c.args[0] for c in calls}) == 1
            and all(self.is_observation(c.args[1]) for c in calls)
        )

    def _sources(self, core: Value) -> list[Value]:
        if core.op != "carry":
            return list(core.args)
        bit, _ = core.data  # type: ignore[misc]
        for carried in self.file.loops[bit].carried.values():
            if carried.start is core or carried.start.core is core:
                return [carried.init, carried.step]
        kept = self.file.loops[bit].unchanged.get(core)
        return [] if kept is None else [kept]

    def _accumulates(self, core: Value) -> bool:
        """Whether a value adds to what the variable held before, or is the best yet: no single step."""
        if core.op not in ("add", "min", "max"):
            return False
        for term in core.args:
            if term.op == "carry":
                return True
        return False
