"""Where the data of a step comes from, and what was done to it on the way.

A TensorDict has an origin (a collector's batch, a rollout, a sample of a buffer, ...) and a chain
of operations since. Branches give several paths.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Component
from ppolint.semantics.paths import Operation, Path
from ppolint.semantics.program import AllocSite
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

# Kinds of Operation.wraps by the method or function that makes them.
WRAPS = {
    **dict.fromkeys(("reshape", "view", "flatten", "ravel"), "reshape"),
    **dict.fromkeys(("to", "cpu", "cuda", "pin_memory"), "device"),
    **dict.fromkeys(("detach", "detach_", "clone", "contiguous", "copy", "deepcopy"), "copy"),
    **dict.fromkeys(("float", "double", "half", "bfloat16", "int", "long", "bool", "type"), "cast"),
}
# TensorDict methods that return (a part of) the same rows, in the same order.
_SAME_ROWS = frozenset(
    "select exclude set set_ update update_ set_default setdefault pop_ apply apply_ named_apply rename_key_ rename_key "
    "flatten_keys unflatten_keys lock_ unlock_ consolidate refine_names auto_batch_size_ "
    "auto_device_ share_memory_ memmap_ replace empty to_tensordict densify_ rename_ "
    "filter_non_tensor_data zero_ __enter__".split()
)
_ITERATORS = frozenset(
    "iter next tqdm trange track islice cycle prefetch list tuple enumerate auto".split()
)
_CHUNKS = frozenset("split chunk unbind".split())


class Lineage:
    """Traces values back to their origins; without what was done to them in place."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.file = pipeline.file
        self._paths: dict[Value, tuple[Path, ...]] = {}
        self._open: set[Value] = set()
        self._cycles = 0  # how often a value led back to itself: such answers are not kept

    def paths(self, value: Value) -> tuple[Path, ...]:
        known = self._paths.get(value)
        if known is not None:
            return known
        if value in self._open or len(self._open) > 120:
            self._cycles += 1
            return ()
        cycles = self._cycles
        self._open.add(value)
        found = tuple(
            replace(p, aliases=(*p.aliases, (len(p.operations), value)))
            for p in self._trace(value)[:12]
        )
        self._open.discard(value)
        if cycles == self._cycles or not self._open:
            self._paths[value] = found
        return found

    def _extend(self, value: Value, base: Value, operation: Operation) -> list[Path]:
        operation.value = value
        return [replace(p, operations=(*p.operations, operation)) for p in self.paths(base)]

    def _trace(self, value: Value) -> list[Path]:
        op = value.op
        handler = _HANDLERS.get(op)
        if handler is not None:
            return handler(self, value)
        if op in (
            "add",
            "mul",
            "div",
            "neg",
            "cmp",
            "not",
            "reduce",
            "const",
            "bool",
            "exp",
            "log",
        ):
            return [Path("computed", value)]
        return [Path("unknown", value, UNKNOWN)]

    # -- names ------------------------------------------------------------------------------
    def _phi(self, value: Value) -> list[Path]:
        return [p for a in value.args for p in self.paths(a)]

    def _after(self, value: Value) -> list[Path]:
        return list(self.paths(value.args[1])) or list(self.paths(value.args[0]))

    def _where(self, value: Value) -> list[Path]:
        return [p for a in value.args[1:] for p in self.paths(a)]

    def _carry(self, value: Value) -> list[Path]:
        loop = self.pipeline.wiring.evaluator.loops[value.data[0]]  # type: ignore[index]
        for carried in loop.carried.values():
            if carried.start is value:
                return [replace(p, carried=(*p.carried, carried)) for p in self.paths(carried.init)]
        return [Path("unknown", value, UNKNOWN)]

    def _parameter(self, value: Value) -> list[Path]:
        return [Path("parameter", value, UNKNOWN)]

    def _attribute(self, value: Value) -> list[Path]:
        definitions = self.pipeline.wiring.evaluator.definitions(value)
        if definitions:
            return [p for d in definitions for p in self.paths(d)]
        return [Path("unknown", value, UNKNOWN)]

    # -- operations -------------------------------------------------------------------------
    def _wrap(self, value: Value) -> list[Path]:
        name = str(value.data)
        kind = "index" if name == "index" else WRAPS.get(name, "shape")
        return self._extend(value, value.args[0], Operation(kind, name, args=value.args[1:]))

    def _item(self, value: Value) -> list[Path]:
        base, index = value.args
        key = literal(index)
        core = base.core
        if core.op == "elem":
            # element 1 of an enumerate that the evaluator did not see through
            inner = self.iterated(self._as_written(core))
            if inner.op == "fn" and inner.data == "enumerate" and index.number == 1:
                return self._from_iterable(value, self.iterated(inner.args[0]), core.data)
        if core.op == "call" and key is None:
            method = core.args[0]
            if method.op == "attr" and method.data == "step_and_maybe_reset":
                return self.paths(base) and list(self.paths(base))
            if method.op == "attr" and method.data == "sample" and index.number is not None:
                return self._extend(value, base, Operation("index", "unpacked", args=(index,)))
        wiring = self.pipeline.wiring
        inside = wiring.member(base, index) or wiring.contents(base)
        if inside is not None:
            return [p for v in inside for p in self.paths(v)]
        if key is not None:
            return self._extend(value, base, Operation("key", key))
        name = "int" if index.number is not None else "slice" if index.op == "slice" else "tensor"
        if index.op == "tuple":
            name = "tuple"
        return self._extend(value, base, Operation("index", name, args=(index,)))

    def _function(self, value: Value) -> list[Path]:
        name = str(value.data)
        if name in ("stack", "cat"):
            inside = self.pipeline.wiring.contents(value.args[0])
            if inside:
                return [p for v in inside for p in self._extend(value, v, Operation(name, name))]
            return [Path("unknown", value, UNKNOWN)]
        if name in ("gather", "index_select", "masked_select", "flip"):
            return self._extend(value, value.args[0], Operation("index", name, args=value.args[1:]))
        return [Path("computed", value)]

    def _element(self, value: Value) -> list[Path]:
        iterable = self.iterated(self._as_written(value))
        return self._from_iterable(value, iterable, value.data)

    def _as_written(self, value: Value) -> Value:
        """The iterable of an element with its changes of shape: elements keep the core only."""
        wanted = value.args[0].core
        loop = self.pipeline.wiring.evaluator.loops[value.data]  # type: ignore[index]
        queue = [loop.iterable] if loop.iterable is not None else []
        for _ in range(12):
            if not queue:
                break
            found = queue.pop(0)
            if found.core is wanted:
                return found
            if found.op in ("wrap", "fn"):
                queue.extend(found.args)
            elif found.op == "call":
                queue.extend(found.args[1:2])
        return value.args[0]

    def iterated(self, value: Value) -> Value:
        """An iterable without what only passes its elements on: tqdm, iter, list."""
        for _ in range(6):
            if value.op == "wrap" and value.data in ("list", "tuple"):
                value = value.args[0]
            elif value.op == "call" and len(value.args) > 1 and value.args[0].op == "ref":
                if str(value.args[0].data).rpartition(".")[2] not in _ITERATORS:
                    break
                value = value.args[1]
            else:
                break
        return value

    def _from_iterable(self, value: Value, iterable: Value, bit: Any) -> list[Path]:
        loop = self.pipeline.wiring.evaluator.loops[bit] if isinstance(bit, int) else None
        out: list[Path] = []
        for component in self.pipeline.candidates(iterable):
            if isinstance(component, Component) and component.kind in ("collector", "buffer"):
                out.append(Path(component.kind, value, component, "iteration", loop))
        if out:
            return out
        core = iterable.core
        if iterable.op == "call" and iterable.args[0].dotted == "torch.utils.data.DataLoader":
            rows = Operation("index", "DataLoader", args=iterable.args[2:])
            return self._extend(value, iterable.args[1], rows)
        if iterable.op == "call" and iterable.args[0].op == "attr":
            name, base = str(iterable.args[0].data), iterable.args[0].args[0]
            if name in _CHUNKS:
                return self._extend(value, base, Operation("chunk", name, args=iterable.args[1:]))
            if name == "iterator":
                return self._from_iterable(value, base, bit)
        if core.op == "fn" and core.data in ("range", "len", "enumerate", "zip"):
            return [Path("computed", value)]
        inside = self.pipeline.wiring.contents(iterable)
        if inside is not None:
            return [p for v in inside for p in self.paths(v)] or [Path("container", value)]
        if core.op == "call" and core.args[0].op == "func":
            # a generator of the project: rows of what it was given, in an order not seen
            name = core.args[0].data.name  # type: ignore[attr-defined]
            return self._through(value, iterable.args[1:], name)
        return [Path("unknown", value, UNKNOWN, "iteration", loop)]

    def _container(self, value: Value) -> list[Path]:
        site = value.data
        assert isinstance(site, AllocSite)
        return [Path("container", value)]

    # -- calls ------------------------------------------------------------------------------
    def _call(self, value: Value) -> list[Path]:
        if self.pipeline.wiring.component(value) is not None:
            return [Path("unknown", value, UNKNOWN)]
        callee = value.args[0]
        args = value.args[1:]
        if callee.op == "ref":
            return self._named(value, str(callee.data), args)
        found = None
        if callee.op == "attr":
            found = self.pipeline.held(callee.args[0], str(callee.data))
            if found is None:
                return self._method(value, callee.args[0], str(callee.data), args)
        for component in found or self.pipeline.candidates(callee):
            if not isinstance(component, Component) or not args:
                continue
            kind = {"estimator": "advantage", "loss": "loss", "module": "module"}.get(
                component.kind
            )
            if kind is not None:
                operation = Operation(kind, component.name, component=component)
                return self._extend(value, args[0], operation)
        return self._through(value, args, getattr(callee.data, "name", ""))

    def _named(self, value: Value, dotted: str, args: tuple[Value, ...]) -> list[Path]:
        name = dotted.rpartition(".")[2]
        if name == "next" and args:
            iterable = self.iterated(args[0])
            return self._from_iterable(value, iterable, None)
        if name in ("TensorDict", "from_dict", "LazyStackedTensorDict", "make_tensordict"):
            return [Path("new", value, via=name)]
        if name == "split_trajectories" and args:
            return self._extend(value, args[0], Operation("split", name))
        if name == "step_mdp" and args:
            return self._extend(value, args[0], Operation("step_mdp", name))
        if name in ("randperm", "arange", "zeros", "ones", "rand", "randn", "randint"):
            return [Path("computed", value)]
        return self._through(value, args, dotted)

    def _through(self, value: Value, args: tuple[Value, ...], name: str) -> list[Path]:
        """The result of something unseen: perhaps the data it was given, changed in any way."""
        for arg in args:
            found = [
                p for p in self._extend(value, arg, Operation("opaque", name))
                if p.origin not in ("unknown", "computed", "container")
            ]  # fmt: skip
            if found:
                return found
        return [Path("unknown", value, UNKNOWN)]

    def _method(self, value: Value, base: Value, name: str, args: tuple[Value, ...]) -> list[Path]:
        for component in self.pipeline.candidates(base):
            if not isinstance(component, Component):
                continue
            kind = component.kind
            if kind == "environment":
                if name in ("rollout", "reset", "rand_step", "rand_action", "fake_tensordict"):
                    return [
                        Path("rollout" if name == "rollout" else "reset", value, component, name)
                    ]
                if name in ("step", "step_and_maybe_reset") and args:
                    return self._extend(
                        value, args[0], Operation("step", name, component=component)
                    )
                if name in ("step_mdp", "maybe_reset", "_step_mdp") and args:
                    return self._extend(value, args[0], Operation("step_mdp", name))
            elif kind == "buffer" and name in ("sample", "next"):
                return [Path("buffer", value, component, name)]
            elif kind == "collector" and name in ("next", "rollout", "iterator"):
                return [Path("collector", value, component, name)]
            elif kind in ("estimator", "loss", "module") and args and name in _CALLING:
                operation = {"estimator": "advantage", "loss": "loss", "module": "module"}[kind]
                if name == "value_estimator":
                    operation = "advantage"
                return self._extend(
                    value, args[0], Operation(operation, component.name, component=component)
                )
        if name in _SAME_ROWS:
            return self._extend(value, base, Operation("method", name, args=args))
        if name in ("get", "pop", "get_at") and args and literal(args[0]) is not None:
            return self._extend(value, base, Operation("key", literal(args[0])))
        if name in _CHUNKS:
            return self._extend(value, base, Operation("chunk", name, args=args))
        if name in ("keys", "values", "items", "numel", "size", "dim", "tolist", "format"):
            return [Path("computed", value)]
        return self._through(value, (base, *args), name)


_CALLING = frozenset({"forward", "__call__", "value_estimator", "get_dist", "get_dist_params"})


def literal(index: Value) -> Any:
    """The key of `td["a"]` or `td["a", "b"]`: a string, a tuple of strings, or None."""
    if index.string is not None:
        return index.string
    if index.op == "tuple" and index.args and all(a.string is not None for a in index.args):
        return tuple(a.string for a in index.args) if len(index.args) > 1 else index.args[0].string
    return None


_HANDLERS = {
    "phi": Lineage._phi,
    "after": Lineage._after,
    "where": Lineage._where,
    "carry": Lineage._carry,
    "param": Lineage._parameter,
    "attr": Lineage._attribute,
    "wrap": Lineage._wrap,
    "item": Lineage._item,
    "fn": Lineage._function,
    "elem": Lineage._element,
    "alloc": Lineage._container,
    "call": Lineage._call,
}
