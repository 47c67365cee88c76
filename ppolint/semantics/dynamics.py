"""Lists of experience of a task whose dynamics are functions: nothing is stepped by that name.

`s2, r = move(s, a)` looks like any other call. What tells is that a policy is asked about one
member of the record for another one, and what the variables are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ppolint.semantics.consumption import is_sampled
from ppolint.semantics.containers import Container
from ppolint.semantics.experience import LOG_PROB, named_roles
from ppolint.semantics.handouts import has_policy_gradient
from ppolint.semantics.program import Event
from ppolint.semantics.ratios import is_log_prob
from ppolint.semantics.steps import ACTION, OBSERVATION, POLICY, REWARD, literal_members, steps_of
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_Member = tuple[str, Value]


def acted_out(file: FileModel, group: list[Container]) -> list[Container]:
    """The lists of a loop that gather what a policy did in a task that the file plays itself."""
    if steps_of(file).calls:
        return []
    lists = [c for c in group if not c.array and not c.bounded and c.owner is None and c.creation]
    lists = [c for c in lists if not is_sampled(file, [c])]
    records = [c for c in lists if any(_is_played(file, _record(f)) for f in c.fills)]
    if records:
        return records
    columns = {c: _column(c) for c in lists}
    members = [member for member in columns.values() if member is not None]
    if not _is_played(file, members) and not _is_rewarded(members):
        return []
    return [c for c, member in columns.items() if member is not None and named_roles(member[0])]


def _is_played(file: FileModel, members: list[_Member]) -> bool:
    """Whether the members make up a step that a policy took."""
    if len(members) < 3:
        return False
    roles = [(named_roles(name), value.core) for name, value in members]
    states = [value for given, value in roles if OBSERVATION in given]
    actions = [value for given, value in roles if ACTION in given]
    if not any(given == {REWARD} for given, _ in roles) or not states or not actions:
        return False
    if not any(_is_answer(action, state) for action in actions for state in states):
        return False
    rewards = [value for given, value in roles if given == {REWARD}]
    if any(_is_consequence(reward, action) for reward in rewards for action in actions):
        return True
    judged = any(POLICY in given or is_log_prob(value) for given, value in roles)
    return judged or (len(members) > 3 and has_policy_gradient(file))


def _is_consequence(reward: Value, action: Value) -> bool:
    """Whether a reward is made of what is called with the action."""
    return any(
        part.op == "call" and any(a.core is action for a in part.args[1:]) for part in walk(reward)
    )


def _is_rewarded(members: list[_Member]) -> bool:
    """Whether a log-probability comes with an action, and a reward of what is called with that:
    `log_prob, action = policy(state)`, `state, reward = move(state, action)`."""
    said = [value.core for name, value in members if LOG_PROB.search(name)]
    rewards = [value.core for name, value in members if named_roles(name) == {REWARD}]
    for log_prob in said:
        if log_prob.op == "fn" and log_prob.data == "gather" and len(log_prob.args) > 2:
            policy = log_prob.args[2].core
        else:
            policy = log_prob
            while policy.op in ("item", "attr"):
                policy = policy.args[0].core
            if policy.op != "call" or policy is log_prob:
                continue
        for reward in rewards:
            for part in walk(reward):
                if part.op == "call" and part is not policy and policy in _handed(part):
                    return True
    return False


def _handed(call: Value) -> set[Value]:
    """What the arguments of a call are parts of, or made of in branches."""
    out: set[Value] = set()
    queue = [a.core for a in call.args[1:]]
    for value in queue:
        if value.op in ("item", "attr", "phi", "where", "after"):
            queue.extend(a.core for a in value.args)
        out.add(value)
    return out


def _is_answer(action: Value, state: Value) -> bool:
    """Whether one value is what a call, or a draw from what a call says, makes of the other."""
    if action is state or state.number is not None:
        return False
    return any(part is state for part in walk(action, through_calls=True)) and any(
        part.op == "call" for part in walk(action)
    )


def _record(fill: Event) -> list[_Member]:
    """The members of a record that is written out where it is appended, and their variables."""
    node = _appended(fill)
    if not isinstance(node, (cst.List, cst.Tuple)) or not fill.args:
        return []
    core = fill.args[-1].core
    values = core.args if core.op == "tuple" else literal_members(core)
    if len(values) != len(node.elements):
        return []
    return [(_spelled(e.value), value) for e, value in zip(node.elements, values)]


def _column(container: Container) -> _Member | None:
    """The name of a list and what is appended to it, where that is one thing."""
    names = {
        _spelled(fill.node.func.value)
        for fill in container.fills
        if isinstance(fill.node, cst.Call) and isinstance(fill.node.func, cst.Attribute)
    }
    values = {fill.args[-1].core for fill in container.fills if fill.args}
    return (names.pop(), values.pop()) if len(names) == len(values) == 1 else None


def _appended(fill: Event) -> cst.BaseExpression | None:
    node = fill.node
    return node.args[-1].value if isinstance(node, cst.Call) and node.args else None


def _spelled(node: cst.BaseExpression) -> str:
    """The variable or attribute of an expression: `reward` of `reward.item()`, `float(reward)`."""
    if isinstance(node, cst.Call):
        of_method = isinstance(node.func, cst.Attribute) and not node.args
        inner = node.func.value if of_method else node.args[0].value if node.args else node.func  # type: ignore[attr-defined]
        return _spelled(inner)
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""
