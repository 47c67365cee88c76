"""From a value to the components it may be: through names, attributes, containers and factories.

`Wiring.candidates(value)` is the question everything else of the pipeline is built on. It answers
with every component that the value may hold, with None for a Python `None`, and with UNKNOWN for
anything it cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppolint.semantics import catalogue
from ppolint.semantics.components import (
    CLASSES,
    PROBABILISTIC,
    UNKNOWN,
    Component,
    Estimator,
    Loss,
    Module,
    Probabilistic,
    Unknown,
)
from ppolint.semantics.leaves import Leaves, last_name
from ppolint.semantics.program import CallSite, Class, Event
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

# Methods of actor-critics that return a part of them -> which side.
DERIVING = {
    "get_policy_operator": "policy",
    "get_policy_head": "policy",
    "get_value_operator": "value",
    "get_value_head": "value",
    "get_critic_operator": "value",
}
_LOSS_ATTRIBUTES = {
    "actor_network": "actors",
    "actor": "actors",
    "critic_network": "critics",
    "critic": "critics",
}
# Methods of modules and transforms that make a transform.
_TRANSFORM_METHODS = {
    "make_tensordict_primer": ("transform", "TensorDictPrimer"),
    "frozen_copy": ("transform", "FrozenNorm"),
    "to_observation_norm": ("transform", "FrozenNorm"),
}
_BY_MODULE = {"torch.optim": "optimiser", "torch.optim.lr_scheduler": "scheduler"}
MAX_CANDIDATES = 16
_FACTORY_DEPTH = 3

Candidates = tuple  # of Component, UNKNOWN and None


class Wiring(Leaves):
    """The resolver of one file; `events` collects what happened inside factories."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.file)
        self.pipeline = pipeline
        self.events: list[Event] = []
        self._components: dict[Value, Component] = {}
        self._candidates: dict[Value, Candidates] = {}
        self._factories: dict[tuple[Value, int], Value] = {}
        self._use: CallSite | None = None
        self._factory_arguments: dict[str, Value] = {}
        self._open: set[Value] = set()
        self._depth = 0

    # -- the question -----------------------------------------------------------------------
    def candidates(self, value: Value, factory: bool = False) -> Candidates:
        """Every component that `value` may be; UNKNOWN and None are members like others.

        With `factory`, functions and classes are taken for what they build when called.
        """
        core = value.core
        key = self._candidates.get(core)
        if key is not None and not factory:
            return key
        if core in self._open:
            return (UNKNOWN,)  # `layers.append(layers[-1].env)`
        self._open.add(core)
        found: dict[Any, None] = {}
        for leaf in self.leaves(core):
            for component in self._of_leaf(leaf, factory):
                found[component] = None
        self._open.discard(core)
        out = tuple(found)
        if len(out) > MAX_CANDIDATES:
            out = (*out[:MAX_CANDIDATES], UNKNOWN)
        if not factory:
            self._candidates[core] = out
        return out

    # -- what a leaf is ---------------------------------------------------------------------
    def _of_leaf(self, leaf: Value, factory: bool) -> Candidates:
        if leaf.op == "const" and leaf.data is None:
            return (None,)
        if leaf.op == "call":
            component = self.component(leaf)
            if component is not None:
                return (component,)
            derived = self._derived_call(leaf)
            return derived if derived is not None else (UNKNOWN,)
        if leaf.op == "attr":
            return self._derived_attribute(leaf)
        if factory and (
            leaf.op in ("func", "partial", "class") or (leaf.op == "ref" and leaf.dotted)
        ):
            return self._built_by(leaf)
        return (UNKNOWN,)

    def component(self, core: Value) -> Component | None:
        """The component that a constructor call makes; None for any other call."""
        known = self._components.get(core)
        if known is not None:
            return known
        kind = name = None
        cls: Class | None = None
        callees = core.args[0].args if core.args[0].op in ("phi", "after") else (core.args[0],)
        for callee in callees:
            if callee.op == "ref":
                found = catalogue.classify(str(callee.data))
            elif callee.op == "call" and last_name(callee.args[0]) == "getattr":
                # getattr(torch.optim, name)
                module = callee.args[1].dotted if len(callee.args) > 1 else None
                known = module in ("torch.optim", "torch.optim.lr_scheduler")
                found = (_BY_MODULE[str(module)], "Optimizer") if known else None
            elif callee.op == "class":
                cls = callee.data  # type: ignore[assignment]
                found = self.kind_of_class(callee.data)  # type: ignore[arg-type]
            elif callee.op == "attr":
                found = _TRANSFORM_METHODS.get(str(callee.data))
            else:
                found = None
            if found is not None:
                kind, name = found
                break
        if kind is None or name is None:
            return None
        return self._make(kind, name, core, cls)

    def _make(self, kind: str, name: str, core: Value, cls: Class | None = None) -> Component:
        make = Probabilistic if name in PROBABILISTIC else CLASSES[kind]
        component = make(self.pipeline, kind, name, core, cls)
        self._components[core] = component
        return component

    @staticmethod
    def kind_of_class(definition: Class) -> tuple[str, str] | None:
        """(kind, class of TorchRL it derives from) of a class of the project."""
        for base in definition.external_bases():
            found = catalogue.classify(base)
            if found is not None:
                return found
        return None

    # -- components that other components hand out --------------------------------------------
    def _derived_call(self, core: Value) -> Candidates | None:
        callee = core.args[0]
        if callee.op != "attr":
            return None
        name = str(callee.data)
        side = DERIVING.get(name)
        if side is None:
            return None
        out: list[Any] = []
        for owner in self.candidates(callee.args[0]):
            if not isinstance(owner, Module):
                out.append(UNKNOWN)
                continue
            if name.endswith("head"):
                out.extend(owner.parts_of(f"{side}_operator"))
                continue
            part = self._components.get(core)
            if part is None:
                part = Module(self.pipeline, "module", owner.name, core)
                part.parent, part.role = owner, side
                self._components[core] = part
            out.append(part)
        return tuple(out)

    def _derived_attribute(self, core: Value) -> Candidates:
        name = str(core.data)
        wanted = _LOSS_ATTRIBUTES.get(name)
        if wanted is None and name not in (
            "value_estimator",
            "env",
            "policy",
            "base_env",
            "module",
        ):
            return (UNKNOWN,)
        out: list[Any] = []
        for owner in self.candidates(core.args[0]):
            if isinstance(owner, Loss) and wanted is not None:
                out.extend(getattr(owner, wanted))
            elif isinstance(owner, Loss) and name == "value_estimator":
                out.append(self.estimator_of(owner))
            elif isinstance(owner, Component) and owner.kind == "collector":
                out.extend(
                    owner.envs
                    if name == "env"
                    else owner.policies
                    if name == "policy"
                    else (UNKNOWN,)
                )  # type: ignore[attr-defined]
            elif isinstance(owner, Component) and name == "base_env":
                out.extend(owner.bases)  # type: ignore[attr-defined]
            else:
                out.append(UNKNOWN)
        return tuple(dict.fromkeys(out)) or (UNKNOWN,)

    def estimator_of(self, loss: Loss) -> Estimator:
        """The estimator that a loss makes for itself (`make_value_estimator`, or by default)."""
        key = self.file.values.make("attr", (loss.call.core,), "value_estimator")
        known = self._components.get(key)
        if known is None:
            known = Estimator(self.pipeline, "estimator", "GAE", loss.call)
            known.loss = loss
            self._components[key] = known
        assert isinstance(known, Estimator)
        return known

    # -- factories --------------------------------------------------------------------------
    def _built_by(self, leaf: Value) -> Candidates:
        """What a factory builds: the function is run once more, for this use of it."""
        use = self._use
        if use is None:
            return (UNKNOWN,)
        key = (leaf, id(use.node))
        result = self._factories.get(key)
        if result is None:
            if self._depth >= _FACTORY_DEPTH:
                return (UNKNOWN,)
            self._depth += 1
            result, events = self.evaluator.call_later(leaf, use, self._factory_arguments)
            self._depth -= 1
            self._factories[key] = result
            self.events.extend(events)
            self.pipeline.forget_methods()
        return self.candidates(result)

    def built(self, value: Value, use: Component) -> Candidates:
        """What `value` builds when it is a factory, else what it is; `use` is who calls it."""
        outer = self._use, self._factory_arguments
        self._use = use.call.core.data  # type: ignore[assignment]
        self._factory_arguments = self._given_to_factory(use)
        found = self.candidates(value, factory=True)
        self._use, self._factory_arguments = outer
        return found

    def _given_to_factory(self, use: Component) -> dict[str, Value]:
        """What `create_env_kwargs` hands to the factory; `**` where its entries are not seen."""
        value = use.arguments.get("create_env_kwargs")
        if value is None or (value.core.op == "const" and value.core.data is None):
            return {}
        entries = self.pipeline.dictionary(value)
        return {"**": value} if isinstance(entries, Unknown) or entries is None else entries


def is_factory(value: Value) -> bool:
    """Whether a value is something to call: a function, lambda, partial or class."""
    return value.core.op in ("func", "partial", "class")


__all__ = ["Candidates", "Unknown", "Wiring", "is_factory"]
