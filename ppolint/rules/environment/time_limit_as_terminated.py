"""An environment that ends its episodes at a time limit by termination.

What it does
    Looks at subclasses of `EnvBase` for a "done" or "terminated" that is computed from a step
    counter, in a class that never speaks of "truncated". Silent where the time is a part of what
    the policy observes.

Why is this bad
    After a termination nothing follows, so the value of the next state counts as zero. At a time
    limit the task goes on: its value is missing from every target near the limit, and the policy is
    taught that time runs out although it cannot see the clock.

Example
    def _step(self, tensordict):
        self.t += 1
        done = torch.tensor([self.t >= self.max_steps])
        return TensorDict({"observation": x, "reward": r, "done": done}, [])

Use instead
    def _step(self, tensordict):
        terminated = torch.zeros(1, dtype=torch.bool)
        return TensorDict(
            {"observation": x, "reward": r, "done": terminated, "terminated": terminated}, []
        )

    env = TransformedEnv(MyEnv(), StepCounter(max_steps=100))

What happens at run time
    TorchRL copies a lone "done" to "terminated". With a critic that says 100 and a reward of 1, the
    targets of the last five steps before the limit are 5, 4, 3, 2, 1; with a truncation they are
    105, 104, 103, 102, 101.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO306",
    name="time-limit-as-terminated",
    severity=Severity.WARNING,
    needs=(("_step",), ("done", "terminated"), ("torchrl",)),
    summary="A custom environment that writes its time limit as termination",
)

# The policy sees the time: the horizon belongs to the task.
_CLOCK = re.compile(
    r"""["'](?:step|steps|step_count|time|t|time_left|remaining\w*|progress|timestep)["']\s*[:\]]"""
    r"""|\b(?:step|steps|step_count|time|time_left|remaining\w*|progress|timestep)=[A-Z]\w*\("""
)
_TERMINATED = frozenset({"terminated", "terminateds"})
_FLAGS = _TERMINATED | {"done", "dones"}


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._classes import environment_classes, method

    for cls in environment_classes(file):
        text = _text(file, cls)
        if method(cls, "_step") is None or _CLOCK.search(text) or _writes_truncated(file, cls):
            continue
        counters = _counters(cls)
        ends = _ends(cls, counters)
        for function in _reached(cls):
            for comparison in _limits(function, counters, ends):
                yield rule.at(
                    file.span(comparison),
                    "a time limit that is written as termination: the value of what follows counts "
                    "as zero",
                    help="write it as `truncated`, or leave it to "
                    "`StepCounter(max_steps=...)` around the environment",
                    scope=f"{cls.qualname}.{function.name.value}",
                )


# The entry, as a string or as a keyword of `TensorDict(...)`; a variable of that name is not yet one.
_TRUNCATED = re.compile(r"""["']truncated["']|\btruncated=(?!=)""")


def _writes_truncated(file: FileModel, cls: Any) -> bool:
    """Whether a method that is not about specs says "truncated" as an entry."""
    return any(
        _TRUNCATED.search(file.source.text[slice(*file.span(function.node))])
        for name, function in cls.methods.items()
        if name != "__init__" and "spec" not in name
    )


def _text(file: FileModel, cls: Any) -> str:
    return file.source.text[slice(*file.span(cls.node))]


def _ends(cls: Any, counters: set[str]) -> frozenset[str]:
    """The entries that say an episode has no future: "done" as well, unless "terminated" is written
    beside it with a value of its own, which no limit is in."""
    import libcst as cst

    from ppolint.rules.environment._classes import walk

    values = [v for f in _reached(cls) for v in _written(f, _TERMINATED)]
    if not values:
        return _FLAGS
    for value in values:
        called = _called(cls, value)
        parts = [value, *(f.body for f in _reached(cls, called))] if called else [value]
        if any(True for part in parts for _ in _comparisons(part, counters)):
            return _FLAGS
        if any(isinstance(n, cst.Name) and n.value in ("done", "dones") for n in walk(value)):
            return _FLAGS
    return _TERMINATED


def _written(function: Any, names: frozenset[str]) -> Iterator[Any]:
    """The values that a function writes under one of these keys."""
    import libcst as cst

    from ppolint.rules.environment._classes import key_of, walk

    for node in walk(function.body):
        if isinstance(node, cst.DictElement) and _string(node.key) in names:
            yield node.value
        elif isinstance(node, cst.Assign):
            for target in node.targets:
                if isinstance(target.target, cst.Subscript) and set(key_of(target.target)) & names:
                    yield node.value
        elif isinstance(node, cst.Call) and len(node.args) == 2:
            set_ = isinstance(node.func, cst.Attribute) and node.func.attr.value in ("set", "set_")
            if set_ and _string(node.args[0].value) in names:
                yield node.args[1].value


def _called(cls: Any, node: Any) -> list[Any]:
    """The methods of the class that an expression calls."""
    import libcst as cst

    from ppolint.rules.environment._classes import dotted, method, walk

    out = []
    for inner in walk(node):
        if isinstance(inner, cst.Call) and dotted(inner.func).startswith("self."):
            found = method(cls, dotted(inner.func)[5:])
            if found is not None:
                out.append(found)
    return out


def _reached(cls: Any, start: list[Any] | None = None) -> list[Any]:
    """`_step` (or `start`) and the methods of the class that it calls, at any depth."""
    import libcst as cst

    from ppolint.rules.environment._classes import dotted, method, walk

    out = list(start) if start is not None else [method(cls, "_step")]
    for function in out:
        for node in walk(function.body):
            if isinstance(node, cst.Call):
                name = dotted(node.func)
                called = method(cls, name[5:]) if name.startswith("self.") else None
                if called is not None and called not in out:
                    out.append(called)
    return out


def _counters(cls: Any) -> set[str]:
    """Names that go up by one with every step: `self.t += 1`, `t = td["step"] + 1`."""
    import libcst as cst

    from ppolint.rules.environment._classes import dotted, walk

    out = set()
    for function in _reached(cls):
        for node in walk(function.body):
            if isinstance(node, cst.AugAssign) and isinstance(node.operator, cst.AddAssign):
                target = (
                    node.target.value if isinstance(node.target, cst.Subscript) else node.target
                )
                if _is_one(node.value) and dotted(target):
                    out.add(dotted(target))
            elif isinstance(node, cst.Assign) and isinstance(node.value, cst.BinaryOperation):
                value = node.value
                if isinstance(value.operator, cst.Add) and _is_one(value.right):
                    name = dotted(node.targets[0].target)
                    before = dotted(value.left)
                    if name and ("step" in name or before == name):
                        out.add(name)
    return out


def _is_one(node: Any) -> bool:
    import libcst as cst

    return isinstance(node, cst.Integer) and node.value == "1"


def _limits(function: Any, counters: set[str], ends: frozenset[str]) -> Iterator[Any]:
    """Comparisons of a counter with a limit whose result becomes a flag of the end."""
    import libcst as cst

    from ppolint.rules.environment._classes import walk

    flags = _flag_names(function, ends)
    for statement in walk(function.body):
        if isinstance(statement, (cst.Assign, cst.AnnAssign, cst.AugAssign)):
            targets = (
                [t.target for t in statement.targets]
                if isinstance(statement, cst.Assign)
                else [statement.target]
            )
            if statement.value is not None and any(_is_flag(t, flags, ends) for t in targets):
                yield from _comparisons(statement.value, counters)
        elif isinstance(statement, cst.DictElement) and _string(statement.key) in ends:
            yield from _comparisons(statement.value, counters)


def _comparisons(node: Any, counters: set[str]) -> Iterator[Any]:
    import libcst as cst

    from ppolint.rules.environment._classes import dotted, walk

    for inner in walk(node):
        if isinstance(inner, cst.Comparison) and len(inner.comparisons) == 1:
            operator = inner.comparisons[0].operator
            left, right = inner.left, inner.comparisons[0].comparator
            if isinstance(operator, (cst.LessThan, cst.LessThanEqual)):
                left, right = right, left
            elif not isinstance(operator, (cst.GreaterThan, cst.GreaterThanEqual, cst.Equal)):
                continue
            if any(dotted(n) in counters for n in walk(left) if dotted(n)):
                yield inner


def _flag_names(function: Any, ends: frozenset[str]) -> set[str]:
    """Local names that become "done" or "terminated", and those they are computed from."""
    import libcst as cst

    from ppolint.rules.environment._classes import key_of, walk

    out: set[str] = set(ends)
    for _ in range(3):
        for node in walk(function.body):
            value = None
            if isinstance(node, cst.DictElement) and _string(node.key) in ends:
                value = node.value
            elif isinstance(node, cst.Assign) and len(node.targets) == 1:
                target = node.targets[0].target
                if isinstance(target, cst.Name) and target.value in out:
                    value = node.value
                elif isinstance(target, cst.Subscript) and set(key_of(target)) & ends:
                    value = node.value
            if value is not None:
                out |= _operands(value)
    return out


def _operands(value: Any) -> set[str]:
    """Names that a flag is made of by `or`, `|`, a tensor around it: not by arithmetic."""
    import libcst as cst

    if isinstance(value, cst.Name):
        return {value.value}
    if isinstance(value, (cst.BooleanOperation, cst.BinaryOperation)):
        return _operands(value.left) | _operands(value.right)
    if isinstance(value, cst.Call):
        out: set[str] = set()
        for argument in value.args[:2]:
            out |= _operands(argument.value)
        if isinstance(value.func, cst.Attribute):
            out |= _operands(value.func.value)
        return out - {"torch"}
    if isinstance(value, (cst.List, cst.Tuple)):
        return set().union(*(_operands(e.value) for e in value.elements), set())
    return set()


def _is_flag(target: Any, flags: set[str], ends: frozenset[str]) -> bool:
    import libcst as cst

    from ppolint.rules.environment._classes import dotted, key_of

    if isinstance(target, cst.Subscript):
        return bool(set(key_of(target)) & ends)
    name = dotted(target)
    return name in flags or name.removeprefix("self.") in ends


def _string(node: Any) -> str | None:
    from ppolint.rules.environment._classes import string

    return string(node)
