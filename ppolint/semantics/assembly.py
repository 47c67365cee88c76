"""How components are put together: keys, transforms, parts, parameters; mixed into `Pipeline`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics import keys
from ppolint.semantics.components import (
    UNKNOWN,
    Component,
    Environment,
    Estimator,
    Module,
    Optimiser,
    Transform,
    Unknown,
)
from ppolint.semantics.program import Frame
from ppolint.semantics.story import conditions
from ppolint.semantics.values import Value
from ppolint.semantics.wiring import Wiring

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


class Assembly:
    """The part of `Pipeline` that answers what components ask about themselves."""

    file: FileModel
    wiring: Wiring
    _wrapping: list[Environment]
    _spreading: list[Transform]
    _built: list[tuple[Component, Frame]]

    @cached_property
    def _labels(self) -> dict[Value, str]:
        """Value -> the name it has where it is used: in the outermost function, its first one."""
        best: dict[Value, tuple[int, str]] = {}
        for event in self.file.events:
            if event.kind == "bind":
                name = str(event.key)
            elif event.kind == "setattr" and event.base is not None:
                if self.file.class_of(event.base) is None:
                    continue
                name = f"self.{event.key}"
            else:
                continue
            depth = event.site.frame.depth + (0 if event.site.frame.module.main else 100)
            core = event.value.core
            for value in core.args if core.op == "phi" else (core,):
                known = best.get(value.core)
                if known is None or depth < known[0]:
                    best[value.core] = (depth, name)
        return {value: name for value, (_, name) in best.items()}

    def label_of(self, component: Component) -> str:
        core = component.call.core
        if isinstance(component, Estimator) and component.loss is not None:
            return f"{component.loss.label or 'loss'}.value_estimator"
        return self._labels.get(core, "")

    def key_argument(self, component: Component, name: str) -> tuple | Unknown | None:
        """The keys given as an argument; None when it is not given or None."""
        value = component.argument(name)
        if value is None or isinstance(value, Unknown):
            return value
        written = getattr(self.file.keyword_node(component.call, name), "value", None)
        return keys.parse_keys(self, value, listed=type(written).__name__ == "Call")

    def renamed_keys(self, component: Component) -> Any:
        """Key settings: constructor arguments `*_key`, then `set_keys` in order."""
        out: dict[str, Any] = {}
        for name, value in component.arguments.items():
            if name.endswith("_key"):
                key = keys.parse_key(self, value)
                if key is not None:
                    out[name.removesuffix("_key")] = key
        for step in component.methods("set_keys"):
            if step.result.core.op != "call":
                return UNKNOWN
            site = self.file.call_site(step.result)
            if site.star or site.double_star:
                return UNKNOWN
            for name, value in self.file.keywords(step.result).items():
                key = keys.parse_key(self, value)
                out[name] = UNKNOWN if key is None else key
        return out

    def wraps_single_env(self, environment: Environment) -> bool | Unknown:
        """Whether a `GymWrapper(...)` is around one gym environment."""
        value = environment.argument("env")
        if not isinstance(value, Value):
            return UNKNOWN
        found = {leaf.args[0].dotted for leaf in self.wiring.leaves(value) if leaf.op == "call"}
        if found and all(n and n.endswith((".make", "gym.make")) for n in found):
            return False
        return UNKNOWN

    def transforms_of(self, env: Environment) -> tuple[tuple[Transform, ...], bool]:
        """The transforms of an environment in order, and whether they are all there can be."""
        out: dict[Transform, None] = {}
        complete = True
        for inner in env.wrapped:
            if isinstance(inner, Environment) and inner not in (env, *self._wrapping):
                self._wrapping.append(env)
                out.update(dict.fromkeys(inner.transforms))
                complete = complete and inner.complete
                self._wrapping.pop()
            else:
                complete = False
        if env.name == "TransformedEnv":
            for found in env.parts_of("transform"):
                complete = self._spread(found, out) and complete
        elif not env.wrapped and env.cls is not None and env._own_constructor():
            complete = False
        for step in env.methods("append_transform", "insert_transform"):
            arg = step.args[-1] if step.args else self.given(step.result, "transform")
            optional = any(c not in conditions(env.site) for c in step.conditions)
            for found in self.candidates(arg):
                complete = self._spread(found, out, optional) and complete
        return tuple(out), complete

    def _spread(self, found: Any, out: dict[Transform, None], optional: bool = False) -> bool:
        """Add a transform, or what a `Compose` consists of; False when something is not seen."""
        if found is None:
            return True
        if not isinstance(found, Transform) or found in self._spreading:
            return False
        if found.name != "Compose" or found.cls is not None:
            found.conditional = found.conditional or optional
            out[found] = None
            return True
        self._spreading.append(found)
        complete = True
        site = found.call.core.data
        for value in found.positionals:
            inside = [value]
            if site.star:  # type: ignore[attr-defined]
                held = self.wiring.contents(value)
                if held is not None:
                    inside = held
            for part in inside:
                for member in self.candidates(part):
                    complete = self._spread(member, out, optional) and complete
        for step in found.methods("append", "insert"):
            for member in self.candidates(step.args[-1] if step.args else None):
                complete = self._spread(member, out, optional) and complete
        self._spreading.pop()
        return complete

    def module_parts(self, module: Module) -> tuple:
        """The modules a module is put together from."""
        if module.parent is not None:
            parent = module.parent
            common = (
                parent.parts_of("common_operator") if parent.argument("common_operator") else ()
            )
            return (*common, *parent.parts_of(f"{module.role}_operator"))
        if "Sequential" in module.name:
            parts: list[Any] = []
            site: Any = module.call.core.data
            for value in module.positionals:
                inside = self.wiring.contents(value) if site.star else None
                for part in inside if inside is not None else [value]:
                    parts.extend(self.candidates(part))
            return tuple(parts)
        if module.name == "ProbabilisticActor":
            return module.parts_of("module")
        if module.name in ("ActorValueOperator", "ActorCriticOperator", "ActorCriticWrapper"):
            names = ("common_operator", "policy_operator", "value_operator")
            return tuple(
                c for n in names if module.argument(n) is not None for c in module.parts_of(n)
            )
        return ()

    def module_around(self, network: Value) -> Module | None:
        """The TensorDict module that wraps a network."""
        wanted = set(self.wiring.leaves(network))
        for module, _ in self._built:
            held = module.network if isinstance(module, Module) else None
            if isinstance(held, Value) and wanted & set(self.wiring.leaves(held)):
                return module
        return None

    def parameters_of(self, optimiser: Optimiser) -> tuple[tuple[Component, ...], bool]:
        """The components whose parameters an optimiser has, and whether that is all it has."""
        out: dict[Component, None] = {}
        complete = True
        for member in optimiser.members:
            if not isinstance(member, Optimiser):
                complete = False
                continue
            if member is not optimiser:
                out.update(dict.fromkeys(member.optimises))
                complete = complete and member.complete
                continue
            value = member.argument("params") or (member.positionals or (None,))[0]
            if not isinstance(value, Value) or not self._gather(value, out, 0):
                complete = False
        return tuple(out), complete

    def owners(self, parameters: Value | None) -> tuple[tuple[Component, ...], bool]:
        """The components whose parameters a value holds, and whether those are all."""
        out: dict[Component, None] = {}
        complete = parameters is not None and self._gather(parameters, out, 0)
        return tuple(out), complete

    def _gather(self, value: Value, out: dict[Component, None], depth: int) -> bool:
        core = value.core
        if depth > 8:
            return False
        if core.op == "call":
            callee = core.args[0]
            if callee.op == "attr" and callee.data in ("parameters", "named_parameters", "values"):
                return self._owners(callee.args[0], out)
            if callee.op == "ref" and len(core.args) > 1:
                last = str(callee.data).rpartition(".")[2]
                if last in ("chain", "list", "filter", "tuple", "dict"):
                    parts = core.args[2:] if last == "filter" else core.args[1:]
                    return self._gather_all(parts, out, depth)
            return False
        if core.op == "comp":
            return self._gather(core.args[1], out, depth + 1)
        if core.op == "alloc":
            site: Any = core.data
            entries = site.entries
            if site.kind == "dict":
                return (
                    bool(entries)
                    and "params" in entries
                    and self._gather(entries["params"], out, depth + 1)
                )
        if core.op == "fn" and core.data == "star":
            return self._gather(core.args[0], out, depth + 1)
        if core.op == "add":  # list(a.parameters()) + list(b.parameters())
            return self._gather_all(core.args, out, depth)
        further = self.wiring._further(core)
        return bool(further) and self._gather_all(further, out, depth)

    def _gather_all(self, values: Iterable[Value], out: dict[Component, None], depth: int) -> bool:
        """Gather from every value; False when something in any of them is not seen."""
        seen = [self._gather(value, out, depth + 1) for value in values]
        return all(seen)

    def _owners(self, value: Value, out: dict[Component, None]) -> bool:
        complete = True
        for found in self.candidates(value):
            if isinstance(found, Component):
                out[found] = None
                continue
            module = self.module_around(value)
            if module is not None:
                out[module] = None
            else:
                complete = False
        return complete
