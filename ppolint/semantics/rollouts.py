"""Containers that gather experience by hand, and what kind of experience it is.

A container is a list, dict of lists, deque or preallocated array. What goes into it is judged by
where it comes from: the result of stepping an environment, the action that was sent to it, what a
policy computed from the observation. Where that cannot be seen (a `store` method of a class whose
callers are elsewhere), the names of the fields are weak evidence. Experience that is sampled at
random or overwritten in a ring is a replay memory, not a rollout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import AllocSite, Class, Event, Site
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

REWARD, DONE, OBSERVATION, ACTION, POLICY = "reward", "done", "observation", "action", "policy"

_PUSHES = frozenset({"append", "insert", "extend", "appendleft", "add", "push"})
_ALLOCATORS = re.compile(
    r"^(?:torch|numpy)\.(?:zeros|empty|ones|full|zeros_like|empty_like|ones_like|full_like|randn"
    r"|Tensor|FloatTensor)$"
)
_LIKE = frozenset({"zeros_like", "empty_like", "ones_like", "full_like", "repeat"})
_SAMPLERS = frozenset({"sample", "choice", "choices", "randint", "random_integers", "randperm", "multinomial"})
_RANDOM = ("random.", "numpy.random.", "torch.randint", "torch.multinomial")

_FIELD_NAMES = {
    REWARD: re.compile(r"(^|_)r(ew|ews|eward|ewards)?(_|s$|$)|reward"),
    ACTION: re.compile(r"(^|_)(a|act|acts)(_|$)|action"),
    OBSERVATION: re.compile(r"(^|_)(s|o|ob|obs|obss|state|states)(_|$)|observation|states?$"),
    DONE: re.compile(r"(^|_)(d|dw|done|dones|mask|masks|term|terminals?|terminated|truncated)(_|$)|done|terminal|episode_starts?"),
    POLICY: re.compile(
        r"log_?p|logpac|(^|_)(v|vs|val|vals|value|values|adv|advs|ret|rets|advantages?|returns?)(_|$)"
        r"|values?$|advantage|returns?$"
    ),
}  # fmt: skip


@dataclass(eq=False, slots=True)
class Container:
    """One container and what is put into it."""

    key: tuple
    value: Value
    owner: Class | None
    name: str
    creation: tuple[Any, Site] | None
    array: bool
    roles: set[str] = field(default_factory=set)
    fills: list[Event] = field(default_factory=list)
    bounded: bool = False


@dataclass(eq=False, slots=True)
class Rollout:
    """Containers that together hold the steps of a rollout (or of a replay memory)."""

    kind: str  # "lists", "buffer" or "replay"
    containers: list[Container]
    owner: Class | None
    start: tuple[Any, Site]
    end: tuple[Any, Site]
    roles: set[str]


@dataclass(frozen=True, slots=True)
class _Steps:
    """What the file shows of stepping environments."""

    calls: tuple[Value, ...]
    actions: frozenset[Value]
    five: frozenset[Value]


# -- provenance -------------------------------------------------------------------------------
def _steps(file: FileModel) -> _Steps:
    """The calls `x.step(action)` whose result is taken apart."""
    calls: list[Value] = []
    actions: set[Value] = set()
    five: set[Value] = set()
    for event in file.events:
        # a worker process that is told to step
        if event.kind == "method" and event.key == "send" and event.args:
            actions.update(v for v in walk(event.args[0].core) if _may_be_action(v))
    for call in file.of_op("call"):
        if not _is_step(call):
            continue
        indices = {
            u.args[1].number for u in file.users(call) if u.op == "item" and u.args[0].core is call
        }
        fields = {u.data for u in file.users(call) if u.op == "attr"}
        if not (indices & {1, 2, 3} or fields & {"reward", "rewards"}):
            continue
        calls.append(call)
        if 4 in indices:
            five.add(call)
        for arg in call.args[1:]:
            actions.update(v for v in walk(arg.core, through_calls=True) if _may_be_action(v))
    return _Steps(tuple(calls), frozenset(actions), frozenset(five))


_STEPS = frozenset({"step", "step_env"})
_REPLIES = frozenset({"recv", "step_wait"})


def _is_step(call: Value) -> bool:
    """`x.step(action)`, a worker's reply, or `zip(*[worker.recv() for ...])`."""
    callee = call.args[0]
    if callee.op == "attr":
        return (callee.data in _STEPS and len(call.args) > 1) or callee.data in _REPLIES
    if callee.dotted == "builtins.zip" and len(call.args) == 2 and call.args[1].core.op == "comp":
        inner = call.args[1].core.args[0].core
        return inner.op == "call" and _is_step(inner)
    return False


def _may_be_action(value: Value) -> bool:
    return value.op in ("call", "item", "fn", "add", "clip", "mul", "elem", "param", "phi", "reduce")


_ELEMENTWISE = frozenset(
    {"add", "mul", "div", "neg", "not", "fn", "clip", "cmp", "item", "or", "and", "where"}
)
_CARRIERS = frozenset({"call", "item", "fn", "carry", "after", "phi"})


def _literal(core: Value) -> tuple[Value, ...]:
    """The members of a list written out in the source: `[reward]`."""
    if core.op == "alloc" and isinstance(core.data, AllocSite) and core.data.kind == "list":
        return core.data.items or ()
    return ()


class _Provenance:
    """Tells the role of a value in a step of experience."""

    def __init__(self, file: FileModel, steps: _Steps) -> None:
        self.file = file
        self.steps = set(steps.calls)
        self.five = steps.five
        self.actions = steps.actions
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
            return frozenset().union(*(self.roles(p) for p in parts))
        if self._accumulates(core):
            return frozenset()
        literal = _literal(core)
        if len(literal) == 1:
            return self.roles(literal[0])
        direct = self._step_part(core)
        if direct is not None:
            return frozenset({direct})
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
        through = list(walk(core, through_calls=True))
        if any(self._step_part(v) in (REWARD, DONE) for v in through):
            return frozenset()
        if any(v.op in _CARRIERS and self.is_observation(v) for v in through):
            return frozenset({POLICY})
        if any(self._is_policy_call(v) for v in walk(core)):
            return frozenset({POLICY})
        return frozenset()

    def _single_steps(self, core: Value) -> list[Value]:
        """What `core` is made of, running totals left out."""
        out, stack = [], [core]
        while stack:
            value = stack.pop()
            if self._accumulates(value) or (value.op == "call" and value is not core):
                continue
            out.append(value)
            if value.op != "reduce":
                stack.extend(value.args)
                stack.extend(_literal(value))
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
        if value.op == "item" and value.args[0].core in self.steps:
            index = value.args[1].number
            if index == 0:
                return OBSERVATION
            if index == 1:
                return REWARD
            if index == 2 or (index == 3 and value.args[0].core in self.five):
                return DONE
        if value.op == "attr" and value.args[0].core in self.steps:
            if value.data in ("reward", "rewards"):
                return REWARD
            if value.data in ("observation", "obs"):
                return OBSERVATION
            if value.data in ("done", "dones", "terminated"):
                return DONE
        return None

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
        elif core.op == "call" and core.args[0].op == "attr" and core.args[0].data == "reset":
            answer = bool(self.steps)
        elif core.op in ("carry", "phi", "after"):
            answer = any(self.is_observation(p) for p in self._sources(core))
        elif core.op == "item" and core.args[1].number in (0, None):
            answer = self.is_observation(core.args[0])
        elif core.op == "item" and core.args[1].string is not None:
            answer = self.is_observation(core.args[0])
        elif core.op in ("fn", "wrap", "clip", "div", "mul"):
            answer = any(self.is_observation(a) for a in core.args[:1])
        elif core.op == "call" and core.args[0].op == "ref" and len(core.args) > 1:
            answer = self.is_observation(core.args[1])
        self._observations[core] = answer
        return answer

    def _sources(self, core: Value) -> list[Value]:
        if core.op != "carry":
            return list(core.args)
        bit, _ = core.data  # type: ignore[misc]
        for carried in self.file.loops[bit].carried.values():
            if carried.start is core or carried.start.core is core:
                return [carried.init, carried.step]
        return []

    def _accumulates(self, core: Value) -> bool:
        """Whether a value adds to what the variable held before: a running total."""
        if core.op != "add":
            return False
        for term in core.args:
            if term.op == "carry":
                return True
        return False


# -- containers -------------------------------------------------------------------------------
class _Containers:
    """All containers of a file, found through what is put into them."""

    def __init__(self, file: FileModel, provenance: _Provenance) -> None:
        self.file = file
        self.provenance = provenance
        self.table: dict[tuple, Container] = {}
        self.assigned: dict[Value, tuple[Value, str]] = {}
        for event in file.events:
            if event.kind == "setattr" and event.base is not None:
                self.assigned.setdefault(event.value.core, (event.base.core, event.key))
        for event in file.events:
            self._take(event)
        for container in self.table.values():
            for fill in container.fills:
                if fill.kind == "method" and fill.args:
                    container.roles |= self._roles_of_container(fill.args[-1])
            if container.owner is not None and not container.roles:
                container.roles |= self._roles_from_callers(container, container.owner)

    def _roles_from_callers(self, container: Container, cls: Class) -> set[str]:
        """What the methods that fill a container are given, where it is not known whose they are:
        `model.put_data((s, a, r))` with a parameter `model`."""
        out: set[str] = set()
        for fill in container.fills:
            function = fill.site.frame.function
            stored = fill.args[-1].core if fill.args else fill.value.core
            if function is None or function.cls is not cls or stored.op != "param":
                continue
            for call in self._unknown_calls.get(function.name, ()):
                for arg in call.args:
                    parts = arg.core.args if arg.core.op == "tuple" else (arg,)
                    for part in parts:
                        out |= self.provenance.roles(part)
                    out |= self._roles_of_container(arg)
        return out

    @cached_property
    def _unknown_calls(self) -> dict[str, list[Event]]:
        """Calls of methods of objects that may be of any class, by the name of the method."""
        out: dict[str, list[Event]] = {}
        for event in self.file.events:
            if event.kind == "method" and event.base is not None and event.args:
                if event.base.core.op == "param" and isinstance(event.key, str):
                    out.setdefault(event.key, []).append(event)
        return out

    def _roles_of_container(self, value: Value) -> set[str]:
        """The roles of a container that is put into another one, as it is or stacked."""
        out: set[str] = set()
        for part in walk(value.core):
            if part.op in ("alloc", "attr", "carry"):
                _, key, _, _ = self._identity(part)
                inner = self.table.get(key)
                if inner is not None and (part is value.core or _is_reply(self.file, inner)):
                    out |= inner.roles
        return out

    def _take(self, event: Event) -> None:
        if event.kind == "bind" and event.value.core.op == "fn" and event.value.core.data == "cat":
            self._concatenated(event)
        if event.base is None:
            return
        if event.kind == "method":
            if event.key in _PUSHES and event.args:
                self._fill(event.base, event.args[-1], event, False)
            elif event.key == "copy_" and event.args and event.base.core.op == "item":
                self._fill(event.base.core.args[0], event.args[0], event, True)
        elif event.kind == "store" and not _adds_up(event):
            self._fill(event.base, event.value, event, True)
        elif event.kind == "augment" and event.key is None:
            self._fill(event.base, event.value, event, False)

    def _concatenated(self, event: Event) -> None:
        """x = torch.cat([x, new]): the container is the variable."""
        from ppolint.semantics.operations import elements

        parts = elements(event.value) or event.value.core.args
        carries = [p for p in parts if p.core.op == "carry"]
        if len(parts) == 2 and carries:
            self._fill(carries[0], parts[-1], event, True)

    def _fill(self, base: Value, value: Value, event: Event, array: bool) -> None:
        container = self._container(base.core, array)
        if container is None:
            return
        container.fills.append(event)
        if event.kind == "bind":
            container.array = False  # it grows
        core = value.core
        if core.op == "tuple" and not array:
            for part in core.args:
                container.roles |= self.provenance.roles(part)
        elif core.op == "alloc" and isinstance(core.data, AllocSite) and core.data.items:
            for part in core.data.items:
                container.roles |= self.provenance.roles(part)
        elif core.op == "call" and core.args[0].op in ("class", "ref", "call") and len(core.args) > 2:
            for part in core.args[1:]:
                container.roles |= self.provenance.roles(part)
        else:
            container.roles |= self.provenance.roles(value)

    def _container(self, core: Value, array: bool) -> Container | None:
        source, key, owner, name = self._identity(core)
        if source is None:
            return None
        made = self._allocation(source)
        if made is None:
            return None
        is_array, creation, bounded = made
        outer = self._literals.get(source)
        if outer is not None:
            creation = (outer[0].data.node, outer[0].data.site)  # type: ignore[attr-defined]
        known = self.table.get(key)
        if known is None:
            known = Container(key, core, owner, name, creation, is_array, bounded=bounded)
            self.table[key] = known
        return known

    def _identity(self, core: Value) -> tuple[Value | None, tuple, Class | None, str]:
        """(value that was allocated, key, class that owns it, name)."""
        file = self.file
        if core.op in ("carry", "after", "phi"):
            options = self.provenance._sources(core) if core.op == "carry" else list(core.args)
            for option in options:
                if option.core is not core and option.core.op in ("alloc", "call", "fn", "carry", "attr"):
                    found = self._identity(option.core)
                    if found[0] is not None and self._allocation(found[0]) is not None:
                        return found
            return None, (), None, ""
        if core.op == "attr":
            base = core.args[0].core
            cls = file.class_of(base)
            name = str(core.data)
            if cls is None:
                cls = self._only_class_with(base, name)
            sources = [d for d in file.resolve(core) if self._allocation(d) is not None]
            if not sources and cls is not None:
                made = [*cls.attributes.get(name, ()), *_constant(cls, name)]
                sources = [d.core for d in made if self._allocation(d.core) is not None]
            if not sources or (cls is not None and self._is_replaced(cls, name)):
                return None, (), None, ""
            if cls is not None and cls.module.main:
                return sources[0], ("class", id(cls.node), name), cls, name
            if cls is not None:
                return None, (), None, ""
            return sources[0], ("attr", base.id, name), None, name
        if core.op == "item":
            outer = core.args[0].core
            field_name = core.args[1].string
            if field_name is None:
                # a row of a container: x["obs"][episode][t] = ...
                source, key, owner, name = self._identity(outer)
                last = core.args[1].number is not None
                rows = source is not None and (source.op != "alloc" or outer.op == "item" or last)
                return (source, key, owner, name) if rows else (None, (), None, "")
            source, key, owner, name = self._identity(outer)
            if source is not None:
                source = _element(source)
            if source is not None and source.op == "alloc":
                entries = source.data.entries or {}  # type: ignore[attr-defined]
                inner = entries.get(field_name)
                if inner is not None or source.data.kind in ("defaultdict", "dict"):  # type: ignore[attr-defined]
                    return inner or source, (*key, field_name), owner, field_name
            return None, (), None, ""
        if core in self.assigned and core.op in ("alloc", "call", "fn"):
            base, name = self.assigned[core]
            cls = file.class_of(base)
            if cls is not None and cls.module.main:
                return core, ("class", id(cls.node), name), cls, name
        if core.op == "call" and (core.args[0].dotted or "").endswith(".TensorDict"):
            return self._identity(core.args[1].core) if len(core.args) > 1 else (None, (), None, "")
        parent = self._literals.get(core)
        if parent is not None:
            outer, field_name = parent
            return core, ("value", outer.id, field_name), None, field_name
        return core, ("value", core.id), None, ""

    @cached_property
    def _literals(self) -> dict[Value, tuple[Value, str]]:
        """The containers in a dict that is written out, with the dict and their names in it."""
        out: dict[Value, tuple[Value, str]] = {}
        for value in self.file.of_op("alloc"):
            for name, inner in (value.data.entries or {}).items():  # type: ignore[attr-defined]
                made = self._allocation(inner.core)
                if made is not None and made[1] is not None and self._is_inside(made[1], value):
                    out[inner.core] = (value, name)
        return out

    def _is_inside(self, place: tuple[Any, Site], literal: Value) -> bool:
        """Whether a place is within the text of a literal."""
        site: AllocSite = literal.data  # type: ignore[assignment]
        if not (place[1].frame.module.main and site.site.frame.module.main):
            return False
        start, end = self.file.span(place[0])
        outer_start, outer_end = self.file.span(site.node)
        return outer_start <= start and end <= outer_end

    def _only_class_with(self, base: Value, name: str) -> Class | None:
        """The class of an opaque argument, when one class only has a container of that name."""
        if base.op != "param":
            return None
        having = [
            cls
            for cls in self.file.classes
            if any(self._allocation(v.core) is not None for v in cls.attributes.get(name, ()))
        ]
        return having[0] if len(having) == 1 else None

    def _is_replaced(self, cls: Class, name: str) -> bool:
        """Whether an attribute is set to a new list of several things at once: it holds one step."""
        return any(
            len([v for v in _literal(value.core) if v.core.op not in ("const", "bool", "alloc")]) > 1
            for value in cls.attributes.get(name, ())
        )

    def _allocation(self, core: Value) -> tuple[bool, tuple[Any, Site] | None, bool] | None:
        """(is an array, where it was made, has a bound) of a value that is a new container."""
        if core.op == "alloc":
            site = core.data
            assert isinstance(site, AllocSite)
            bounded = site.kind == "deque" and bool(site.items)
            return False, (site.node, site.site), bounded
        if core.op == "comp":
            made = self._allocation(_element(core)) if _element(core) is not core else None
            places = self.file.places(core)
            return (made[0], places[0] if places else made[1], made[2]) if made else None
        if core.op == "call":
            name = core.args[0].dotted or ""
            if name == "dataclasses.field" and len(core.args) == 2:
                factory = (core.args[1].dotted or "").rpartition(".")[2]
                call = self.file.call_site(core)
                return (False, (call.node, call.site), False) if factory in _FACTORIES else None
            if _ALLOCATORS.match(name):
                call = self.file.call_site(core)
                return True, (call.node, call.site), False
        if core.op == "fn" and core.data in _LIKE:
            places = self.file.places(core)
            return True, places[0] if places else None, False
        if core.op == "fn" and core.data in ("cat", "stack"):
            from ppolint.semantics.operations import elements

            if not (elements(core) or ()):
                places = self.file.places(core)
                return True, places[0] if places else None, False
        return None


_FACTORIES = frozenset({"list", "dict", "deque", "defaultdict"})


def _constant(cls: Class, name: str) -> tuple[Value, ...]:
    """The field of a dataclass: what the class body says an attribute is at first."""
    value = cls.constants.get(name)
    return () if value is None else (value,)


def _element(core: Value) -> Value:
    """What a comprehension makes of each element; of a dict, the values."""
    if core.op != "comp":
        return core
    made = core.args[0].core
    return made.args[1].core if made.op == "tuple" and len(made.args) == 2 else made


def _adds_up(event: Event) -> bool:
    """Whether a cell is increased: a running total, of which only the last value is wanted."""
    value = event.value.core
    if value.op != "add" or event.base is None:
        return False
    return any(t.op == "item" and t.args[0].core is event.base.core for t in value.args)


def _is_reply(file: FileModel, container: Container) -> bool:
    """Whether a container gathers one step's replies of several environments.

    The loop that fills it runs over the environments: what is stepped depends on its element.
    """
    for fill in container.fills:
        loops = fill.site.loops()
        for call in _steps(file).calls:
            site = file.call_site(call).site
            receiver = call.args[0]
            if loops and loops[-1] in site.loops() and receiver.loops & loops[-1].mask:
                if not any(c.start in walk(receiver) for c in loops[-1].carried.values()):
                    return True
    return False


# -- grouping ---------------------------------------------------------------------------------
def rollouts(file: FileModel) -> list[Rollout]:
    """Every hand-made rollout store and replay memory of a file, one for each thing."""
    steps = _steps(file)
    provenance = _Provenance(file, steps)
    containers = _Containers(file, provenance)
    out: list[Rollout] = []
    taken: set[int] = set()
    for cls in file.classes:
        mine = [c for c in containers.table.values() if c.owner is cls]
        mine += _declared(file, containers, cls, mine)
        found = _of_class(file, cls, mine)
        if found is not None:
            out.append(found)
            taken.update(id(c) for c in mine)
    groups: dict[tuple, list[Container]] = {}
    for container in containers.table.values():
        if id(container) in taken or container.owner is not None or not container.fills:
            continue
        groups.setdefault(_group_key(container), []).append(container)
    for group in _merged(groups):
        found = _of_function(file, provenance, group)
        if found is not None:
            out.append(found)
    return _deduplicated(file, _without_episodes(file, out))


def _without_episodes(file: FileModel, found: list[Rollout]) -> list[Rollout]:
    """Not the lists of one episode that are handed to a replay memory as a whole."""
    methods = {
        name
        for rollout in found
        if rollout.kind == "replay" and rollout.owner is not None
        for name in rollout.owner.methods
    }
    given = {
        arg.core
        for event in file.events
        if event.kind == "method" and event.key in methods
        for arg in event.args
    }
    return [
        rollout
        for rollout in found
        if rollout.kind != "lists" or not all(c.value in given for c in rollout.containers)
    ]


def _merged(groups: dict[tuple, list[Container]]) -> list[list[Container]]:
    """Groups of a loop over workers join those of the loop over steps around it."""
    out: dict[tuple, list[Container]] = dict(groups)
    for key, group in groups.items():
        loops = group[0].fills[0].site.loops()
        if len(loops) < 2:
            continue
        outer = (key[0], id(loops[-2].node))
        if outer in out and outer != key and any(c.array for c in group) and key in out:
            if any(c.array for c in out[outer]):
                out[outer] = [*out[outer], *out.pop(key)]
    return list(out.values())


def _group_key(container: Container) -> tuple:
    """Containers that belong together: filled in the same loop of one function."""
    site = container.fills[0].site
    function = site.root.function
    if len(container.key) == 3:
        return (id(function.node) if function is not None else 0, container.key[1])
    loops = site.loops()
    return (
        id(function.node) if function is not None else 0,
        id(loops[-1].node) if loops else 0,
    )


def _of_function(
    file: FileModel, provenance: _Provenance, group: list[Container]
) -> Rollout | None:
    useful = [c for c in group if c.roles and c.creation is not None and _in_loop(file, c)]
    useful = [c for c in useful if c.creation[1].frame.module.main]  # type: ignore[index]
    useful = [c for c in useful if c.array or not _is_reply(file, c)]
    if not useful:
        return None
    bounded = [c for c in useful if c.bounded]
    if bounded and all(c.bounded for c in useful):
        holders = [c for c in bounded if len(c.roles) >= 3]
        return _rollout(file, "replay", holders, None) if holders else None
    useful = [c for c in useful if not c.bounded]
    replayed = [c for c in useful if _sampled(file, [c]) and len(c.roles) >= 3]
    if replayed:
        return _rollout(file, "replay", replayed, None)
    roles = set().union(*(c.roles for c in useful)) if useful else set()
    if not _is_experience(useful, roles) or _stored_elsewhere(file, provenance, useful):
        return None
    arrays = [c for c in useful if c.array]
    if len(arrays) * 2 > len(useful):
        kind = "replay" if _ring(arrays) else "buffer"
        return _rollout(file, kind, arrays, None)
    return _rollout(file, "lists", [c for c in useful if not c.array], None)


def _stored_elsewhere(
    file: FileModel, provenance: _Provenance, group: list[Container]
) -> bool:
    """Whether the same loop hands each step to a memory object too: the lists come second."""
    if any(POLICY in c.roles for c in group):
        return False
    loops = {loop for c in group for f in c.fills for loop in f.site.loops()[-1:]}
    for event in file.events:
        if event.kind != "method" or len(event.args) < 4:
            continue
        if not loops.intersection(event.site.loops()[-1:]):
            continue
        roles = set().union(*(provenance.roles(a) for a in event.args))
        if REWARD in roles and len(roles) >= 3:
            return True
    return False


def _is_experience(group: list[Container], roles: set[str]) -> bool:
    """Whether the roles make up steps of experience rather than a log."""
    several = len(group) >= 2 or any(len(c.roles) >= 2 for c in group)
    if not several:
        return False
    if REWARD in roles:
        return POLICY in roles or len(roles) >= 3
    return len(roles) >= 3 and ACTION in roles and DONE in roles


def _in_loop(file: FileModel, container: Container) -> bool:
    """Whether the container is filled in a loop that steps an environment."""
    stepping = {loop for call in _steps(file).calls for loop in file.call_site(call).site.loops()}
    around = slice(None) if len(container.key) == 3 else slice(-1, None)
    return any(loop in stepping for f in container.fills for loop in f.site.loops()[around])


def _of_class(file: FileModel, cls: Class, mine: list[Container]) -> Rollout | None:
    fields = {c.name: c for c in mine}
    if not fields or _is_environment(file, cls):
        return None
    filled = [c for c in mine if c.fills]
    roles = set().union(*(c.roles for c in mine)) if mine else set()
    named: dict[str, set[str]] = {name: _named_roles(name) for name in fields}
    for container in mine:
        named[container.name] |= _named_fields(file, container)
    by_name = set().union(*named.values()) if named else set()
    sampled = _sampled_class(file, cls)
    ring = _ring(filled)
    policy = POLICY in by_name or POLICY in roles or _has_recursion(file, cls)
    seen = _is_experience([c for c in filled if c.roles], roles)
    several = len([n for n in named.values() if n]) >= 3
    opaque = len(fields) >= 3 and len(by_name) >= 3 and several
    store = [c for c in filled if len(named[c.name]) >= 3 and REWARD in named[c.name]]
    if REWARD in by_name and POLICY in roles and len(fields) >= 2:
        seen = True
    if store and not sampled and not ring and not any(c.bounded for c in store):
        return _rollout(file, "buffer" if _is_dedicated(file, cls) else "lists", store, cls)
    if not (seen or opaque):
        transitions = [
            c
            for c in filled
            if len(c.roles) >= 3 or _holds_tuples(c) or (ring and len(named[c.name]) >= 3)
        ]
        if transitions and (sampled or ring or any(c.bounded for c in transitions)) and not policy:
            return _rollout(file, "replay", transitions, cls)
        return None
    if (sampled or ring or any(c.bounded for c in filled)) and not policy:
        return _rollout(file, "replay", mine, cls)
    holders = [c for c in mine if c.roles or named.get(c.name)]
    if _is_dedicated(file, cls) and (len(holders) >= 3):
        return _rollout(file, "buffer", holders, cls)
    if not (seen or (opaque and policy)) and not filled:
        return None
    arrays = [c for c in holders if c.array]
    if len(arrays) >= 3:
        return _rollout(file, "buffer", arrays, None)
    lists = [c for c in holders if not c.array and (c.roles or not seen)]
    return _rollout(file, "lists", lists, None) if lists else None


def _is_environment(file: FileModel, cls: Class) -> bool:
    """Whether a class is stepped: what it holds is its state, not a record of it."""
    step = cls.method("step")
    if step is None:
        return False
    return cls.method("reset") is not None or any(
        event.kind == "return"
        and event.site.frame.function is step
        and event.value.core.op == "tuple"
        and len(event.value.core.args) >= 3
        for event in file.events
    )


def _declared(
    file: FileModel, containers: _Containers, cls: Class, known: list[Container]
) -> list[Container]:
    """Container attributes of a class that nothing in the file fills."""
    names = {c.name for c in known}
    out = []
    for name, values in cls.attributes.items():
        if name in names:
            continue
        for value in values:
            made = containers._allocation(value.core)
            if made is not None and made[1] is not None and made[1][1].frame.function is not None:
                array, creation, bounded = made
                out.append(
                    Container(("class", id(cls.node), name), value, cls, name, creation, array,
                              bounded=bounded)
                )  # fmt: skip
                break
    return out


def _named_fields(file: FileModel, container: Container) -> set[str]:
    """The roles that the fields of a stored transition are named after, where data is opaque."""
    out: set[str] = set()
    for fill in container.fills:
        core = fill.args[-1].core if fill.args else fill.value.core
        parts: tuple[Value, ...] = ()
        if core.op == "tuple":
            parts = core.args
        elif core.op == "call" and core.args[0].op in ("class", "ref", "call"):
            parts = core.args[1:]
            if core.args[0].op == "call" and (file.callee(core.args[0]) or "").endswith("namedtuple"):
                for fields in core.args[0].args[2:3]:
                    listed = [v.string or "" for v in _members(fields)]
                    out.update(r for name in listed for r in _named_roles(name))
        if len(parts) >= 3:
            for part in parts:
                if part.core.op == "param":
                    out |= _named_roles(str(part.core.data[1]))  # type: ignore[index]
    return out


def _members(value: Value) -> tuple[Value, ...]:
    return value.core.args if value.core.op == "tuple" else _literal(value.core)


def _named_roles(name: str) -> set[str]:
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return {role for role, pattern in _FIELD_NAMES.items() if pattern.search(lowered)}


def _holds_tuples(container: Container) -> bool:
    for fill in container.fills:
        for arg in fill.args[-1:]:
            core = arg.core
            if core.op == "tuple" and len(core.args) >= 4:
                return True
            if core.op == "call" and len(core.args) >= 5 and core.args[0].op in ("class", "ref", "call"):
                return True
    return False


def _methods(file: FileModel, cls: Class) -> set[int]:
    return {id(f.node) for f in cls.methods.values()}


def _events_in(file: FileModel, cls: Class) -> Iterable[Event]:
    nodes = _methods(file, cls)
    for event in file.events:
        function = event.site.frame.function
        if function is not None and id(function.node) in nodes:
            yield event


def _sampled_class(file: FileModel, cls: Class) -> bool:
    """Whether a method of the class fetches entries at random places."""
    fields = set(cls.attributes)
    for value in [*file.of_op("item"), *file.of_op("call")]:
        if value.op == "item":
            base, index = value.args[0].core, value.args[1]
            while base.op == "item":
                base = base.args[0].core
            if _is_field(file, base, cls, fields) and any(
                map(_draws, walk(index, through_calls=True))
            ):
                return True
        elif _draws(value) and any(
            _is_field(file, part, cls, fields)
            for arg in value.args[1:2]
            for part in walk(arg)
            if part.op == "attr" and not str(value.args[0].dotted).endswith("randint")
        ):
            if str(value.args[0].dotted).endswith(("sample", "choices")):
                return True
    return False


def _is_field(file: FileModel, value: Value, cls: Class, fields: set[str]) -> bool:
    return value.op == "attr" and value.data in fields and file.class_of(value.args[0]) in (
        cls, *cls.lineage()
    )  # fmt: skip


def _draws(value: Value) -> bool:
    if value.op != "call":
        return False
    callee = value.args[0]
    name = callee.dotted or ""
    if callee.op == "attr" and callee.data in ("choice", "integers", "permutation"):
        return callee.data != "permutation"
    return name.startswith(_RANDOM) and name.rpartition(".")[2] in _SAMPLERS


def _sampled(file: FileModel, group: list[Container]) -> bool:
    values = {c.value.core for c in group}
    for call in file.of_op("call"):
        if _draws(call) and any(v in values for a in call.args[1:] for v in walk(a.core)):
            return True
    return False


def _ring(group: list[Container]) -> bool:
    """Whether the index of a store wraps around the capacity."""
    for container in group:
        for fill in container.fills:
            if fill.kind == "store" and isinstance(fill.key, Value):
                for part in walk(fill.key):
                    if part.op == "fn" and part.data == "Modulo":
                        return True
                    if part.op == "carry":
                        continue
    owner = group[0].owner if group else None
    if owner is not None:
        for values in owner.attributes.values():
            for value in values:
                if value.core.op == "fn" and value.core.data == "Modulo":
                    return True
    return False


def _has_recursion(file: FileModel, cls: Class) -> bool:
    nodes = _methods(file, cls)
    for found in file.recursions:
        function = found.site.frame.function
        if found.kind == "gae" and function is not None and id(function.node) in nodes:
            return True
    return False


def _is_dedicated(file: FileModel, cls: Class) -> bool:
    """Whether a class only keeps data: it is no network, trains nothing, steps nothing."""
    if any(base.startswith("torch.nn.") for base in cls.external_bases()):
        return False
    for event in _events_in(file, cls):
        if event.kind == "method" and event.key in ("backward", "step", "zero_grad"):
            return False
    return True


def _rollout(
    file: FileModel, kind: str, containers: list[Container], cls: Class | None
) -> Rollout | None:
    made = [c.creation for c in containers if c.creation is not None and c.creation[1].frame.module.main]
    if not made and cls is None:
        return None
    roles = set().union(*(c.roles for c in containers)) if containers else set()
    if cls is not None and kind != "lists":
        node = cls.node
        site = made[0][1] if made else containers[0].fills[0].site
        return Rollout(kind, containers, cls, (node, site), (node, site), roles)
    made.sort(key=lambda place: file.span(place[0])[0])
    start = made[0]
    end = made[-1]
    if kind == "lists":
        for container in containers:
            for fill in container.fills:
                same = containers[0].owner is not None or fill.site.frame is start[1].frame
                if same and fill.site.frame.module.main:
                    if file.span(fill.node)[1] > file.span(end[0])[1]:
                        end = (fill.node, fill.site)
    return Rollout(kind, containers, cls, start, end, roles)


def _deduplicated(file: FileModel, found: list[Rollout]) -> list[Rollout]:
    out: list[Rollout] = []
    seen: set[int] = set()
    for rollout in found:
        key = id(rollout.start[0])
        if key not in seen:
            seen.add(key)
            out.append(rollout)
    return out

