"""Definitions: functions and classes of a file, kept to be run with unknown arguments."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics.cells import is_cell
from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import Class, Frame, Function, Site
from ppolint.semantics.values import Value


class Definitions:
    """The part of the evaluator that defines functions and classes; mixed into `Evaluator`."""

    values: Values
    frame: Frame
    site: Site

    def _function(self, node: Any) -> bool:
        frame = self.frame
        if node.decorators and frame.function is None and frame is frame.module.frame:
            if is_cell(node, frame.module.tree):
                self.exec_suite(node.body)  # type: ignore[attr-defined]
                return False
        function = self._define(node, None)
        self.bind(node.name.value, self.values.make("func", (), function), node)
        return False

    def _define(self, node: Any, cls: Class | None) -> Function:
        decorators = tuple(self.eval(d.decorator) for d in node.decorators)
        name = node.name.value
        outer = cls.qualname if cls is not None else self.frame.scope
        function = Function(
            name,
            f"{outer}.{name}" if outer else name,
            node,
            self.frame.module,
            self.frame if cls is None else self.frame.lexical,
            cls,
            decorators,
        )
        function.defaults = self._defaults(node.params)
        function.contexts = tuple(d for d in decorators if d.op in ("call", "ref"))
        self._register(function)
        return function

    def _defaults(self, params: Any) -> dict[str, Value]:
        out: dict[str, Value] = {}
        for param in (*params.posonly_params, *params.params, *params.kwonly_params):
            if param.default is not None:
                out[param.name.value] = self.eval(param.default)
        return out

    def _register(self, function: Function) -> None:
        """Queue a definition of the linted file for its run with unknown arguments, once."""
        if function.module.main and id(function.node) not in self._seen_definitions:
            self._seen_definitions[id(function.node)] = function
            self.functions.append(function)
            self._pending.append(function)

    def _class(self, node: Any) -> bool:
        bases = tuple(self.resolved(self.eval(arg.value)) for arg in node.bases)
        outer = self.frame.scope
        name = node.name.value
        known = self._seen_definitions.get(id(node))
        cls = known or Class(
            name, f"{outer}.{name}" if outer else name, node, self.frame.module, bases
        )
        if known is None and self.frame.module.main:
            self._seen_definitions[id(node)] = cls
            self.classes.append(cls)
        body = Frame(None, self.frame.module, self.frame, self.frame.caller)
        body.call_site = self.frame.call_site
        enclosing, site = self.frame, self.site
        self.frame = body
        for statement in node.body.body:
            if type(statement) is cst.FunctionDef:
                self.site = self._site(statement)
                function = self._define(statement, cls)
                if known is None:
                    cls.methods.setdefault(statement.name.value, function)
                    cls.methods[statement.name.value] = function
                body.env[statement.name.value] = self.values.make("func", (), function)
            else:
                self.exec_block([statement])
        self.frame, self.site = enclosing, site
        if known is None:
            cls.constants = {
                k: v for k, v in body.env.items() if isinstance(k, str) and v.op != "func"
            }
        self.bind(name, self.values.make("class", (), cls), node)
        return False
