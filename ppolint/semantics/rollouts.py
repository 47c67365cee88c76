"""Containers that gather experience by hand, and what kind of experience it is.

A container is a list, dict of lists, deque or preallocated array (`containers.py`). What goes into
it is judged by where it comes from (`provenance.py`). Where that cannot be seen (a `store` method of
a class whose callers are elsewhere), the names of the fields are weak evidence. Experience that is
sampled at random or overwritten in a ring is a replay memory, not a rollout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.consumption import (
    is_ring,
    is_sampled,
    is_sampled_by_class,
    is_single_step,
    is_summarised,
    without_episodes,
)
from ppolint.semantics.containers import Container, Containers, is_reply
from ppolint.semantics.dynamics import acted_out
from ppolint.semantics.handouts import (
    handed_on,
    handed_out,
    is_record_of_policy,
    made_for_workers,
    noted_down,
)
from ppolint.semantics.program import Class, Event, Site
from ppolint.semantics.provenance import (
    ACTION,
    DONE,
    OBSERVATION,
    POLICY,
    REWARD,
    Provenance,
    literal_members,
    steps_of,
)
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_PLACES = frozenset({"slice", "const", "elem", "bool"})
_MASKS = frozenset({"cmp", "not", "and", "or"})
_UPDATES = frozenset({"copy_", "lerp_", "mul_", "add_", "sub_", "div_", "addcmul_"})
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
_OF_POLICY = re.compile(
    r"(?i)log_?p|logpac|(^|_)(v|vs|val|vals|value|values|adv|advs|advantages?)(_|$)"
)
_LOG_PROB = re.compile(r"(?i)log_?p")


@dataclass(eq=False, slots=True)
class Rollout:
    """Containers that together hold the steps of a rollout (or of a replay memory)."""

    kind: str  # "lists", "buffer" or "replay"
    containers: list[Container]
    owner: Class | None
    start: tuple[Any, Site]
    end: tuple[Any, Site]
    roles: set[str]


def rollouts(file: FileModel) -> list[Rollout]:
    """Every hand-made rollout store and replay memory of a file, one for each thing."""
    steps = steps_of(file)
    provenance = Provenance(file, steps)
    containers = Containers(file, provenance)
    out: list[Rollout] = []
    taken: set[int] = set()
    for cls in file.classes:
        mine = [c for c in containers.table.values() if c.owner is cls]
        taken.update(id(c) for c in mine if is_single_step(file, c))
        mine = [c for c in mine if id(c) not in taken]
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
        if found is None:
            gathered = handed_out(file, group, _named_roles)
            gathered = gathered or handed_on(file, group, _named_roles)
            gathered = gathered or noted_down(file, group, _named_roles)
            gathered = gathered or acted_out(file, group, _named_roles)
            found = _rollout(file, "lists", gathered, None) if gathered else None
        if found is not None:
            out.append(found)
    known = {c.value.core for rollout in out for c in rollout.containers}
    for arrays in made_for_workers(containers, _named_roles):
        found = _rollout(file, "buffer", arrays, None)
        if found is not None and known.isdisjoint(c.value.core for c in arrays):
            out.append(found)
    return _deduplicated(file, without_episodes(file, out))


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


def _of_function(file: FileModel, provenance: Provenance, group: list[Container]) -> Rollout | None:
    useful = [c for c in group if c.roles and c.creation is not None and _in_loop(file, c)]
    useful = [c for c in useful if c.creation[1].frame.module.main]  # type: ignore[index]
    useful = [c for c in useful if c.array or not (is_reply(file, c) or is_single_step(file, c))]
    useful = [c for c in useful if not c.array or _is_indexed_by_time(file, c)]
    useful = [c for c in useful if not (c.array and _is_read_by_policy(c))]
    if not useful:
        return None
    bounded = [c for c in useful if c.bounded]
    if bounded and all(c.bounded for c in useful):
        holders = [c for c in bounded if len(c.roles) >= 3]
        return _rollout(file, "replay", holders, None) if holders else None
    useful = [c for c in useful if not c.bounded]
    replayed = [c for c in useful if is_sampled(file, [c]) and len(c.roles) >= 3]
    if replayed:
        return _rollout(file, "replay", replayed, None)
    roles = set().union(*(c.roles for c in useful)) if useful else set()
    if not _filled_together(useful):
        return None
    if not _is_experience(useful, roles) or _stored_elsewhere(file, provenance, useful):
        return None
    if all(is_summarised(file, c) for c in useful):
        return None
    arrays = [c for c in useful if c.array]
    if len(arrays) * 2 > len(useful):
        kind = "replay" if is_ring(arrays) else "buffer"
        return _rollout(file, kind, arrays, None)
    return _rollout(file, "lists", [c for c in useful if not c.array], None)


def _filled_together(group: list[Container]) -> bool:
    """Whether some of the containers that are filled under the same conditions are experience.

    What is noted when an episode ends, or every so many steps, is no record of steps.
    """
    conditions = [[_conditions(fill.site) for fill in c.fills] for c in group]
    for under in {given for each in conditions for given in each}:
        part = [
            c
            for c, each in zip(group, conditions)
            if any(given == under[: len(given)] for given in each)
        ]
        if _is_experience(part, set().union(*(c.roles for c in part))):
            return True
    return False


def _is_indexed_by_time(file: FileModel, container: Container) -> bool:
    """Whether an array has a place for each step: one for each agent holds their present state."""
    stepping = 0
    for call in steps_of(file).calls:
        for loop in file.call_site(call).site.loops():
            stepping |= loop.mask
    for fill in container.fills:
        if fill.kind != "store":
            return True
        indices = [fill.key.core]
        base = fill.base.core if fill.base is not None else fill.key.core
        while base.op == "item":
            indices.append(base.args[1].core)
            base = base.args[0].core
        for index in indices:
            for part in index.args if index.op == "tuple" else (index,):
                if part.op not in _MASKS and (part.loops & stepping or part.op not in _PLACES):
                    return True
    return False


def _is_read_by_policy(container: Container) -> bool:
    """Whether what a policy adds to an array is computed from that array: it is its memory."""
    if container.roles != {POLICY}:
        return False
    arrays = {container.value.core}
    return all(
        fill.value is not None
        and any(part in arrays for part in walk(fill.value.core, through_calls=True))
        for fill in container.fills
    )


def _conditions(site: Site) -> tuple[Any, ...]:
    """The branches around a place, those of the callers included."""
    outer = site.frame.call_site
    return site.conditions if outer is None else (*_conditions(outer), *site.conditions)


def _stored_elsewhere(file: FileModel, provenance: Provenance, group: list[Container]) -> bool:
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
    around = [file.call_site(call).site.loops() for call in steps_of(file).calls]
    stepping = {loop for loops in around for loop in loops}
    innermost = {loops[-1] for loops in around if loops}
    if len(container.key) == 3:
        return any(loop in stepping for f in container.fills for loop in f.site.loops())
    return any(
        loops[-1] in stepping or not innermost.isdisjoint(loops)
        for f in container.fills
        if (loops := f.site.loops())
    )


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
    sampled = is_sampled_by_class(file, cls)
    ring = is_ring(filled)
    policy = POLICY in by_name or POLICY in roles or _has_recursion(file, cls)
    seen = _is_experience([c for c in filled if c.roles], roles)
    several = len([n for n in named.values() if n]) >= 3
    opaque = len(fields) >= 3 and len(by_name) >= 3 and several
    store = [c for c in filled if len(named[c.name]) >= 3 and REWARD in named[c.name]]
    told = any(_LOG_PROB.search(c.name) for c in filled)  # no log of scores keeps these
    if REWARD in by_name and (POLICY in roles or told) and len(fields) >= 2:
        seen = True
    store = store or [c for c in filled if is_record_of_policy(file, c)]
    if store and not sampled and not ring and not any(c.bounded for c in store):
        return _rollout(file, "buffer" if _is_dedicated(file, cls) else "lists", store, cls)
    if not (seen or opaque) and not sampled and not ring:
        estimated = _estimated_from(file, cls, filled)
        if estimated:
            return _rollout(file, "buffer", estimated, cls)
    if not (seen or opaque):
        transitions = [
            c
            for c in filled
            if len(c.roles) >= 3 or _holds_tuples(c) or (ring and len(named[c.name]) >= 3)
        ]
        if transitions and (sampled or ring or any(c.bounded for c in transitions)) and not policy:
            return _rollout(file, "replay", transitions, cls)
        return None
    # offline data come with their returns, but not with what a policy thought of them
    judged = POLICY in roles or _has_recursion(file, cls) or any(map(_OF_POLICY.search, fields))
    overwritten = sampled and ring and not judged
    if overwritten or ((sampled or ring or any(c.bounded for c in filled)) and not policy):
        return _rollout(file, "replay", mine, cls)
    holders = [c for c in mine if c.roles or named.get(c.name)]
    if _is_dedicated(file, cls) and (len(holders) >= 3):
        return _rollout(file, "buffer", holders, cls)
    if not (seen or (opaque and policy)) and not filled:
        return None
    arrays = [c for c in holders if c.array]
    structured = [c for c in arrays if {REWARD, POLICY} < c.roles and len(c.roles) >= 4]
    if len(arrays) >= 3 or structured:
        return _rollout(file, "buffer", arrays, None)
    lists = [c for c in holders if not c.array and (c.roles or told or not seen)]
    return _rollout(file, "lists", lists, None) if lists else None


def _estimated_from(file: FileModel, cls: Class, filled: list[Container]) -> list[Container]:
    """The arrays of a class that computes advantages from what it keeps, whatever their names are."""
    if not _is_dedicated(file, cls) or not _has_recursion(file, cls):
        return []
    arrays = [c for c in filled if c.array]
    given = {  # the whole rollout at once
        name: _named_roles(name)
        for name, values in cls.attributes.items()
        if any(value.core.op == "param" for value in values)
    }
    roles = set().union(*given.values())
    whole = {REWARD, POLICY} < roles and sum(map(bool, given.values())) >= 4
    return arrays if len(arrays) >= 3 or whole else []


def _is_environment(file: FileModel, cls: Class) -> bool:
    """Whether a class is stepped, or tests: what it holds is its state, not a record of it."""
    if any(base.endswith("TestCase") for base in cls.external_bases()):
        return True
    if cls.method("step_wait") is not None or cls.method("step_async") is not None:
        return True
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
    file: FileModel, containers: Containers, cls: Class, known: list[Container]
) -> list[Container]:
    """Container attributes of a class that nothing in the file fills."""
    names = {c.name for c in known} | _updated(file, cls)
    out = []
    for name, values in cls.attributes.items():
        if name in names:
            continue
        for value in values:
            made = containers._allocation(value.core)
            if made is not None and any(_members(value)):
                break  # a list that is written out, and that nothing is added to
            if made is not None and made[1] is not None and made[1][1].frame.function is not None:
                array, creation, bounded = made
                out.append(
                    Container(("class", id(cls.node), name), value, cls, name, creation, array,
                              bounded=bounded)
                )  # fmt: skip
                break
        for value in values:
            out += _arrays_of_dict(containers, cls, name, value.core)
    return [c for c in out if c.name not in names]


def _arrays_of_dict(
    containers: Containers, cls: Class, attribute: str, core: Value
) -> list[Container]:
    """The arrays in a dict, or in the dict of a TensorDict, that an attribute is set to."""
    if core.op == "call" and (core.args[0].dotted or "").endswith(".TensorDict"):
        core = core.args[1].core if len(core.args) > 1 else core
    if core.op != "alloc":
        return []
    entries = {**(core.data.entries or {}), **containers.stored_entries.get(core, {})}  # type: ignore[attr-defined]
    out = []
    for name, value in entries.items():
        made = containers._allocation(value.core)
        if made is not None and made[0] and isinstance(name, str):
            key = ("class", id(cls.node), attribute, name)
            out.append(Container(key, value, cls, name, made[1], True))
    return out


def _updated(file: FileModel, cls: Class) -> set[str]:
    """The attributes that a class changes as a whole, in place: statistics, not steps."""
    return {
        str(event.base.core.data)
        for event in _events_in(file, cls)
        if event.kind == "method"
        and event.key in _UPDATES
        and event.base is not None
        and event.base.core.op == "attr"
    }


def _named_fields(file: FileModel, container: Container) -> set[str]:
    """The roles that the fields of a stored transition are named after, where data is opaque."""
    out: set[str] = set()
    for fill in container.fills:
        core = fill.args[-1].core if fill.args else fill.value.core
        parts: tuple[Value, ...] = ()
        if core.op in ("tuple", "alloc"):
            parts = _members(core)
        elif core.op == "call" and core.args[0].op in ("class", "ref", "call"):
            parts = core.args[1:]
            if core.args[0].op == "call" and (file.callee(core.args[0]) or "").endswith(
                "namedtuple"
            ):
                for fields in core.args[0].args[2:3]:
                    listed = [v.string or "" for v in _members(fields)]
                    out.update(r for name in listed for r in _named_roles(name))
        if len(parts) >= 3:
            for part in parts:
                if part.core.op == "param":
                    out |= _named_roles(str(part.core.data[1]))  # type: ignore[index]
    return out


def _members(value: Value) -> tuple[Value, ...]:
    return value.core.args if value.core.op == "tuple" else literal_members(value.core)


def _named_roles(name: str) -> set[str]:
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return {role for role, pattern in _FIELD_NAMES.items() if pattern.search(lowered)}


def _holds_tuples(container: Container) -> bool:
    for fill in container.fills:
        for arg in fill.args[-1:]:
            core = arg.core
            if core.op == "tuple" and len(core.args) >= 4:
                return True
            if (
                core.op == "call"
                and len(core.args) >= 5
                and core.args[0].op in ("class", "ref", "call")
            ):
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


def _has_recursion(file: FileModel, cls: Class) -> bool:
    nodes = _methods(file, cls)
    for found in file.recursions:
        function = found.site.frame.function
        if found.kind == "gae" and function is not None and id(function.node) in nodes:
            return True
    return False


def _all_attributes(cls: Class) -> Iterable[Value]:
    return (value.core for values in cls.attributes.values() for value in values)


def _is_made(core: Value) -> bool:
    """Whether an attribute is a layer, or an object of the project."""
    if core.op != "call":
        return False
    return core.args[0].op == "class" or (core.args[0].dotted or "").startswith("torch.nn.")


def _is_dedicated(file: FileModel, cls: Class) -> bool:
    """Whether a class only keeps data: it is no network, trains nothing, steps nothing."""
    if any(base.startswith("torch.nn.") for base in cls.external_bases()) and (
        cls.method("forward") is not None or any(map(_is_made, _all_attributes(cls)))
    ):
        return False
    for event in _events_in(file, cls):
        if event.kind == "method" and event.key in ("backward", "step", "zero_grad"):
            return False
    return True


def _rollout(
    file: FileModel, kind: str, containers: list[Container], cls: Class | None
) -> Rollout | None:
    made = [
        c.creation for c in containers if c.creation is not None and c.creation[1].frame.module.main
    ]
    filled = [fill.site for c in containers for fill in c.fills]
    if not made and (cls is None or kind == "lists" or not filled):
        return None
    roles = set().union(*(c.roles for c in containers)) if containers else set()
    if cls is not None and kind != "lists":
        node = cls.node
        site = made[0][1] if made else filled[0]
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
