"""The TorchRL object graph of a file, and the training loop over it: what PPO3xx-7xx rules ask.

    pipeline = file.pipeline                 (or `Pipeline.of(file)`; built once per file)
    pipeline.losses, .actors, .collectors, .buffers, .estimators, .optimisers, .environments, ...
                                             the components (`components.py`), in order of the code
    pipeline.stories                         the runs through the code (`story.py`): ordered steps
    pipeline.training                        the stories in which a loss is trained
    pipeline.candidates(value)               the components a value may be, UNKNOWN among them
    pipeline.data(value, step)               where data comes from and what was done to it
                                             (`lineage.py`); `step.data` is the usual way to ask
    pipeline.history(step)                   the same, continued through the buffers it came out of
    pipeline.fed(buffer)                     the steps that put data into a buffer
    component.methods("set_keys")            what is done with a component, as steps

What cannot be seen is UNKNOWN (falsy, see `components.py`). Components made inside a helper of this
or another file of the project are seen when the helper is called; `component.here` tells whether
the constructor is in the linted file, `component.span` is always a place in it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics import keys
from ppolint.semantics.components import (
    UNKNOWN,
    Buffer,
    Collector,
    Component,
    Environment,
    Estimator,
    Loss,
    Module,
    Optimiser,
    Probabilistic,
    Scheduler,
    Transform,
    Unknown,
)
from ppolint.semantics.lineage import Data, Lineage, Operation, Path
from ppolint.semantics.narrator import Narrator
from ppolint.semantics.program import Event, Frame
from ppolint.semantics.story import Step, Story, conditions
from ppolint.semantics.values import Value
from ppolint.semantics.wiring import DERIVING, Wiring, is_factory

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_IN_PLACE = {"advantage": "advantage", "forward": "module", "loss": "loss", "write": "write"}


class Pipeline:
    """See the module docstring."""

    def __init__(self, file: FileModel) -> None:
        self.file = file
        self.wiring = Wiring(self)
        self.lineage = Lineage(self)
        self._wrapping: list[Environment] = []  # environments whose transforms are being listed
        self._spreading: list[Transform] = []  # the same for `Compose`
        self._method_index: dict[Component, list[Step]] | None = None

    @classmethod
    def of(cls, file: FileModel) -> Pipeline:
        """The pipeline of a file, built when first asked for."""
        return file.pipeline

    # -- components -------------------------------------------------------------------------
    @cached_property
    def _built(self) -> list[tuple[Component, Frame]]:
        """Every component that any run through the code builds, with the root of that run."""
        out: dict[Component, Frame] = {}
        for event in self.file.events:
            if event.kind not in ("call", "method") or event.value.core.op != "call":
                continue
            component = self.wiring.component(event.value.core)
            if component is None and event.kind == "method" and event.key in DERIVING:
                found = self.candidates(event.value)
                component = next((c for c in found if isinstance(c, Module)), None)
            if component is not None:
                out.setdefault(component, event.site.root)
        return list(out.items())

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """Every component that the stories build, in order; those of factories not included."""
        kept = {id(s.frame) for s in self.stories}
        return tuple(c for c, root in self._built if root.function is None or id(root) in kept)

    @property
    def everything(self) -> tuple[Component, ...]:
        """Every component that any run builds: a constructor may be there several times, once for
        each way to it. For questions to the constructor call alone."""
        return tuple(c for c, _ in self._built)

    def of_kind(self, kind: str) -> list[Any]:
        """The components of a kind ("loss", "collector", ...), in order."""
        return [c for c in self.components if c.kind == kind]

    @property
    def environments(self) -> list[Environment]:
        return self.of_kind("environment")

    @property
    def transforms(self) -> list[Transform]:
        return self.of_kind("transform")

    @property
    def modules(self) -> list[Module]:
        return self.of_kind("module")

    @property
    def actors(self) -> list[Probabilistic]:
        """The modules that draw actions: `ProbabilisticActor` and its parts."""
        return [m for m in self.modules if isinstance(m, Probabilistic)]

    @property
    def collectors(self) -> list[Collector]:
        return self.of_kind("collector")

    @property
    def buffers(self) -> list[Buffer]:
        return self.of_kind("buffer")

    @property
    def estimators(self) -> list[Estimator]:
        return self.of_kind("estimator")

    @property
    def losses(self) -> list[Loss]:
        return self.of_kind("loss")

    @property
    def optimisers(self) -> list[Optimiser]:
        return self.of_kind("optimiser")

    @property
    def schedulers(self) -> list[Scheduler]:
        return self.of_kind("scheduler")

    def candidates(self, value: Value | None, use: Component | None = None) -> tuple:
        """Every component that a value may be, UNKNOWN and None included.

        With `use`, a factory stands for what it builds for that component.
        """
        if value is None:
            return (UNKNOWN,)
        if use is not None:
            return self.wiring.built(value, use.call.core.data)  # type: ignore[arg-type]
        return self.wiring.candidates(value)

    def held(self, base: Value, name: str) -> tuple | None:
        """What the attribute `name` of an object may be; None when nothing is ever assigned to it
        (it is a method then)."""
        attribute = self.file.values.make("attr", (base,), name)
        if self.wiring.evaluator.definitions(attribute.core):
            return self.candidates(attribute)
        return None

    def component(self, value: Value | None) -> Any:
        """The one component that a value is, else UNKNOWN."""
        found = self.candidates(value)
        return found[0] if len(found) == 1 else UNKNOWN

    # -- the stories ------------------------------------------------------------------------
    @cached_property
    def _narrator(self) -> Narrator:
        return Narrator(self)

    @cached_property
    def stories(self) -> list[Story]:
        return self._narrator.tell()

    @property
    def training(self) -> list[Story]:
        """The stories in which a loss is computed and its gradients are taken."""
        return [s for s in self.stories if s.trains]

    @property
    def steps(self) -> list[Step]:
        """The steps of all stories."""
        return [step for story in self.stories for step in story.steps]

    def method_steps(self, component: Component) -> list[Step]:
        """What is done with a component, in all stories and in factories looked into."""
        if self._method_index is None:
            index: dict[Component, list[Step]] = {}
            for step in (*self.steps, *self._factory_steps()):
                for found in step.components:
                    if isinstance(found, Component):
                        index.setdefault(found, []).append(step)
            self._method_index = index
        return self._method_index.get(component, [])

    def forget_methods(self) -> None:
        """A factory was looked into: there is more that is done with components."""
        self._method_index = None

    def _factory_steps(self) -> list[Step]:
        return self._narrator.overhear([*self._narrator.untold, *self.wiring.events])

    def fed(self, buffer: Component) -> list[Step]:
        """The steps that put data into a buffer."""
        return [s for s in self.method_steps(buffer) if s.kind == "extend"]

    # -- data -------------------------------------------------------------------------------
    def iterable(self, value: Value) -> Value:
        """An iterable without what only passes its elements on (tqdm, enumerate, iter)."""
        value = self.lineage.iterated(value)
        while value.op == "fn" and value.data == "enumerate":
            value = self.lineage.iterated(value.args[0])
        return value.core

    @cached_property
    def _in_place(self) -> dict[Value, list[Step]]:
        table: dict[Value, list[Step]] = {}
        for step in self.steps:
            if step.kind in _IN_PLACE and step.operand is not None:
                table.setdefault(step.operand, []).append(step)
        return table

    @cached_property
    def _created(self) -> dict[Value, int]:
        """Value -> index of the event that first made it."""
        out: dict[Value, int] = {}
        for at, event in enumerate(self.file.events):
            if event.kind in ("call", "method"):
                out.setdefault(event.value, at)
        return out

    def data(self, value: Value | None, step: Step | None = None) -> Data:
        """Where `value` comes from and what was done to it, up to `step`."""
        if value is None:
            return Data(self.file.values.none)
        self.stories  # noqa: B018 - in-place operations are known once the stories are told
        paths = self.lineage.paths(value)
        if step is not None:
            paths = tuple(self._with_in_place(p, step) for p in paths)
        return Data(value, paths)

    def _with_in_place(self, path: Path, until: Step) -> Path:
        before = until.conditions
        created = self._created
        out: list[Operation] = []
        count = len(path.operations)
        for position in range(count + 1):
            limit = until.index
            if position < count:
                made = path.operations[position].value
                limit = min(limit, created.get(made, limit)) if made is not None else limit
            found: list[tuple[int, Operation]] = []
            for value in {v for n, v in path.aliases if n == position}:
                for step in self._in_place.get(value, ()):
                    if step.index < limit:
                        found.append((step.index, self._operation(step, before)))
                for at, event in self._narrator.unseen.get(value, ()):
                    if at < limit and event.value is not until.operand:
                        name = event.base.dotted if event.base is not None else None
                        found.append((at, Operation("opaque", name or "", in_place=True)))
            found.sort(key=lambda pair: pair[0])
            out.extend(o for _, o in found)
            if position < count:
                out.append(path.operations[position])
        return Path(
            path.origin, path.value, path.component, path.via, path.loop, tuple(out), path.carried,
            path.aliases,
        )  # fmt: skip

    @staticmethod
    def _operation(step: Step, before: tuple) -> Operation:
        component = step.component if step.components else None
        name = step.name if step.kind == "write" else getattr(component, "name", "")
        return Operation(
            _IN_PLACE[step.kind], name, step.result, component, in_place=True, args=step.args,
            step=step, conditional=any(c not in before for c in step.conditions),
        )  # fmt: skip

    def history(self, step: Step) -> list[Path]:
        """The paths of a step's data, continued through the buffers that it came out of.

        A path that was sampled from a buffer is replaced by one for each step that fed the buffer,
        with an operation `sample` (component: the buffer) where it came out again.
        """
        return [q for p in step.data.paths for q in self._back(p, 3)]

    def _back(self, path: Path, depth: int) -> list[Path]:
        if path.origin != "buffer" or depth == 0 or not isinstance(path.component, Component):
            return [path]
        out: list[Path] = []
        drawn = Operation("sample", path.via, path.value, path.component)
        for step in self.fed(path.component):
            for source in step.data.paths:
                for whole in self._back(source, depth - 1):
                    out.append(
                        Path(
                            whole.origin, whole.value, whole.component, whole.via, whole.loop,
                            (*whole.operations, drawn, *path.operations),
                            (*whole.carried, *path.carried),
                        )
                    )  # fmt: skip
        return out or [path]

    # -- values as rules want them ------------------------------------------------------------
    def resolved(self, value: Value) -> list[Value]:
        """The values behind names, attributes and branches."""
        return self.wiring.leaves(value)

    def constant(self, value: Value | Unknown | None) -> Any:
        """The Python constant a value is (None too), or UNKNOWN."""
        if value is None or isinstance(value, Unknown):
            return value
        found = self.wiring.leaves(value)
        if len(found) == 1 and found[0].op in ("const", "bool"):
            return found[0].data
        return UNKNOWN

    def text(self, value: Value | Unknown | None) -> str | Unknown | None:
        found = self.constant(value)
        return found if isinstance(found, (str, Unknown)) or found is None else UNKNOWN

    def number(self, value: Value | Unknown | None) -> float | int | Unknown | None:
        """The number a value is, or UNKNOWN."""
        found = self.constant(value)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return found
        return None if found is None and value is None else UNKNOWN

    def same(self, a: Value | Unknown | None, b: Value | Unknown | None) -> bool:
        """Whether two values are certainly the same: one expression, or one known number."""
        if not isinstance(a, Value) or not isinstance(b, Value):
            return False
        if a.core is b.core:
            return True
        left, right = self.wiring.leaves(a), self.wiring.leaves(b)
        return len(left) == len(right) == 1 and left[0] is right[0]

    def dotted(self, value: Value | Unknown | None) -> str | Unknown | None:
        """The dotted name of a class or function given as a value; UNKNOWN for several."""
        if value is None or isinstance(value, Unknown):
            return value
        names = {leaf.dotted for leaf in self.wiring.leaves(value)}
        only = names.pop() if len(names) == 1 else None
        return only if only is not None else UNKNOWN

    def enum_member(self, value: Value | Unknown | None) -> str | Unknown | None:
        """"RANDOM" for `ExplorationType.RANDOM`, `InteractionType.RANDOM` and "random"."""
        if value is None or isinstance(value, Unknown):
            return value
        names: set[str] = set()
        for leaf in self.wiring.leaves(value):
            if leaf.dotted is not None:
                names.add(leaf.dotted.rpartition(".")[2])
            elif leaf.string is not None:
                names.add(leaf.string.upper())
            elif leaf.op == "call" and str(leaf.args[0].data).endswith("Type.from_str"):
                names.add((leaf.args[1].string or "").upper())
            else:
                return UNKNOWN
        return names.pop() if len(names) == 1 else UNKNOWN

    def dictionary(self, value: Value | Unknown | None) -> Any:
        """The entries of a dict display by string key; UNKNOWN when it is not a plain one."""
        if value is None or isinstance(value, Unknown):
            return value
        found = self.wiring.leaves_of_container(value)
        if len(found) != 1 or found[0].op != "alloc":
            none = len(found) == 1 and found[0].op == "const" and found[0].data is None
            return None if none else UNKNOWN
        site: Any = found[0].data
        if site.kind != "dict" or site.entries is None or found[0] in self.wiring.stored:
            return UNKNOWN
        if len(site.items or ()) != len(site.entries):
            return UNKNOWN
        return dict(site.entries)

    def given(self, call: Value, *names: str) -> Value | None:
        """The first of these keyword arguments that a call has."""
        if call.core.op != "call":
            return None
        found = self.file.keywords(call)
        return next((found[n] for n in names if n in found), None)

    def is_instance(self, value: Value) -> bool | Unknown:
        """Whether a value is an object rather than a factory; a lambda that returns an existing
        object (`lambda: env`) counts as the object."""
        leaves = self.wiring.leaves(value)
        if any(is_factory(leaf) for leaf in leaves):
            return self._returns_existing(leaves)
        found = self.candidates(value)
        return True if all(isinstance(c, Component) for c in found) else UNKNOWN

    def _returns_existing(self, leaves: list[Value]) -> bool | Unknown:
        import libcst as cst

        for leaf in leaves:
            if leaf.op != "func":
                return False
            node = leaf.data.node  # type: ignore[attr-defined]
            if isinstance(node, cst.Lambda) and isinstance(node.body, (cst.Name, cst.Attribute)):
                return True
        return False

    # -- what components ask ------------------------------------------------------------------
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
        return keys.parse_keys(self, value)

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
            common = parent.parts_of("common_operator") if parent.argument("common_operator") else ()
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
                    return all([self._gather(p, out, depth + 1) for p in parts])
            return False
        if core.op == "comp":
            return self._gather(core.args[1], out, depth + 1)
        if core.op == "alloc":
            site: Any = core.data
            entries = site.entries
            if site.kind == "dict":
                return bool(entries) and "params" in entries and self._gather(entries["params"], out, depth + 1)
        if core.op == "fn" and core.data == "star":
            return self._gather(core.args[0], out, depth + 1)
        if core.op == "add":  # list(a.parameters()) + list(b.parameters())
            return all([self._gather(v, out, depth + 1) for v in core.args])
        further = self.wiring._further(core)
        return bool(further) and all([self._gather(v, out, depth + 1) for v in further])

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


__all__ = ["UNKNOWN", "Component", "Event", "Pipeline"]
