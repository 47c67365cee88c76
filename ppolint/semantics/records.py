"""Records of steps: what their fields say, and who takes them apart again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ppolint.semantics.containers import Container
from ppolint.semantics.experience import LOG_PROB, is_figure, named_roles
from ppolint.semantics.instances import class_fields, tuple_fields
from ppolint.semantics.steps import ACTION, OBSERVATION, REWARD, literal_members
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_CRITIC = re.compile(r"(?i)(^|_)(values?|advantages?)(_|$)")
_ADVANTAGE = re.compile(r"(?i)advantage|(^|_)advs?(_|$)")


def is_record_of_policy(file: FileModel, container: Container) -> bool:
    """Whether a container keeps records with fields for log-probabilities and advantages, or an
    action that was sampled, its log-probability, and more."""
    given = [fill.args[-1] for fill in container.fills if fill.args]
    if any(map(has_sampled_action, given)) or has_advantages(file, container):
        return True
    records = [*(record_fields(file, value) for value in given), unpacked_names(file, container)]
    return any(is_judged(fields) and is_valued(fields) for fields in records)


def has_advantages(file: FileModel, container: Container) -> bool:
    """Whether records hold log-probabilities and advantages: no replay memory has these."""
    given = [record_fields(file, fill.args[-1]) for fill in container.fills if fill.args]
    return any(
        any(map(LOG_PROB.search, fields)) and any(map(_ADVANTAGE.search, fields))
        for fields in (*given, unpacked_names(file, container))
    )


def is_valued(fields: tuple[str, ...]) -> bool:
    """Whether a critic said something about what a record holds."""
    return any(_CRITIC.search(name) and not is_figure(name) for name in fields)


def has_sampled_action(value: Value) -> bool:
    """Whether a tuple holds an action and what a distribution says of it, beside other things."""
    core = value.core
    parts = core.args if core.op == "tuple" else literal_members(core)
    if len(parts) < 4:
        return False
    for part in parts:
        for said in walk(part.core):
            callee = said.args[0] if said.op == "call" else said
            if callee.op == "attr" and callee.data == "log_prob" and len(said.args) > 1:
                action = said.args[1].core
                if any(other is not part and action in set(walk(other.core)) for other in parts):
                    return True
    return False


def sampled_actions(containers: list[Container]) -> list[Container]:
    """The containers that gather actions and what a distribution says of them, with all that is
    gathered beside them; none, where that is not so."""
    given = {c: _given(c) for c in containers}
    said = [
        action
        for values in given.values()
        for value in values
        for action in map(_judged_action, (value, *value.args[:1]))
        if action is not None
    ]
    drawn = {value for values in given.values() for value in values}
    return containers if any(action in drawn for action in said) else []


def _given(container: Container) -> list[Value]:
    values = (fill.args[-1] if fill.args else fill.value for fill in container.fills)
    return [value.core for value in values if value is not None]


def _judged_action(value: Value) -> Value | None:
    """The action of density.log_prob(action), or of log(p.gather(1, action))."""
    core = value.core
    if core.op == "call" and core.args[0].op == "attr" and core.args[0].data == "log_prob":
        return core.args[1].core if len(core.args) > 1 else None
    if core.op == "log":
        for part in walk(core.args[0]):
            if part.op == "fn" and part.data == "gather" and len(part.args) > 2:
                return part.args[2].core
    return None


def unpacked_names(file: FileModel, container: Container) -> tuple[str, ...]:
    """The variables that a record of a container is taken apart to, or the columns of all of them:
    `states, actions, log_probs = zip(*self.steps)`; of several lists the one with most names."""
    core = container.value.core
    named = [
        {name for name in places.values() if name.strip("_")}
        for whole, places in file.taken_apart.items()
        if len(places) > 2 and _is_taken_from(whole, core)
    ]
    return tuple(sorted(max(named, key=len, default=())))


def _is_getter(callee: Value) -> bool:
    """Whether a callee fetches what is at some places: `operator.itemgetter(*places)`."""
    return callee.op == "call" and callee.args[0].dotted == "operator.itemgetter"


def _is_taken_from(whole: Value, container: Value) -> bool:
    """Whether a value is an element of a container, or its elements turned into columns."""
    for _ in range(6):
        if whole.op in ("item", "elem") and whole.args[0].core is container:
            return True
        if whole.op == "fn" and whole.data in ("zip", "map", "star"):
            whole = whole.args[-1].core
        elif whole.op == "comp":
            whole = whole.args[1].core
        elif whole.op == "call" and len(whole.args) > 1:
            known = (whole.args[0].dotted or "") in ("builtins.zip", "builtins.map")
            if not known and not _is_getter(whole.args[0].core):
                return False
            whole = whole.args[-1].core
        else:
            return whole is container and container.op != "tuple"
    return False


def is_judged(fields: tuple[str, ...]) -> bool:
    """Whether a record has a log-probability, and a reward or what it is the one of."""
    roles = set().union(*map(named_roles, fields)) if fields else set()
    whole = REWARD in roles or {OBSERVATION, ACTION} <= roles
    return whole and any(map(LOG_PROB.search, fields))


def record_fields(file: FileModel, value: Value) -> tuple[str, ...]:
    """The fields of a record, or of each record of a list."""
    core = value.core
    if core.op == "comp":
        core = core.args[0].core
    if core.op == "alloc":
        names = getattr(core.data, "entries", None) or ()
        return tuple(name for name in names if isinstance(name, str))
    if core.op != "call":
        return ()
    made = core.args[0].core
    if made.op == "class":
        return class_fields(made.data)  # type: ignore[arg-type]
    if (made.dotted or "").rpartition(".")[2][:1].isupper():
        return tuple(file.keywords(core))  # of a file that is not looked into
    return tuple_fields(made) or ()
