"""Lists of experience where nothing in the file steps an environment.

Where a library steps the environments, a loop only sees records: `for record in source`. Lists of
their states, actions and rewards are a rollout when the loop empties them again, as no collation of
a batch does, and a policy gradient is taken in the same file. Where a model writes texts, and
another one judges them, the steps are records with fields for log-probabilities and rewards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.allocations import is_array
from ppolint.semantics.containers import Container, Containers
from ppolint.semantics.experience import LOG_PROB, named_roles
from ppolint.semantics.program import AllocSite, Loop
from ppolint.semantics.ratios import is_exponential_ratio, is_log_prob
from ppolint.semantics.records import has_sampled_action, is_judged, is_valued, record_fields
from ppolint.semantics.steps import ACTION, DONE, OBSERVATION, REWARD
from ppolint.semantics.values import Value, alternatives, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_OF_ACTOR = re.compile(r"(?i)log_?p|logits|(^|_)(baseline|values?|advantages?|deltas?)(_|$)")
_DRAWN = re.compile(r"sample|replay|loader|dataset|demo|expert", re.IGNORECASE)


def handed_out(file: FileModel, group: list[Container]) -> list[Container]:
    """The lists of a loop that gather the fields of the records it runs over; else none."""
    lists = [c for c in group if not c.array and c.owner is None and not c.roles and c.creation]
    if len(lists) < 2 or not (has_policy_gradient(file) or _estimates_advantages(file)):
        return []
    loop = _loop(lists)
    if loop is None or loop.iterable is None or _is_drawn(file, loop.iterable):
        return []
    roles: set[str] = set()
    records: set[Value] = set()
    found = []
    for container in lists:
        fields = [_field(fill.args[-1]) for fill in container.fills if fill.args]
        if any(field is None for field in fields) or not _is_emptied(file, container, loop):
            continue
        records.update(field.args[0].core for field in fields if field is not None)
        roles.update(role for f in fields if f is not None for role in named_roles(str(f.data)))
        found.append(container)
    if len(records) != 1 or not {OBSERVATION, ACTION, REWARD} <= roles:
        return []
    return found if all(r.loops & loop.mask for r in records) else []


def handed_on(file: FileModel, group: list[Container]) -> list[Container]:
    """The lists of the very records that a loop runs over, whose fields are read later; else none."""
    if not has_policy_gradient(file):
        return []
    found = []
    for container in group:
        loops = {fill.site.loops()[-1:] for fill in container.fills if fill.args}
        loop = next(iter(loops))[0] if len(loops) == 1 and loops != {()} else None
        if container.array or container.owner is not None or not container.creation:
            continue
        if loop is None or loop.iterable is None or _is_drawn(file, loop.iterable):
            continue
        fills = [fill.args[-1].core for fill in container.fills if fill.args]
        if all(f.op == "elem" and f.loops & loop.mask for f in fills):
            read = {role for name in _read_fields(file, container) for role in named_roles(name)}
            if {OBSERVATION, ACTION, REWARD} <= read and _is_emptied(file, container, loop):
                found.append(container)
    return found


def _read_fields(file: FileModel, container: Container) -> set[str]:
    """The attributes of the elements of a list that are read anywhere, and of the only member of
    elements that are tuples of one."""
    out: set[str] = set()
    queue = [container.value.core]
    for value in queue:
        for user in file.users(value):
            if user.op == "attr" and value.op in ("elem", "item"):
                out.add(str(user.data))
            of_list = user.op == "elem" or (user.op == "fn" and user.data == "flip")
            single = user.op == "item" and value.op == "elem" and user.args[1].number == 0
            if of_list or single or _is_part(user):
                queue.append(user)
    return out


def _is_part(value: Value) -> bool:
    return value.op == "item" and value.args[1].op == "slice"


def noted_down(file: FileModel, group: list[Container]) -> list[Container]:
    """The lists of records that say by their fields that they hold log-probabilities and rewards,
    and that are emptied when they are learned from, or hold what a critic said too; else none."""
    found = []
    for container in group:
        if container.array or container.owner is not None or not container.creation:
            continue
        records = [record_fields(file, fill.args[-1]) for fill in container.fills if fill.args]
        records = [] if container.roles else [fields for fields in records if is_judged(fields)]
        loops = {loop for fill in container.fills for loop in fill.site.loops()}
        if loops and any(
            has_sampled_action(fill.args[-1]) for fill in container.fills if fill.args
        ):
            found.append(container)
        elif any(is_valued(fields) for fields in records) or (
            records and any(_is_emptied(file, container, loop) for loop in loops)
        ):
            found.append(container)
    return found


def made_for_workers(containers: Containers) -> Iterator[list[Container]]:
    """Dicts of arrays, or of lists of arrays, for what a policy and its environments write from
    elsewhere: the names are all there is to see."""
    file = containers.file
    shared: dict[Value, bool] = {}
    for container in containers.table.values():
        for fill in container.fills:
            if fill.args and is_array(containers.file, fill.args[-1].core):
                shared[container.value.core] = True
    for value in file.of_op("alloc"):
        site: AllocSite = value.data  # type: ignore[assignment]
        entries = site.entries or {}
        arrays = {
            key[-1] if isinstance(key, tuple) else key: inner  # nested keys of a TensorDict
            for key, inner in entries.items()
            if is_array(containers.file, inner.core) or inner.core in shared
        }
        if len(arrays) < 4 or len(arrays) != len(entries) or not site.site.frame.module.main:
            continue
        if value in containers.holders.assigned:
            continue  # of an object: the class tells
        roles = {role for name in arrays for role in named_roles(name)}
        if {REWARD, ACTION, DONE} <= roles and any(map(_OF_ACTOR.search, arrays)):
            place = (site.node, site.site)
            yield [Container(("value", v.id), v, None, n, place, True) for n, v in arrays.items()]


def _estimates_advantages(file: FileModel) -> bool:
    return any(found.kind == "gae" and found.certain for found in file.recursions)


def _loop(lists: list[Container]) -> Loop | None:
    loops = {loops[-1] for c in lists for f in c.fills if (loops := f.site.loops())}
    return next(iter(loops)) if len(loops) == 1 else None


def _field(value: Value) -> Value | None:
    """`record.reward`, also as a number or less a baseline, one of its parts or the sum of them."""
    core = value.core
    while (core.op == "item" and core.args[1].number is not None) or core.op == "reduce":
        core = core.args[0].core
    parts = [t for t in core.args if t.op != "neg"] if core.op == "add" else [core]
    fields = [part for part in parts if part.core.op == "attr"]
    return fields[0].core if len(fields) == len(parts) == 1 else None


def _is_emptied(file: FileModel, container: Container, loop: Loop) -> bool:
    """Whether the loop that fills a list empties it too."""
    core = container.value.core
    for event in file.events:
        if not event.site.in_loop(loop):
            continue
        if event.kind == "method" and event.key == "clear" and event.base is not None:
            for base in alternatives(event.base):  # some of them may have been left out before
                if (base.args[0].core if _is_part(base) else base) is core:
                    return True
        elif event.kind == "bind" and event.value.core.op == "alloc" and core.op == "carry":
            if event.key == core.data[1]:  # type: ignore[index]
                return True
    return False


def _is_drawn(file: FileModel, iterable: Value) -> bool:
    """Whether records are drawn from what was stored: a replay memory, a data set."""
    for part in walk(iterable, through_calls=True):
        for value in (part, *(file.resolve(part) if part.op == "attr" else ())):
            name = value.dotted or (value.data if value.op in ("attr", "param") else "")
            if _DRAWN.search(str(name[1] if isinstance(name, tuple) else name)):
                return True
    return False


def has_policy_gradient(file: FileModel) -> bool:
    """Whether a log-probability, or a ratio of two, is multiplied with something."""
    return any(
        is_log_prob(factor) or _is_called_log_prob(factor) or is_exponential_ratio(factor)
        for product in file.of_op("mul")
        for factor in product.args
    )


def _is_called_log_prob(value: Value) -> bool:
    """`policy.get_logprob(x, a)`, of which nothing but the name is known."""
    core = value.core
    callee = core.args[0] if core.op == "call" else core
    return callee.op == "attr" and LOG_PROB.search(str(callee.data)) is not None
