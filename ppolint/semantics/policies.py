"""Modules that are actor and critic at once, written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppolint.semantics.program import Class
from ppolint.semantics.values import Value, alternatives, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_MODULES = ("torch.nn.Module", "torch.nn.modules.module.Module")


def actor_critics(file: FileModel) -> list[Class]:
    """Classes that sample an action and return its log-probability together with a value."""
    out = []
    for cls in file.classes:
        if not any(base in _MODULES for base in cls.external_bases()):
            if not (_owns_networks(cls) and file.is_reinforcement_learning):
                continue
        if _samples(file, cls) and _returns_both(file, cls):
            out.append(cls)
    return out


def _owns_networks(cls: Class) -> bool:
    """Whether a class that is no module keeps networks of its own."""
    return any(
        value.core.op == "call" and (value.core.args[0].dotted or "").startswith("torch.nn.")
        for values in cls.attributes.values()
        for value in values
    )


def _mine(file: FileModel, cls: Class) -> set[int]:
    return {id(f.node) for f in cls.methods.values()}


def _samples(file: FileModel, cls: Class) -> bool:
    nodes = _mine(file, cls)
    for event in file.events_of("method"):
        if event.key in ("sample", "rsample"):
            function = event.site.root.function
            if function is not None and id(function.node) in nodes:
                return True
    if not file.is_reinforcement_learning:
        return False
    return any(
        id(function.node) in nodes
        for call in file.calls("torch.multinomial")
        if (function := file.call_site(call).site.root.function) is not None
    )


def _returns_both(file: FileModel, cls: Class) -> bool:
    """Whether a method returns a log-probability and what another network says, side by side."""
    nodes = _mine(file, cls)
    for event in file.events_of("return"):
        function = event.site.frame.function
        if function is None or id(function.node) not in nodes:
            continue
        parts = _parts(event.value)
        if len(parts) < 2:
            continue
        likely = [any(_is_log_prob(v) for v in walk(p.core)) for p in parts]
        networks = [
            not bad and _is_network_output(p) and not _from_sample(p)
            for p, bad in zip(parts, likely)
        ]
        networks = [n and not _feeds_distribution(p, parts) for n, p in zip(networks, parts)]
        if any(likely) and any(networks):
            return True
    return False


def _parts(value: Value) -> list[Value]:
    for option in alternatives(value):
        if option.op == "tuple":
            return list(option.args)
        if option.op == "alloc" and getattr(option.data, "items", None):
            return list(option.data.items)  # type: ignore[attr-defined]
    return []


def _is_log_prob(value: Value) -> bool:
    if value.op == "fn" and value.data == "gather":
        looked_up = value.args[0].core
        return looked_up.op == "fn" and looked_up.data == "log_softmax"
    return value.op == "call" and value.args[0].op == "attr" and value.args[0].data == "log_prob"


def _from_sample(value: Value) -> bool:
    """Whether a value is computed from a sample: the decoder of an autoencoder, not a critic."""
    return any(
        v.op == "call" and v.args[0].op == "attr" and v.args[0].data in ("sample", "rsample")
        for v in walk(value.core, through_calls=True)
    )


def _feeds_distribution(value: Value, parts: list[Value]) -> bool:
    """Whether another part is a log-probability under a distribution made from this value."""
    core = value.core
    for part in parts:
        for v in walk(part.core, through_calls=True):
            if _is_log_prob(v) and core in set(walk(v.args[0], through_calls=True)):
                return True
    return False


def _is_network_output(value: Value) -> bool:
    """A call of an attribute of the module, that is not a method of a distribution."""
    core = value.core
    if core.op in ("phi", "after"):
        return any(_is_network_output(a) for a in core.args)
    if core.op != "call":
        return False
    callee = core.args[0]
    if callee.op == "attr" and callee.data in ("sample", "rsample", "log_prob", "entropy", "mode"):
        return False
    return callee.op in ("attr", "call", "item")
