"""Where nodes are: offsets into the text, without the whitespace and comments around a node."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst._nodes.expression import _BaseParenthesizedNode
from libcst._nodes.internal import CodegenState

from ppolint.semantics.writers import WRITERS, write


class Recorder(CodegenState):
    """Goes through a module as if to write it out and notes where each node starts and ends."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(
            default_indent=module.default_indent, default_newline=module.default_newline
        )
        self.position = 0
        self.indent = 0
        self.spans: dict[int, tuple[int, int]] = {}
        _prepare()

    def increase_indent(self, value: str) -> None:
        self.indent_tokens.append(value)
        self.indent += len(value)

    def decrease_indent(self) -> None:
        self.indent -= len(self.indent_tokens.pop())

    def add_indent_tokens(self) -> None:
        self.position += self.indent

    def add_token(self, value: str) -> None:
        self.position += len(value)

    def pop_trailing_newline(self) -> None:
        pass

    def record_syntactic_position(
        self, node: Any, *, start_node: Any = None, end_node: Any = None
    ) -> _Recording:
        return _Recording(self, node, start_node, end_node)


class _Recording:
    """What a node writes out while this is entered is its text.

    A class, because it is entered for many nodes: a generator took a quarter of the time.
    """

    __slots__ = ("end_node", "node", "recorder", "start", "start_node")

    def __init__(self, recorder: Recorder, node: Any, start_node: Any, end_node: Any) -> None:
        self.recorder = recorder
        self.node = node
        self.start_node = start_node
        self.end_node = end_node

    def __enter__(self) -> None:
        self.start = self.recorder.position

    def __exit__(self, *error: object) -> None:
        spans = self.recorder.spans
        start, end = self.start, self.recorder.position
        if self.start_node is not None:
            start = spans[id(self.start_node)][0]
        if self.end_node is not None:
            end = spans[id(self.end_node)][1]
        spans[id(self.node)] = (start, end)


_codegen = cst.CSTNode._codegen
_parenthesize = _BaseParenthesizedNode._parenthesize


def _prepare() -> None:
    """Have nodes go to a recorder without detours; for other writers nothing changes."""
    node: Any = cst.CSTNode
    if node._codegen is not _codegen:
        return
    node._codegen = _noted
    in_parentheses: Any = _BaseParenthesizedNode
    in_parentheses._parenthesize = _in_parentheses


def _noted(node: Any, state: Any, **kwargs: Any) -> None:
    if type(state) is not Recorder:
        _codegen(node, state, **kwargs)
        return
    start = state.position
    writer = WRITERS.get(type(node))
    if writer is not None:
        state.position = writer(node, start, state)
        return
    node._codegen_impl(state, **kwargs)
    state.spans.setdefault(id(node), (start, state.position))


def _in_parentheses(node: Any, state: Any) -> Any:
    if node.lpar or node.rpar:
        return _parenthesize(node, state)
    return state.record_syntactic_position(node)


class Spans:
    """The places of a module's nodes, found as they are asked for.

    The text in front of a node has to be gone through to know where the node is, but not what comes
    after the statement that it is in.
    """

    def __init__(self, module: cst.Module) -> None:
        self._recorder = Recorder(module)
        self._rest = iter((*module.header, *module.body, *module.footer))
        self._end = 0

    def of(self, node: cst.CSTNode) -> tuple[int, int]:
        """The (start, end) of a node in characters; `KeyError` when it is not in the module, or
        whitespace."""
        known = self._recorder.spans
        while id(node) not in known:
            part = next(self._rest, None)
            if part is None:
                raise KeyError(node)
            self._end = write(part, self._end, self._recorder)
        return known[id(node)]
