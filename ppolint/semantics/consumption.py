"""What becomes of gathered experience: a replay memory, a log, or the batch of a policy.

Experience that is sampled at random or overwritten in a ring is a replay memory. Lists that only
means, plots and printed lines are made of are a log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppolint.semantics.containers import LENT, Container
from ppolint.semantics.program import Class, Loop, Site
from ppolint.semantics.steps import literal_members, steps_of
from ppolint.semantics.values import Value, alternatives, walk

if TYPE_CHECKING:
    from ppolint.semantics.experience import Rollout
    from ppolint.semantics.model import FileModel

_SAMPLERS = frozenset(
    {
        "sample",
        "choice",
        "choices",
        "randint",
        "randrange",
        "random_integers",
        "randperm",
        "multinomial",
    }
)
_RANDOM = ("random.", "numpy.random.", "torch.randint", "torch.multinomial")
_THE_SAME = frozenset({"zeros", "ones"})
_RANDOM_NUMBERS = ("random.", "numpy.random.", "torch.rand")
_CHANGES = frozenset(
    {"append", "extend", "insert", "appendleft", "clear", "pop", "remove", "reverse"}
)
# Functions that show or count what they are given.
_SHOWING = ("matplotlib.", "seaborn.", "logging.", "wandb.", "builtins.print", "builtins.len")
_COUNTING = frozenset(
    {"bincount", "unique", "histogram", "percentile", "quantile", "count_nonzero"}
)
_SUMMARIES = frozenset({"f-string", "len", "text"})


def without_episodes(file: FileModel, found: list[Rollout]) -> list[Rollout]:
    """Not the lists of one episode that are handed to a replay memory as a whole."""
    replays = [rollout for rollout in found if rollout.kind == "replay"]
    methods = {name for r in replays if r.owner is not None for name in r.owner.methods}
    memories = {c.value.core for r in replays for c in r.containers} | _sampled_objects(file)
    given = {
        part.id
        for event in file.events_of("method")
        if event.base is not None
        if event.key in methods or event.base.core in memories
        for arg in event.args
        for part in (arg.core, *literal_members(arg.core), *arg.core.args)
    }
    given |= _handed_to_replay(file)
    return [
        rollout
        for rollout in found
        if rollout.kind != "lists"
        or not all(given & {c.value.core.id, c.key[1]} for c in rollout.containers)
    ]


def _handed_to_replay(file: FileModel) -> set[int]:
    """What is given to something that is called a replay memory, at once or step by step."""
    return {
        (arg.core.args[0].core if arg.core.op == "elem" else arg.core).id
        for event in file.events_of("method")
        if "replay" in str(event.key).lower()
        for arg in event.args
    }


def _sampled_objects(file: FileModel) -> set[Value]:
    """Objects that minibatches of a given size are drawn from: `memory.sample(64)`."""
    return {
        held
        for event in file.events_of("method")
        if event.key == "sample" and event.base is not None
        if len(event.args) == 1 and _is_count(event.args[0])
        for held in (event.base.core, *file.resolve(event.base))
    }


def _is_count(value: Value) -> bool:
    core = value.core
    return core.number is not None or core.op in ("attr", "param")


def is_sampled_by_class(file: FileModel, cls: Class) -> bool:
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


def is_sampled(file: FileModel, group: list[Container]) -> bool:
    values = {c.value.core for c in group}
    for call in file.of_op("call"):
        if _draws(call) and any(v in values for a in call.args[1:] for v in walk(a.core)):
            return True
    return False


def is_of_random_actions(file: FileModel, group: list[Container]) -> bool:
    """Whether the steps that are gathered took any action: data for a model, of no policy."""
    loops = {loop for c in group for fill in c.fills for loop in fill.site.loops()[-1:]}
    steps = [
        call
        for call in steps_of(file).calls
        if not loops.isdisjoint(file.call_site(call).site.loops()) and len(call.args) > 1
    ]
    stepped = {part for call in steps for part in walk(call.args[0]) if part is not call.args[0]}
    given = [
        part for call in steps for part in literal_members(call.args[1].core) or call.args[1:2]
    ]
    drawn = [_drawn(action, stepped) for part in given for action in alternatives(part)]
    return any(drawn) and None not in drawn


def _drawn(action: Value, stepped: set[Value]) -> bool | None:
    """Whether an action is drawn at random: `env.action_space.sample()`, or made of random numbers
    and nothing else that is called. No for one that is always the same; None for any other."""
    if action.number is not None or action.op == "call" and _ends_with(action, _THE_SAME):
        return False
    random = False
    queue, seen = [action], {action, *stepped}
    if action in stepped:
        return None
    for value in queue:
        if value.op == "carry":
            return None  # it depends on what was shown before
        if value.op == "call":
            callee = value.args[0]
            known = (callee.dotted or "").startswith(_RANDOM_NUMBERS) or (
                callee.op == "attr" and callee.data == "sample" and _is_space(callee.args[0])
            )
            if not known:
                return None
            random = True
        new = [part for part in value.args if part not in seen]
        seen.update(new)
        queue.extend(new)
    return random or None


def _ends_with(call: Value, names: frozenset[str]) -> bool:
    return (call.args[0].dotted or "").rpartition(".")[2] in names


def _is_space(value: Value) -> bool:
    return any(part.op == "attr" and "action_space" in str(part.data) for part in walk(value))


def is_ring(group: list[Container]) -> bool:
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


def is_summarised(file: FileModel, container: Container) -> bool:
    """Whether nothing but sums, means, plots and messages is made of a list: a log."""
    core = container.value.core
    if core.op != "alloc" or container.key[0] != "value" or len(container.key) != 2:
        return False
    summaries = 0
    for user in file.users(core):
        if user.op == "attr" and user.data in _CHANGES:
            continue
        if user.op == "tuple" and not _leaves(file, user):  # a, b = [], []
            continue
        if not _summarises(user):
            return False
        summaries += 1
    return summaries > 0 and not _leaves(file, core)


def is_summed_up(file: FileModel, container: Container) -> bool:
    """Whether a class makes nothing but sums and means of a list that it keeps."""
    core = container.value.core
    if core.op != "attr" or container.array:
        return False
    changes = _CHANGES - {"pop"}  # what is taken out is used
    users = [u for u in file.users(core) if not (u.op == "attr" and u.data in changes)]
    summed = any(u.op == "reduce" for u in users)
    return summed and all(map(_summarises, users)) and not _leaves(file, core)


def _leaves(file: FileModel, core: Value) -> bool:
    """Whether a value is kept or returned, or, of a tuple, anything is made of it."""
    if core.op == "tuple" and file.users(core):
        return True
    return any(
        event.value.core is core for event in file.events_of("return", "yield", "setattr", "store")
    )


def _summarises(user: Value) -> bool:
    if user.op == "reduce":
        return user.data not in ("cumsum", "cumprod")
    if user.op == "fn":
        return user.data in _SUMMARIES
    if user.op == "call":
        name = user.args[0].dotted or ""
        return name.startswith(_SHOWING) or name.rpartition(".")[2] in _COUNTING
    return False


def is_single_step(file: FileModel, container: Container) -> bool:
    """Whether a list is made anew whenever it is filled, or in each step: it holds one step."""
    if container.key[0] == LENT:
        return False  # where it is made cannot be seen
    core = container.value.core
    made = [
        event
        for event in file.events_of("setattr")
        if core.op == "attr"
        and event.key == core.data
        and event.base is not None
        and event.base.core is core.args[0].core
        and event.value.core.op == "alloc"
    ]
    sites = [e.site for e in made] or ([container.creation[1]] if container.creation else [])
    filled = [fill.site for fill in container.fills if fill.site.loops()]
    around = [file.call_site(call).site.loops() for call in steps_of(file).calls]
    stepping = {loops[-1] for loops in around if loops}
    return bool(filled) and all(
        any(_renews(site, fill, stepping) for site in sites) for fill in filled
    )


def _renews(made: Site, fill: Site, stepping: set[Loop]) -> bool:
    """Whether a place that makes a list is passed in each iteration, or step, that fills it."""
    around, outer = fill.loops(), made.loops()
    while fill.frame is not made.frame and fill.frame.call_site is not None:
        fill = fill.frame.call_site
    return (
        made.frame is fill.frame
        and bool(outer)
        and (outer == around or (outer[-1] in stepping and outer[-1] in around))
        and fill.conditions[: len(made.conditions)] == made.conditions
    )
