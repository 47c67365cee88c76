"""From a value to the components it may be: through names, attributes, containers and factories.

`Wiring.candidates(value)` is the question everything else of the pipeline is built on. It answers
with every component that the value may hold, with None for a Python `None`, and with UNKNOWN for
anything it cannot see.
"""

from __future__ import annotations

from functools import cached_property
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
from ppolint.semantics.program import AllocSite, CallSite, Class, Event
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

# Methods of modules, environments and losses that return the object itself.
_SELF_METHODS = frozenset(
    "eval train share_memory share_memory_ requires_grad_ append_transform insert_transform apply "
    "compile half bfloat16 to_empty register_forward_hook set_keys select_out_keys memmap_ "
    "lock_ unlock_ to_module __enter__".split()
)
# Functions that return their first argument, or something that stands for it.
_WRAPPERS = frozenset(
    "compile compile_with_warmup CudaGraphModule DataParallel DistributedDataParallel EnvCreator "
    "env_creator CloudpickleWrapper script closing".split()
)
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
_MAX_NESTING = 6

Candidates = tuple  # of Component, UNKNOWN and None


class Wiring:
    """The resolver of one file; `events` collects what happened inside factories."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.file = pipeline.file
        self.evaluator = pipeline.file.evaluator
        self.events: list[Event] = []
        self._components: dict[Value, Component] = {}
        self._candidates: dict[Value, Candidates] = {}
        self._factories: dict[tuple[Value, int], Value] = {}
        self._use: CallSite | None = None
        self._factory_arguments: dict[str, Value] = {}
        self._open: set[Value] = set()
        self._stored: dict[Value, list[Value]] | None = None
        self._depth = 0
        self._nesting = 0

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

    def leaves(self, value: Value) -> list[Value]:
        """The values behind a value that no further name, branch or container leads away from."""
        out: list[Value] = []
        queue = [value.core]
        seen: set[Value] = set()
        while queue and len(seen) < 400:
            core = queue.pop(0)
            if core in seen:
                continue
            seen.add(core)
            further = self._further(core)
            if further is None:
                out.append(core)
            else:
                queue.extend(v.core for v in further)
        return out

    def _further(self, core: Value) -> list[Value] | None:
        """Where a value comes from, one step back; None when it is a leaf."""
        op = core.op
        if op in ("phi", "after", "and", "or"):
            return list(core.args)
        if op == "where":
            return list(core.args[1:])
        if op == "carry":
            return self.carried(core)
        if op == "attr":
            return self.evaluator.definitions(core) or None
        if op in ("item", "elem"):
            if self._nesting >= _MAX_NESTING:
                return None
            self._nesting += 1
            found = self._item(core) if op == "item" else self.contents(core.args[0])
            self._nesting -= 1
            return found
        if op == "call":
            return self._through_call(core)
        if op == "comp":
            element = core.args[0].core
            return [element.args[-1]] if element.op == "tuple" and element.args else [element]
        if op == "fn" and core.data in ("repeat", "cat"):
            return [a for a in core.args if a.number is None]
        if op == "alloc":
            inside = self.contents(core)
            return inside or None
        return None

    def carried(self, core: Value) -> list[Value] | None:
        """The values a loop variable may have at the start of an iteration."""
        loop = self.evaluator.loops[core.data[0]]  # type: ignore[index]
        for carried in loop.carried.values():
            if carried.start.core is core:
                return [carried.init, carried.step]
        return [core.args[0]] if core.args else None

    def _item(self, core: Value) -> list[Value] | None:
        base, index = core.args
        key = index.string
        for leaf in self.leaves(base):
            if leaf.op == "alloc" and key is not None:
                site = leaf.data
                assert isinstance(site, AllocSite)
                if site.entries and key in site.entries:
                    return [site.entries[key]]
        if index.op == "slice":
            return [base]
        if base.core.op == "elem" and index.number == 1:
            pairs = base.core.args[0].core
            if pairs.op == "call" and pairs.args[0].op == "attr" and pairs.args[0].data == "items":
                return self.contents(pairs)
        return self.contents(base)

    def contents(self, container: Value) -> list[Value] | None:
        """What lists, dicts and comprehensions hold, and what is put in later; None for others."""
        out: list[Value] = []
        known = False
        for leaf in self.leaves_of_container(container):
            if leaf.op == "alloc":
                site = leaf.data
                assert isinstance(site, AllocSite)
                if site.kind != "deque":
                    out.extend(site.items or ())
                out.extend(self.stored.get(leaf, ()))
                known = True
            elif leaf.op == "tuple":
                out.extend(leaf.args)
                known = True
            elif leaf.op == "comp" or (leaf.op == "fn" and leaf.data in ("repeat", "cat")):
                out.extend(self._further(leaf) or ())
                known = True
        return out if known else None

    def leaves_of_container(self, container: Value) -> list[Value]:
        """Like `leaves`, but stopping at containers, and through their views (`d.items()`)."""
        out: list[Value] = []
        queue = [container.core]
        seen: set[Value] = set()
        while queue and len(seen) < 200:
            core = queue.pop(0)
            if core in seen:
                continue
            seen.add(core)
            if core.op in ("alloc", "tuple", "comp") or core.op == "fn":
                out.append(core)
                continue
            if core.op == "call":
                callee = core.args[0]
                if callee.op == "attr" and callee.data in ("values", "items", "keys"):
                    queue.append(callee.args[0].core)
                    continue
                if _last(callee) in ("ModuleList", "ModuleDict", "list", "dict", "tuple", "iter"):
                    queue.extend(a.core for a in core.args[1:2])
                    continue
                if callee.op == "func" and callee.data in self._returned:
                    # too deep to be looked into: what the function returns when run on its own
                    queue.extend(self._returned[callee.data])
                    continue
            further = self._further(core)
            if further is None:
                out.append(core)
            else:
                queue.extend(v.core for v in further)
        return out

    @cached_property
    def _returned(self) -> dict[Any, list[Value]]:
        """Function of this file -> what it returns, its parameters unknown."""
        out: dict[Any, list[Value]] = {}
        for event in self.file.events:
            frame = event.site.frame
            if event.kind == "return" and frame.caller is None and frame.function is not None:
                out.setdefault(frame.function, []).append(event.value.core)
        return out

    @property
    def stored(self) -> dict[Value, list[Value]]:
        """Container -> what is put into it after it is made."""
        if self._stored is None:
            self._stored = {}
            for event in self.file.events:
                base = event.base
                if base is None:
                    continue
                if event.kind == "store":
                    value = event.value
                elif event.kind == "method" and event.args and event.key in ("append", "insert"):
                    value = event.args[-1]
                elif event.kind == "method" and event.args and event.key == "extend":
                    value = event.args[0]  # a container, or something unseen that stands for one
                else:
                    continue
                owners = [base.core]
                if base.core.op != "alloc":
                    if base.core.op == "attr":
                        owners = [d.core for d in self.evaluator.definitions(base.core)]
                    elif base.core.op in ("phi", "carry", "after"):
                        owners = [a for a in self.leaves(base) if a.op == "alloc"]
                values = [value]
                if event.kind == "method" and event.key == "extend":
                    values = self.contents(value) or values
                for owner in owners:
                    if owner.op == "alloc":
                        self._stored.setdefault(owner, []).extend(values)
        return self._stored

    # -- calls ------------------------------------------------------------------------------
    def _through_call(self, core: Value) -> list[Value] | None:
        callee = core.args[0]
        if callee.op == "attr":
            if callee.data in _SELF_METHODS:
                return [callee.args[0]]
            return None
        if callee.op == "ref" and _last(callee) in _WRAPPERS and len(core.args) > 1:
            return [core.args[1]]
        return None

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
            elif callee.op == "call" and _last(callee.args[0]) == "getattr":
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


def _last(callee: Value) -> str:
    return str(callee.data).rpartition(".")[2] if callee.op == "ref" else ""


def is_factory(value: Value) -> bool:
    """Whether a value is something to call: a function, lambda, partial or class."""
    return value.core.op in ("func", "partial", "class")


__all__ = ["Candidates", "Unknown", "Wiring", "is_factory"]
