"""An environment whose `_step` returns a nested "next".

What it does
    Looks at `_step` of subclasses of `EnvBase` for a returned TensorDict with a "next" entry.

Why is this bad
    `_step` returns what comes next; `step` puts it under "next". Nested twice, the reward and the
    done flags are not where anything looks for them.

Example
    def _step(self, tensordict):
        return TensorDict({"next": {"observation": x, "reward": r, "done": d}}, self.batch_size)

Use instead
    def _step(self, tensordict):
        return TensorDict({"observation": x, "reward": r, "done": d}, self.batch_size)

What happens at run time
    With the reward nested, `rollout`, `check_env_specs` and collectors raise
    `AttributeError: 'NoneType' object has no attribute 'shape'`. With the observation alone nested
    nothing raises: the policy sees the observation of the reset at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO308",
    name="nested-next-in-step",
    severity=Severity.ERROR,
    needs=(("_step",), ("next",), ("torchrl",)),
    summary='`_step` of an environment returns a nested "next"',
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._classes import environment_classes, method

    for cls in environment_classes(file):
        step = method(cls, "_step")
        place = _nested(step) if step is not None else None
        if place is not None:
            yield rule.at(
                file.span(place),
                '`_step` returns a nested "next": a reward in it is not found (AttributeError), an '
                "observation in it is not carried over to the following step",
                help='return the entries themselves; `step` puts them under "next"',
                scope=f"{cls.qualname}._step",
            )


def _nested(step: Any) -> Any:
    """The first place that puts a "next" into what is returned, or None."""
    import libcst as cst

    from ppolint.rules.environment._classes import key_of, string, walk

    returned: set[str] = set()
    literals: list[Any] = []
    for node in walk(step.body):
        if isinstance(node, cst.Return) and node.value is not None:
            _results(node.value, returned, literals)
    # a dictionary that a returned TensorDict is made of, by name
    for _ in range(3):
        for node in walk(step.body):
            if isinstance(node, cst.Assign) and len(node.targets) == 1:
                target = node.targets[0].target
                if isinstance(target, cst.Name) and target.value in returned:
                    _results(node.value, returned, literals)
    for node in walk(step.body):
        if isinstance(node, cst.DictElement) and string(node.key) == "next":
            if any(node in d.elements for d in literals):
                return node
        if isinstance(node, cst.Assign):
            for target in node.targets:
                place = target.target
                if isinstance(place, cst.Subscript) and isinstance(place.value, cst.Name):
                    if place.value.value in returned and key_of(place)[:1] == ("next",):
                        return place
    return None


def _results(value: Any, returned: set[str], literals: list[Any]) -> None:
    """The names and dictionaries that a returned expression is, or is made of."""
    import libcst as cst

    if isinstance(value, cst.Name):
        returned.add(value.value)
    elif isinstance(value, cst.Dict):
        literals.append(value)
    elif isinstance(value, cst.Call):
        name = getattr(value.func, "attr", value.func)
        text = name.value if isinstance(name, cst.Name) else ""
        if text in ("TensorDict", "from_dict") and value.args:
            _results(value.args[0].value, returned, literals)
        elif text in ("to", "clone", "contiguous") and isinstance(value.func, cst.Attribute):
            _results(value.func.value, returned, literals)
