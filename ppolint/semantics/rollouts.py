"""Containers that gather experience by hand, and what kind of experience it is.

A container is a list, dict of lists, deque or preallocated array (`containers.py`). What goes into
it is judged by where it comes from (`provenance.py`); what is gathered in the loop that steps is
judged here, what a class keeps in `stores.py`. Experience that is sampled at random or overwritten
in a ring is a replay memory, not a rollout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppolint.semantics.consumption import (
    is_of_random_actions,
    is_ring,
    is_sampled,
    is_single_step,
    is_summarised,
    without_episodes,
)
from ppolint.semantics.containers import LENT, Container, Containers, is_network, is_reply
from ppolint.semantics.dynamics import acted_out
from ppolint.semantics.experience import Rollout, assembled, is_experience
from ppolint.semantics.handouts import (
    handed_on,
    handed_out,
    made_for_workers,
    noted_down,
)
from ppolint.semantics.keyed_stores import keyed_store
from ppolint.semantics.program import Site
from ppolint.semantics.provenance import Provenance
from ppolint.semantics.records import is_record_of_policy, sampled_actions
from ppolint.semantics.steps import ACTION, DONE, OBSERVATION, POLICY, REWARD, steps_of
from ppolint.semantics.stores import declared, of_class
from ppolint.semantics.values import walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_PLACES = frozenset({"slice", "const", "elem", "bool"})
_MASKS = frozenset({"cmp", "not", "and", "or"})


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
        mine += declared(file, containers, cls, mine)
        found = of_class(file, cls, mine)
        if found is not None:
            out.append(found)
            taken.update(id(c) for c in mine)
    groups: dict[tuple, list[Container]] = {}
    for container in containers.table.values():
        if id(container) in taken or not container.fills:
            continue
        if container.owner is not None and not _is_filled_by_user(container):
            continue
        groups.setdefault(_group_key(container), []).append(container)
    for group in _merged(groups):
        found = _of_function(file, provenance, group)
        if found is None:
            gathered = handed_out(file, group)
            gathered = gathered or handed_on(file, group)
            gathered = gathered or noted_down(file, group)
            gathered = gathered or acted_out(file, group)
            found = assembled(file, "lists", gathered, None) if gathered else None
        if found is not None:
            out.append(found)
    known = {c.value.core for rollout in out for c in rollout.containers}
    for arrays in made_for_workers(containers):
        found = assembled(file, "buffer", arrays, None)
        if found is not None and known.isdisjoint(c.value.core for c in arrays):
            out.append(found)
    out += _keyed_stores(file, out)
    return _deduplicated(file, without_episodes(file, out))


def _keyed_stores(file: FileModel, known: list[Rollout]) -> list[Rollout]:
    """The classes whose fields are named at run time, but for those in which something is found."""
    found = [store for cls in file.classes if (store := keyed_store(file, cls)) is not None]
    rows = [file.span(rollout.start[0])[0] for rollout in known] if found else []
    spans = [file.span(store.start[0]) for store in found]
    return [s for s, (begin, end) in zip(found, spans) if not any(begin <= r <= end for r in rows)]


def _is_filled_by_user(container: Container) -> bool:
    """Whether a network only carries a list that the loop which steps adds to."""
    cls = container.owner
    assert cls is not None
    methods = {id(method.node) for method in cls.methods.values()}
    functions = [fill.site.frame.function for fill in container.fills]
    return is_network(cls) and not any(f is not None and id(f.node) in methods for f in functions)


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
    # what is put in before the loop is the first of what the loop puts in
    site = next((f.site for f in container.fills if f.site.loops()), container.fills[0].site)
    function = site.root.function
    if len(container.key) == 3 and container.owner is None:
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
    useful = [c for c in useful if not c.array or _is_indexed_by_time(file, provenance, c)]
    useful = [c for c in useful if not (c.array and _is_read_by_policy(c))]
    useful = [c for c in useful if c.key[0] != LENT or _is_filled_here(useful)]
    if not useful:
        return None
    bounded = [c for c in useful if c.bounded]
    if bounded and all(c.bounded for c in useful):
        holders = [c for c in bounded if len(c.roles) >= 3]
        return assembled(file, "replay", holders, None) if holders else None
    useful = [c for c in useful if not c.bounded]
    replayed = [c for c in useful if is_sampled(file, [c]) and len(c.roles) >= 3]
    if replayed:
        return assembled(file, "replay", replayed, None)
    roles = set().union(*(c.roles for c in useful)) if useful else set()
    if _stored_elsewhere(file, provenance, useful):
        return None
    if not is_experience(useful, roles):
        judged = [c for c in useful if not c.array and is_record_of_policy(file, c)]
        if not judged and {OBSERVATION, ACTION} <= roles:
            judged = sampled_actions(useful)
        useful = judged
        if not judged:
            return None
    elif not _filled_together(useful):
        return None
    if all(is_summarised(file, c) for c in useful):
        return None
    if POLICY not in roles and is_of_random_actions(file, useful):
        return None
    arrays = [c for c in useful if c.array]
    if len(arrays) * 2 > len(useful):
        kind = "replay" if is_ring(arrays) and POLICY not in roles else "buffer"
        return assembled(file, kind, arrays, None)
    return assembled(file, "lists", [c for c in useful if not c.array], None)


def _is_filled_here(group: list[Container]) -> bool:
    """Whether this file itself adds to one of the lists that a network of another file has."""
    return any(fill.site.frame.module.main for c in group for fill in c.fills)


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
        if is_experience(part, set().union(*(c.roles for c in part))):
            return True
    return False


def _is_indexed_by_time(file: FileModel, provenance: Provenance, container: Container) -> bool:
    """Whether an array has a place for each step: one for each agent holds their present state, one
    for each action what is said about it."""
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
                if part.op not in _PLACES and provenance.roles(part) & {ACTION, POLICY}:
                    continue
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
    if {REWARD, ACTION, OBSERVATION, DONE} <= set().union(*(c.roles for c in group)):
        return (
            False  # all of a step twice: an imitator of its own past, beside an on-policy learner
        )
    loops = {loop for c in group for f in c.fills for loop in f.site.loops()[-1:]}
    for event in file.events_of("method"):
        if len(event.args) < 4:
            continue
        if not loops.intersection(event.site.loops()[-1:]):
            continue
        roles = set().union(*(provenance.roles(a) for a in event.args))
        if REWARD in roles and len(roles) >= 3:
            return True
    return False


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


def _deduplicated(file: FileModel, found: list[Rollout]) -> list[Rollout]:
    out: list[Rollout] = []
    seen: set[int] = set()
    for rollout in found:
        key = id(rollout.start[0])
        if key not in seen:
            seen.add(key)
            out.append(rollout)
    return out
