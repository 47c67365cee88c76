"""Experience: what makes containers the steps of a rollout, and the rollout they make.

Where data is opaque, the names of fields are weak evidence of what they hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.containers import Container
from ppolint.semantics.program import Class, Site
from ppolint.semantics.steps import ACTION, DONE, OBSERVATION, POLICY, REWARD

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

LOG_PROB = re.compile(r"(?i)log_?p")
_FIELD_NAMES = {
    REWARD: re.compile(r"(^|_)r(ew|ews|eward|ewards)?(_|s$|$)|reward"),
    ACTION: re.compile(r"(^|_)(a|act|acts)(_|$)|action"),
    OBSERVATION: re.compile(r"(^|_)(s|o|ob|obs|obss|state|states)(_|$)|observation|states?$"),
    DONE: re.compile(r"(^|_)(d|dw|done|dones|mask|masks|term|terminals?|terminated|truncated)(_|$)|done|terminal|episode_starts?"),
    POLICY: re.compile(
        r"log_?p|logpac|(^|_)(v|vs|val|vals|value|values|adv|advs|ret|rets|advantages?|returns?)(_|$)"
        r"|values?$|advantage|returns?$|(^|_)(logits?|critics?)(_|$)"
    ),
}  # fmt: skip

# Words for what is written about a training, step by step or epoch by epoch.
_FIGURES = frozenset(
    "loss losses grad grads norm norms mean means std stds kl avg average epoch epochs len length "
    "lengths lr total totals sum min max count num score scores entropy rate success".split()
)


@dataclass(eq=False, slots=True)
class Rollout:
    """Containers that together hold the steps of a rollout (or of a replay memory)."""

    kind: str  # "lists", "buffer" or "replay"
    containers: list[Container]
    owner: Class | None
    start: tuple[Any, Site]
    end: tuple[Any, Site]
    roles: set[str]


def is_experience(group: list[Container], roles: set[str]) -> bool:
    """Whether the roles make up steps of experience rather than a log."""
    several = len(group) >= 2 or any(len(c.roles) >= 2 for c in group)
    if not several:
        return False
    if REWARD in roles:
        return POLICY in roles or len(roles) >= 3
    return len(roles) >= 3 and ACTION in roles and DONE in roles


def named_roles(name: str) -> set[str]:
    """The roles that a variable or a field may have by its name."""
    lowered = _lowered(name)
    return {role for role, pattern in _FIELD_NAMES.items() if pattern.search(lowered)}


def is_figure(name: str) -> bool:
    """Whether a field is a figure about a training by its name: `value_loss`, `mean_reward`."""
    return not _FIGURES.isdisjoint(_lowered(name).split("_"))


def _lowered(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def assembled(
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
