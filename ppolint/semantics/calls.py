"""Calls: pure operations, helpers that are looked into, instances, and the opaque rest."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics import operations
from ppolint.semantics.inlining import Inlining
from ppolint.semantics.instances import Instances
from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import (
    CallSite,
    Carried,
    Class,
    Frame,
    ModuleInfo,
    Site,
    State,
)
from ppolint.semantics.values import Value

# Functions that return their argument made faster.
_COMPILERS = frozenset({"compile", "compile_with_warmup", "CudaGraphModule", "script"})
_DICTS = frozenset({"builtins.dict", "collections.defaultdict", "collections.OrderedDict"})
_LISTS = frozenset({"builtins.list", "collections.deque"})
# What an environment written in the same file does inside a step is not the learner's story.
_ENVIRONMENT_METHODS = frozenset({"step"})
_TENSOR_LIBRARIES = frozenset({"torch", "numpy"})
_DIMENSIONS = frozenset({"dim", "axis"})
# How many arguments these take at most: what `*bounds` has to be.
_ARITY = {
    "clamp": 3, "clip": 3, "clamp_": 3, "clip_": 3, "hardtanh": 3, "where": 3,
    "minimum": 2, "maximum": 2, "min": 2, "max": 2,
}  # fmt: skip
_TRIES_OF_TORCH = frozenset(
    f"ray.rllib.utils{part}.try_import_torch" for part in ("", ".framework")
)
_PARTIALS = frozenset({"functools.partial", "functools.partialmethod"})


class Calls(Inlining, Instances):
    """The part of the evaluator that applies functions; mixed into `Evaluator`."""

    values: Values
    frame: Frame
    site: Site
    heap: State
    modules: dict[str, ModuleInfo]
    self_classes: dict[Value, Class]
    work: int

    def call(self, node: Any) -> Value:
        """The value of a Call node."""
        func = node.func
        receiver: Value | None = None
        name: str | None = None
        if type(func) is cst.Attribute:
            receiver = self.eval(func.value)  # type: ignore[attr-defined]
            name = func.attr.value
            if receiver.op == "ref":
                callee = self.resolved(self.values.attr(receiver, name))
                receiver = None
            else:
                callee = self.values.attr(receiver, name)
        else:
            callee = self.resolved(_on_any_device(self.eval(func)))  # type: ignore[attr-defined]
        positional: list[Value] = []
        keywords: dict[str, Value] = {}
        star = double_star = False
        for arg in node.args:
            value = self.eval(arg.value)  # type: ignore[attr-defined]
            if arg.star == "*":
                called = name or (callee.dotted or "").rpartition(".")[2]
                parts = self._unpacked(value, called, len(positional) + (receiver is not None))
                if parts is not None:
                    positional.extend(parts)
                else:
                    star = True
                    positional.append(value)
            elif arg.star == "**":
                double_star = True
                entries = getattr(value.core.data, "entries", None)
                if value.core.op == "alloc" and entries:
                    keywords.update({k: e for k, e in entries.items() if isinstance(k, str)})
                else:
                    keywords["**"] = value
            elif arg.keyword is not None:
                keywords[arg.keyword.value] = value
            else:
                positional.append(value)
        if "**" not in keywords:
            double_star = False
        if receiver is not None:
            assert name is not None
            result = self._apply_method(
                callee, receiver, name, positional, keywords, node, star, double_star
            )
            self.emit(  # type: ignore[attr-defined]
                "method", node, result, base=receiver, key=name, args=tuple(positional)
            )
            return result
        result = self.apply(callee, positional, keywords, node, star, double_star)
        if result.op in ("call", "alloc") or callee.op in ("func", "class"):
            self.emit("call", node, result, base=callee, args=tuple(positional))  # type: ignore[attr-defined]
        return result

    def _unpacked(self, value: Value, called: str, given: int) -> tuple[Value, ...] | None:
        """What `*value` stands for, where its length is known: by itself, or by what is called."""
        if value.core.op == "tuple":
            return value.core.args
        missing = _ARITY.get(called, 0) - given
        if missing <= 0:
            return None
        literal = operations.elements(value)
        if literal is not None:
            return literal if len(literal) == missing else None
        if not given:
            return None
        item = self.item  # type: ignore[attr-defined]
        return tuple(item(value, self.values.const(at)) for at in range(missing))

    # -- what is called ---------------------------------------------------------------------
    def apply(
        self,
        callee: Value,
        args: list[Value],
        kw: dict[str, Value],
        node: Any,
        star: bool = False,
        double_star: bool = False,
    ) -> Value:
        """The value of `callee(*args, **kw)`."""
        op = callee.op
        if op in ("phi", "after"):
            callee = next((a for a in callee.args if a.op in ("ref", "func", "class")), callee)
            op = callee.op
        elif op == "where":
            callee = next((a for a in callee.args[1:] if a.op == "func"), callee)
            op = callee.op
        if op == "ref":
            result = None if star or double_star else self._apply_ref(callee, args, kw, node)
            return (
                self._opaque(callee, args, kw, node, star, double_star)
                if result is None
                else result
            )
        if op == "func" and not star:
            result = self.inline(callee.data, args, kw, node)  # type: ignore[arg-type]
            if result is not None:
                return result
        elif op == "class":
            return self._instantiate(callee, args, kw, node, star, double_star)
        elif op == "partial":
            site = callee.data
            assert isinstance(site, CallSite)
            bound = callee.args[1 : 1 + site.positional]
            named = dict(zip(site.keywords, callee.args[1 + site.positional :]))
            return self.apply(
                callee.args[0], [*bound, *args], {**named, **kw}, node, star, double_star
            )
        elif op == "attr":
            return self._apply_method(
                callee, callee.args[0], str(callee.data), args, kw, node, star, double_star
            )
        else:
            result = self._call_instance(callee, args, kw, node, star)
            if result is not None:
                return result
        return self._opaque(callee, args, kw, node, star, double_star)

    def _apply_ref(
        self, callee: Value, args: list[Value], kw: dict[str, Value], node: Any
    ) -> Value | None:
        dotted = callee.dotted
        assert dotted is not None
        v = self.values
        if dotted in _LISTS:
            if not args or (dotted == "collections.deque" and args[0].op == "alloc"):
                kind = "list" if dotted == "builtins.list" else "deque"
                bound = kw.get("maxlen", args[1] if len(args) > 1 else None)
                return self.allocate(kind, node, items=(bound,) if bound is not None else ())  # type: ignore[attr-defined]
        elif dotted in _DICTS:
            kind = "defaultdict" if dotted.endswith("defaultdict") else "dict"
            return self.allocate(kind, node, entries=dict(kw), items=tuple(kw.values()))  # type: ignore[attr-defined]
        elif dotted == "builtins.set" and not args:
            return self.allocate("set", node, items=())  # type: ignore[attr-defined]
        elif dotted in _PARTIALS and args:
            site = CallSite(node, self.site, len(args) - 1, tuple(kw))
            return v.make("partial", (self.resolved(args[0]), *args[1:], *kw.values()), site)
        elif dotted == "builtins.getattr" and len(args) >= 2 and args[1].string is not None:
            return self.attribute(args[0], args[1].string, node)  # type: ignore[attr-defined]
        elif dotted == "builtins.setattr" and len(args) == 3 and args[1].string is not None:
            self.set_attribute(args[0], args[1].string, args[2], node)  # type: ignore[attr-defined]
            return v.none
        elif dotted == "builtins.map" and len(args) == 2:
            return self._map(args[0], args[1], node)
        elif dotted == "itertools.accumulate" and len(args) >= 2:
            return self._fold(args[1], args[0], kw.get("initial", args[0]), node)
        elif dotted == "functools.reduce" and len(args) >= 2:
            return self._fold(args[0], args[1], args[2] if len(args) > 2 else args[1], node)
        elif dotted in _TRIES_OF_TORCH:  # torch, nn = try_import_torch()
            return v.make("tuple", (v.ref("torch"), v.ref("torch.nn")))
        elif dotted == "typing.cast" and len(args) == 2:
            return args[1]
        return operations.function(v, dotted, args, kw)

    def _map(self, function: Value, iterable: Value, node: Any) -> Value:
        loop = self.enter_loop("comprehension", node, iterable)  # type: ignore[attr-defined]
        element = self.apply(function, [self.element(iterable, loop)], {}, node)  # type: ignore[attr-defined]
        self.frame.loop = loop.parent
        self.note(element, node)  # type: ignore[attr-defined]
        return self.values.make("comp", (element, iterable), loop.bit)

    def _fold(self, function: Value, iterable: Value, init: Value, node: Any) -> Value:
        """`reduce` and `accumulate`: a loop that carries its accumulator."""
        loop = self.enter_loop("for", node, iterable)  # type: ignore[attr-defined]
        v = self.values
        start = v.make("carry", (), (loop.bit, "accumulator"), loops=loop.mask)
        step = self.apply(function, [start, self.element(iterable, loop)], {}, node)  # type: ignore[attr-defined]
        self.frame.loop = loop.parent
        loop.carried["accumulator"] = Carried(
            "accumulator", loop, start, init, step, node, self.site
        )
        return v.make("after", (init, step), loop.bit)

    def _apply_method(
        self,
        callee: Value,
        receiver: Value,
        name: str,
        args: list[Value],
        kw: dict[str, Value],
        node: Any,
        star: bool,
        double_star: bool,
    ) -> Value:
        core = receiver.core
        if core.op == "call" and core.args[0].dotted == "builtins.super":
            result = self._super(name, args, kw, node)
            return result or self._opaque(callee, args, kw, node, star, double_star)
        cls = self.class_of(receiver)
        own = self.frame.self_value is not None and self.frame.self_value.core is core
        if cls is not None and name in _ENVIRONMENT_METHODS and args and cls.method(name):
            # An object that calls its own method is an agent that takes a step of its optimiser.
            cls = cls if own else None
        if cls is not None:
            function = cls.method(name)
            if function is not None and not star:
                bound = args if function.is_static else [receiver, *args]
                result = self.inline(function, bound, kw, node)
                if result is not None:
                    return result
            held = self.attribute(receiver, name, node)  # type: ignore[attr-defined]
            if function is None:
                held = self._callable_behind(callee, held)
            if held.op in ("func", "class", "partial", "ref", "call") or (
                held.op == "attr" and held is not callee and function is None
            ):
                return self.apply(held, args, kw, node, star, double_star)
            if function is not None:
                return self._opaque(callee, args, kw, node, star, double_star)
        elif receiver.op == "class":
            function = receiver.data.method(name)  # type: ignore[attr-defined]
            if function is not None and not star:
                bound = [receiver, *args] if function.is_class_method else args
                result = self.inline(function, bound, kw, node)
                if result is not None:
                    return result
        if name == "register_buffer" and len(args) >= 2 and args[0].string is not None:
            self.set_attribute(receiver, args[0].string, args[1], node)  # type: ignore[attr-defined]
        held = self.heap.get((core, name))
        if held is not None and held.op in ("func", "partial", "ref"):
            return self.apply(held, args, kw, node, star, double_star)
        # self.tanh(x) may be a module that an object holds: no operation on the object
        part = held is not None or (cls is not None and self._has_attribute(receiver, name))  # type: ignore[attr-defined]
        if not double_star and receiver.op != "alloc" and not part:
            if not star:
                result = operations.method(self.values, name, receiver, args, kw)
            else:  # x.view(-1, *x.shape[1:]): whatever the shape, the numbers stay
                result = operations.reshaped(self.values, name, receiver, args)
            if result is not None:
                return result
        return self._opaque(callee, args, kw, node, star, double_star)

    def _callable_behind(self, callee: Value, held: Value) -> Value:
        """The function or method an attribute stands for, through compilers and choices:
        `self.step = torch.compile(self._step) if fast else self._step`."""
        queue = [held] if held is not callee else list(self.definitions(callee))
        for option in queue:
            if len(queue) > 16:
                break
            core = option.core
            if core.op == "where":
                queue.extend(core.args[1:])
            elif core.op in ("phi", "after"):
                queue.extend(core.args)
            elif core.op == "call" and len(core.args) > 1:
                name = core.args[0].dotted or ""
                if name.rpartition(".")[2] in _COMPILERS:
                    queue.append(core.args[1])
                elif name in operations.MODULES:
                    return core
            elif core.op in ("func", "partial"):
                return core
            elif core.op == "attr" and core is not callee.core:
                cls = self.class_of(core.args[0])
                if cls is not None and cls.method(str(core.data)) is not None:
                    return core
        return held

    def _super(self, name: str, args: list[Value], kw: dict[str, Value], node: Any) -> Value | None:
        function = self.frame.function
        if function is None or function.cls is None or self.frame.self_value is None:
            return None
        for cls in function.cls.lineage()[1:]:
            found = cls.methods.get(name)
            if found is not None and name == "__init__" and not found.module.main:
                # what another file sets up is not looked for here
                return None
            if found is not None:
                return self.inline(found, [self.frame.self_value, *args], kw, node)
        return None

    def _call_instance(
        self, callee: Value, args: list[Value], kw: dict[str, Value], node: Any, star: bool
    ) -> Value | None:
        if star:
            return None
        cls = self.class_of(callee)
        if cls is None:
            core = callee.core
            if core.op != "call" or core.args[0].dotted is None:
                return None
            if core.args[0].dotted == "builtins.getattr":
                # getattr(torch, "mean" or "prod", whichever)(x, dim=-1)
                chosen = core.args[1].dotted in _TENSOR_LIBRARIES and not _DIMENSIONS.isdisjoint(kw)
                return self.values.make("reduce", (args[0],), "chosen") if chosen and args else None
            if len(args) != 1:
                return None
            site: CallSite = core.data  # type: ignore[assignment]
            given = core.args[1 : 1 + site.positional]
            named = dict(zip(site.keywords, core.args[1 + site.positional :]))
            return operations.module(self.values, core.args[0].dotted, (given, named), args[0])
        function = cls.method("__call__") or cls.method("forward")
        if function is None:
            return None
        return self.inline(function, [callee, *args], kw, node)

    def _instantiate(
        self,
        callee: Value,
        args: list[Value],
        kw: dict[str, Value],
        node: Any,
        star: bool,
        double_star: bool,
    ) -> Value:
        cls: Class = callee.data  # type: ignore[assignment]
        instance = self._opaque(callee, args, kw, node, star, double_star)
        init = cls.method("__init__")
        if init is not None and not star:
            self.inline(init, [instance, *args], kw, node)
        return instance

    def _opaque(
        self,
        callee: Value,
        args: list[Value],
        kw: dict[str, Value],
        node: Any,
        star: bool = False,
        double_star: bool = False,
    ) -> Value:
        """A call of which only its own identity is known."""
        extra: tuple[Value, ...] = ()
        if "**" in kw:
            extra = (kw["**"],)
            kw = {k: value for k, value in kw.items() if k != "**"}
        site = CallSite(node, self.site, len(args), tuple(kw), star, double_star)
        return self.values.make("call", (callee, *args, *kw.values(), *extra), site)


def _on_any_device(callee: Value) -> Value:
    """One name for `torch.cuda.FloatTensor if on_gpu else torch.FloatTensor`."""
    if callee.op not in ("phi", "where"):
        return callee
    names = [(part.dotted or "").split(".") for part in callee.args[callee.op == "where" :]]
    if all(name[0] == "torch" and name[-1] == names[0][-1] for name in names):
        return min(callee.args[callee.op == "where" :], key=lambda part: len(part.dotted or ""))
    return callee
