"""Where experience comes from: steps of an environment, and what a policy made of them.

A value is a reward, a done flag, an observation, an action or an output of the policy because of
how it was computed, never because of its name.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ppolint.semantics.steps import (
    ACTION,
    DONE,
    OBSERVATION,
    POLICY,
    REWARD,
    Steps,
    field_role,
    is_named,
    is_reset,
    kept_field,
    literal_members,
)
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_ELEMENTWISE = frozenset("add mul div neg not fn clip cmp item or and where min max".split())
_KEPT = frozenset({"item", "fn", "carry", "after", "phi"})
_CARRIERS = frozenset({"call", "item", "fn", "carry", "after", "phi"})


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
        if core.op in ("call", "fn") and any(
            index in self.actions or self.roles(index) == {POLICY}
            for index in self._ones.get(core, ())
        ):
            return frozenset({ACTION})
        if core.op == "call" and inner and core.args[0].op in ("ref", "class"):
            return frozenset(inner) if len(inner) == 1 else frozenset()  # type: ignore[arg-type]
        if core.op == "comp" and len(core.args) == 2:  # the same of each agent
            each = self.roles(core.args[1])
            if each:
                return each
        through = _walk_all(core)
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
                return kept_field(value)
            if any(reply is part or is_named(reply, part) for part in self._calls(reply)):
                return field_role(value)
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
        elif is_reset(core):
            answer = bool(self.steps)
        elif core.op in ("carry", "phi", "after"):
            answer = any(self.is_observation(p) for p in self._sources(core))
            answer = answer or self._is_filtered(core)
        elif core.op == "item" and core.args[1].number in (0, None):
            answer = self.is_observation(core.args[0]) or self._is_kept_observation(core)
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
            if (
                not answer and field_role(core) == OBSERVATION
            ):  # of env.reset(), or env.reset()[team]
                reply = core.args[0].core
                resets = [c for c in (reply, *(a.core for a in reply.args[:1])) if is_reset(c)]
                answer = any(self.is_observation(c) for c in resets)
        elif core.op == "call" and core.args[0].op == "ref" and len(core.args) > 1:
            answer = self.is_observation(core.args[1])
        self._observations[core] = answer
        return answer

    def _is_kept_observation(self, core: Value) -> bool:
        """Whether a value is a row of an array that observations are stored to."""
        base = core.args[0].core
        return base.op in ("call", "fn") and any(
            map(self.is_observation, self._stored.get(base, ()))
        )

    @cached_property
    def _stored(self) -> dict[Value, list[Value]]:
        """What is stored to the rows of each array."""
        out: dict[Value, list[Value]] = {}
        for event in self.file.events_of("store"):
            if event.base is not None:
                out.setdefault(event.base.core, []).append(event.value.core)
        return out

    @cached_property
    def _ones(self) -> dict[Value, list[Value]]:
        """Where a one is put into an array of zeros, not row by row: an action that is encoded."""
        out: dict[Value, list[Value]] = {}
        for event in self.file.events_of("store"):
            if event.base is not None and event.value.number == 1:
                out.setdefault(event.base.core, []).append(event.key.core)
        return out

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


def _walk_all(core: Value) -> list[Value]:
    """Everything that a value is computed from, also through calls and in lists that are written out."""
    seen = {core: None}
    queue = [core]
    for value in queue:
        new = [a for a in (*value.args, *literal_members(value)) if a not in seen]
        seen.update(dict.fromkeys(new))
        queue.extend(new)
    return queue
