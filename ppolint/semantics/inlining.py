"""Inlining: helpers and methods that are looked into, with their parameters bound."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import CallSite, Event, Frame, Function, Site, State
from ppolint.semantics.values import Value

MAX_DEPTH = 5
# Expressions evaluated inside of helpers before they are no longer looked into.
_BUDGET = 40_000


class Inlining:
    """The part of the evaluator that looks into what is called; mixed into `Evaluator`."""

    values: Values
    frame: Frame
    site: Site
    heap: State
    events: list[Event]
    work: int
    looked_into: Any

    def inline(
        self, function: Function, args: list[Value], kw: dict[str, Value], node: Any
    ) -> Value | None:
        """What `function` returns for these arguments; None where it is not looked into."""
        frame = self.frame
        if frame.depth >= MAX_DEPTH or self.work > _BUDGET or function.is_abstract:
            return None
        caller: Frame | None = frame
        while caller is not None:
            if caller.function is not None and caller.function.node is function.node:
                return None
            caller = caller.caller
        inner = Frame(
            function,
            function.module,
            function.parent,
            frame,
            node,
            self.site,
            depth=frame.depth + 1,
        )
        inner.contexts = function.contexts
        if not self._bind_parameters(inner, function, args, kw):
            return None
        self._execute(inner, function.node)  # type: ignore[attr-defined]
        if inner.yields:
            return None
        self.looked_into = node
        returned = [r for r in inner.returns if r is not self.values.none]
        return self.values.phi(returned) if returned else self.values.none

    def call_later(
        self, callee: Value, use: CallSite, kw: dict[str, Value]
    ) -> tuple[Value, list[Event]]:
        """What `callee(**kw)` returns, run once more after everything else, and what happens in it.

        For factories that other code will call: `use` is the call that was given the factory.
        """
        around = use.site.frame
        frame = Frame(
            around.function, around.module, around.lexical, around.caller, around.call,
            around.call_site, env=around.env,
        )  # fmt: skip
        saved = (self.frame, self.site, self.events, self.heap)
        events: list[Event] = []
        self.frame, self.site, self.events, self.heap = frame, use.site, events, State()
        result = self.apply(self.resolved(callee), [], dict(kw), use.node)
        self.frame, self.site, self.events, self.heap = saved
        return result, events

    def _bind_parameters(
        self, frame: Frame, function: Function, args: list[Value], kw: dict[str, Value]
    ) -> bool:
        params = function.node.params
        plain = [*params.posonly_params, *params.params]
        if len(args) > len(plain) and not type(params.star_arg) is cst.Param:
            return False
        env = frame.env
        rest = dict(kw)
        for at, param in enumerate(plain):
            name = param.name.value
            if at < len(args):
                env[name] = args[at]
                if at == 0 and function.cls is not None and not function.is_static:
                    frame.self_value = args[0]
            else:
                env[name] = self._argument(function, name, rest)
        for param in params.kwonly_params:
            env[param.name.value] = self._argument(function, param.name.value, rest)
        if type(params.star_arg) is cst.Param:
            env[params.star_arg.name.value] = self.values.make("tuple", tuple(args[len(plain) :]))
        if params.star_kwarg is not None:
            rest.pop("**", None)
            env[params.star_kwarg.name.value] = self.allocate(  # type: ignore[attr-defined]
                "dict", frame.call, entries=rest, items=tuple(rest.values())
            )
        return True

    def _argument(self, function: Function, name: str, kw: dict[str, Value]) -> Value:
        if name in kw:
            return kw.pop(name)
        default = function.defaults.get(name)
        if default is not None and "**" not in kw:
            return default
        return self.values.make("param", (), (id(function.node), name))
