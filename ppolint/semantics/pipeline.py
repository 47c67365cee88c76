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

from ppolint.semantics.assembly import Assembly
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
)
from ppolint.semantics.lineage import Lineage
from ppolint.semantics.narrator import Narrator
from ppolint.semantics.paths import Data, Operation, Path
from ppolint.semantics.program import Frame
from ppolint.semantics.readers import Readers
from ppolint.semantics.story import Step, Story
from ppolint.semantics.values import Value
from ppolint.semantics.wiring import DERIVING, Wiring

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_IN_PLACE = {"advantage": "advantage", "forward": "module", "loss": "loss", "write": "write"}


class Pipeline(Readers, Assembly):
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
            return self.wiring.built(value, use)
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
    def _created(self) -> dict[Value, list[int]]:
        """Value -> the events that made it: two spellings of `batch.reshape(-1)` are one value."""
        out: dict[Value, list[int]] = {}
        for at, event in enumerate(self.file.events):
            if event.kind in ("call", "method"):
                out.setdefault(event.value, []).append(at)
        return out

    def _made_at(self, value: Value | None, before: int) -> int:
        """The last event before `before` that made a value; `before` when none is known."""
        found = [at for at in self._created.get(value, ()) if at <= before]  # type: ignore[arg-type]
        return found[-1] if found else before

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
        out: list[Operation] = []
        count = len(path.operations)
        for position in range(count + 1):
            limit = until.index
            if position < count:
                made = path.operations[position].value
                limit = self._made_at(made, limit)
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


__all__ = ["UNKNOWN", "Component", "Pipeline"]
