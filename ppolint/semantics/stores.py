"""Classes that gather experience: storages, memories, and agents that keep their own lists.

The callers of a `store` method are often in another file; then the names of the fields say what
they hold, and what the class does with them which kind of store it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ppolint.semantics.allocations import allocation
from ppolint.semantics.consumption import is_ring, is_sampled_by_class, is_summed_up
from ppolint.semantics.containers import Container, Containers
from ppolint.semantics.experience import (
    LOG_PROB,
    Rollout,
    assembled,
    is_experience,
    is_figure,
    named_roles,
)
from ppolint.semantics.handouts import has_policy_gradient
from ppolint.semantics.program import Class
from ppolint.semantics.records import (
    has_advantages,
    is_record_of_policy,
    record_fields,
    unpacked_names,
)
from ppolint.semantics.steps import ACTION, POLICY, REWARD, literal_members
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_UPDATES = frozenset({"copy_", "lerp_", "mul_", "add_", "sub_", "div_", "addcmul_"})
_CONVERSIONS = frozenset({"to", "cpu", "cuda", "numpy", "items", "values", "keys", "get", "copy"})
_OF_POLICY = re.compile(
    r"(?i)log_?p|logpac|(^|_)(v|vs|val|vals|value|values|adv|advs|advantages?)(_|$)"
)


def of_class(file: FileModel, cls: Class, mine: list[Container]) -> Rollout | None:
    if mine and not _is_dedicated(file, cls):  # a log of what was reached beside what is trained on
        mine = [c for c in mine if not is_summed_up(file, c)]
    mine = [c for c in mine if not _is_set_anew(c)]
    fields = {c.name: c for c in mine}
    if not fields or _is_environment(file, cls):
        return None
    filled = [c for c in mine if c.fills]
    roles = set().union(*(c.roles for c in mine)) if mine else set()
    named: dict[str, set[str]] = {n: set() if is_figure(n) else named_roles(n) for n in fields}
    for container in mine:
        named[container.name] |= _named_fields(file, container)
    by_name = set().union(*named.values()) if named else set()
    sampled = is_sampled_by_class(file, cls)
    ring = is_ring(filled)
    policy = POLICY in by_name or POLICY in roles or _has_recursion(file, cls)
    seen = is_experience([c for c in filled if c.roles], roles)
    several = len([n for n in named.values() if n]) >= 3
    opaque = len(fields) >= 3 and len(by_name) >= 3 and several
    store = [c for c in filled if len(named[c.name]) >= 3 and REWARD in named[c.name]]
    store = [c for c in store if not (_is_cut_from_its_end(file, c) or _is_made_at_once(c))]
    told = any(
        LOG_PROB.search(c.name) and not is_figure(c.name) for c in filled
    )  # no log of scores keeps these
    if REWARD in by_name and (POLICY in roles or told) and len(fields) >= 2:
        seen = True
    store = store or [c for c in filled if is_record_of_policy(file, c) and not _is_made_at_once(c)]
    judged = [c for c in store if has_advantages(file, c)]
    if judged or (store and not sampled and not ring and not any(c.bounded for c in store)):
        return assembled(file, "buffer" if _is_dedicated(file, cls) else "lists", store, cls)
    if not (seen or opaque) and not sampled and not ring:
        estimated = _estimated_from(file, cls, filled)
        if estimated:
            return assembled(file, "buffer", estimated, cls)
    if not (seen or opaque):
        transitions = [
            c
            for c in filled
            if len(c.roles) >= 3
            or (_holds_tuples(c) and not _is_called(file, c))
            or (ring and len(named[c.name]) >= 3)
        ]
        if not (sampled or ring):
            transitions = [c for c in transitions if not _is_window(file, c)]
        if transitions and (sampled or ring or any(c.bounded for c in transitions)):
            if not policy:
                return assembled(file, "replay", transitions, cls)
            if not sampled and not ring and _is_dedicated(file, cls):
                return assembled(file, "buffer", transitions, cls)
        return None
    # offline data come with their returns, but not with what a policy thought of them
    judged = POLICY in roles or _has_recursion(file, cls) or any(map(_OF_POLICY.search, fields))
    overwritten = sampled and ring and not judged
    if overwritten or ((sampled or ring or any(c.bounded for c in filled)) and not policy):
        if not (sampled or ring) and any(_is_window(file, c) for c in filled):
            return None
        return assembled(file, "replay", mine, cls)
    holders = [c for c in mine if c.roles or named.get(c.name)]
    if _is_dedicated(file, cls) and (len(holders) >= 3):
        return assembled(file, "buffer", holders, cls)
    if not (seen or (opaque and policy)) and not filled:
        return None
    arrays = [c for c in holders if c.array]
    structured = [c for c in arrays if {REWARD, POLICY} < c.roles and len(c.roles) >= 4]
    if len(arrays) >= 3 or structured:
        return assembled(file, "buffer", arrays, None)
    lists = [c for c in holders if not c.array and (c.roles or told or not seen)]
    return assembled(file, "lists", lists, None) if lists else None


def keeps_data(file: FileModel, cls: Class) -> bool:
    """Whether a class only keeps what it is given, in the order in which it came."""
    if _is_environment(file, cls) or is_sampled_by_class(file, cls):
        return False
    return _is_dedicated(file, cls)


def _is_window(file: FileModel, container: Container) -> bool:
    """Whether the first of the steps that are held is read: the last few of an n-step return."""
    core = container.value.core
    return any(
        (user.op == "item" and user.args[0].core is core and user.args[1].number == 0)
        or (user.op == "attr" and user.data == "popleft" and _is_read(file, user))
        for user in file.users(core)
    )


def _is_set_anew(container: Container) -> bool:
    """Whether a list that is added to is written over at places that the caller says: what each of
    several environments shows now."""
    stores = [fill for fill in container.fills if fill.kind == "store"]
    written = [s for s in stores if s.value.core.op != "alloc"]  # a new list is no state
    return len(stores) < len(container.fills) and any(s.key.core.op == "param" for s in written)


def _is_made_at_once(container: Container) -> bool:
    """Whether only the constructor fills a container: a data set of what was gathered before."""
    functions = [fill.site.frame.function for fill in container.fills]
    return all(f is not None and f.name == "__init__" for f in functions)


def _is_cut_from_its_end(file: FileModel, container: Container) -> bool:
    """Whether the last few entries are read, `seen[-8:]`: the latest steps, of one that learns from
    each of them, or hands them to a replay memory."""
    core = container.value.core
    grown = [user for user in file.users(core) if user.op == "fn" and user.data == "cat"]
    return any(
        user.op == "item" and user.args[1].op == "slice" and (user.args[1].args[0].number or 0) < 0
        for whole in (core, *grown)
        for user in file.users(whole)
    )


def _is_read(file: FileModel, method: Value) -> bool:
    """Whether anything becomes of what a method replies."""
    replies = {u for u in file.users(method) if u.op == "call" and u.args[0] is method}
    return any(file.users(reply) for reply in replies) or any(
        event.value.core in replies
        for event in file.events_of("bind", "return", "store", "setattr")
    )


def _estimated_from(file: FileModel, cls: Class, filled: list[Container]) -> list[Container]:
    """The arrays of a class that computes advantages from what it keeps, whatever their names are."""
    if not _is_dedicated(file, cls) or not _has_recursion(file, cls):
        return []
    arrays = [c for c in filled if c.array]
    given = {  # the whole rollout at once
        name: named_roles(name)
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
    replies = any(
        event.site.frame.function is step
        and event.value.core.op == "tuple"
        and len(event.value.core.args) >= 3
        for event in file.events_of("return")
    )
    told = len(step.node.params.params) > 3  # an agent that is told how its last action went
    return replies or (cls.method("reset") is not None and not told)


def declared(
    file: FileModel, containers: Containers, cls: Class, known: list[Container]
) -> list[Container]:
    """Container attributes of a class that nothing in the file fills."""
    names = {c.name for c in known} | _updated(file, cls)
    out = []
    for name, values in cls.attributes.items():
        if name in names or any(_is_updated_from(value, name) for value in values):
            continue
        for value in values:
            made = allocation(containers.file, value.core)
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
    entries = {**(core.data.entries or {}), **containers.holders.entries.get(core, {})}  # type: ignore[attr-defined]
    out = []
    for name, value in entries.items():
        made = allocation(containers.file, value.core)
        if made is not None and made[0] and isinstance(name, str):
            key = ("class", id(cls.node), attribute, name)
            out.append(Container(key, value, cls, name, made[1], True))
    return out


def _updated(file: FileModel, cls: Class) -> set[str]:
    """The attributes that a class changes as a whole, in place: statistics, not steps."""
    return {
        str(event.base.core.data)
        for event in file.events_in(cls)
        if event.kind == "method"
        and event.key in _UPDATES
        and event.base is not None
        and event.base.core.op == "attr"
    }


def _is_updated_from(value: Value, name: str) -> bool:
    """Whether an attribute is set to something made of itself: running statistics."""
    core = value.core
    whole = core.op == "item" and core.args[0].core.op == "call"  # x, y = update(seen, x, y)
    return whole and any(
        part.op == "attr" and part.data == name for part in walk(core, through_calls=True)
    )


def _named_fields(file: FileModel, container: Container) -> set[str]:
    """The roles that the fields of a stored transition are named after, where data is opaque."""
    out: set[str] = set()
    for fill in container.fills:
        core = fill.args[-1].core if fill.args else fill.value.core
        parts: tuple[Value, ...] = ()
        if core.op in ("tuple", "alloc"):
            parts = _members(core)
            keys = () if _holds_lists(core) else record_fields(file, core)
            if any(map(LOG_PROB.search, keys)) and any(REWARD in named_roles(k) for k in keys):
                out.update(role for name in keys for role in named_roles(name))
        elif core.op == "call" and core.args[0].op in ("class", "ref", "call"):
            parts = core.args[1:]
        if core.op == "call":
            for made in file.resolve(core.args[0]):  # self.row = namedtuple("Row", fields)
                if made.op == "call" and (file.callee(made) or "").endswith("namedtuple"):
                    for fields in made.args[2:3]:
                        listed = [v.string or "" for v in _members(fields)]
                        out.update(r for name in listed for r in named_roles(name))
        if len(parts) >= 3:
            if _is_of_policy(file, fields := record_fields(file, core)):
                out.update(role for name in fields for role in named_roles(name))
            for part in parts:
                given = part.core.args[0].core if part.core.op == "item" else part.core
                if given.op == "param":  # or its entry for one of several environments
                    out |= named_roles(str(given.data[1]))  # type: ignore[index]
    names = unpacked_names(file, container)
    if len(names) >= 4 and any(map(_OF_POLICY.search, names)) and _is_of_policy(file, names):
        out.update(role for name in names for role in named_roles(name))
    return out


def _holds_lists(record: Value) -> bool:
    """Whether the entries of a dict are containers themselves: columns, and no step."""
    entries = getattr(record.data, "entries", None) or {}
    return any(value.core.op == "alloc" for value in entries.values())


def _is_of_policy(file: FileModel, fields: tuple[str, ...]) -> bool:
    """Whether a record has a step's fields, and what a policy thought of it or is trained by it."""
    roles = {role for name in fields for role in named_roles(name)}
    if len(fields) < 3 or not {REWARD, ACTION} <= roles:
        return False
    return any(map(_OF_POLICY.search, fields)) or has_policy_gradient(file)


def _members(value: Value) -> tuple[Value, ...]:
    return value.core.args if value.core.op == "tuple" else literal_members(value.core)


def _holds_tuples(container: Container) -> bool:
    for fill in container.fills:
        for arg in fill.args[-1:]:
            core = arg.core
            if len(core.args if core.op == "tuple" else literal_members(core)) >= 4:
                return True
            if (
                core.op == "call"
                and len(core.args) >= 5
                and core.args[0].op in ("class", "ref", "call")
            ):
                return True
    return False


def _is_called(file: FileModel, container: Container) -> bool:
    """Whether methods are called on what is in a container: agents or workers, no records."""
    core = container.value.core
    return any(
        event.base is not None
        and event.base.core.op in ("item", "elem")
        and event.base.core.args[0].core is core
        and not event.key.startswith("_")
        and event.key not in _CONVERSIONS
        for event in file.events_of("method")
    )


def _methods(file: FileModel, cls: Class) -> set[int]:
    return {id(f.node) for f in cls.methods.values()}


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
    if any((core.args[0].dotted or "").startswith("torch.optim.") for core in _called(cls)):
        return False
    for event in file.events_in(cls):
        if event.kind == "method" and event.key in ("backward", "step", "zero_grad"):
            return False
    return True


def _called(cls: Class) -> Iterable[Value]:
    return (core for core in _all_attributes(cls) if core.op == "call")
