"""Where nodes are: offsets into the text, without the whitespace and comments around a node."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst._nodes.expression import _BaseParenthesizedNode
from libcst._nodes.internal import CodegenState


class _Recorder(CodegenState):
    """Writes a module out and notes where each node starts and ends."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(
            default_indent=module.default_indent, default_newline=module.default_newline
        )
        self.position = 0
        self.spans: dict[int, tuple[int, int]] = {}
        _prepare()

    def add_indent_tokens(self) -> None:
        self.position += sum(map(len, self.indent_tokens))

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

    A class, because it is entered for every node: a generator took a quarter of the time.
    """

    __slots__ = ("end_node", "node", "recorder", "start", "start_node")

    def __init__(self, recorder: _Recorder, node: Any, start_node: Any, end_node: Any) -> None:
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
    """Have nodes write themselves out to a recorder without detours; for other writers nothing
    changes. Two of five nodes are whitespace, whose place nobody asks for."""
    node: Any = cst.CSTNode
    if node._codegen is not _codegen:
        return
    node._codegen = _noted
    in_parentheses: Any = _BaseParenthesizedNode
    in_parentheses._parenthesize = _in_parentheses
    whitespace: Any = cst.SimpleWhitespace
    whitespace._codegen = _passed
    tokens: tuple[Any, ...] = (cst.Name, cst.SimpleString, cst.Integer, cst.Float)
    for token in tokens:
        token._codegen = _token


def _noted(node: Any, state: Any, **kwargs: Any) -> None:
    if type(state) is not _Recorder:
        _codegen(node, state, **kwargs)
        return
    start = state.position
    node._codegen_impl(state, **kwargs)
    state.spans.setdefault(id(node), (start, state.position))


def _passed(node: Any, state: Any) -> None:
    if type(state) is not _Recorder:
        _codegen(node, state)
        return
    state.position += len(node.value)


def _token(node: Any, state: Any, **kwargs: Any) -> None:
    if type(state) is not _Recorder or node.lpar or kwargs:
        _noted(node, state, **kwargs)
        return
    start = state.position
    state.position = end = start + len(node.value)
    state.spans[id(node)] = (start, end)


def _in_parentheses(node: Any, state: Any) -> Any:
    if node.lpar or node.rpar:
        return _parenthesize(node, state)
    return state.record_syntactic_position(node)


class Spans:
    """The places of a module's nodes, found as they are asked for.

    The text in front of a node has to be written out to know where the node is, but not what comes
    after the statement that it is in.
    """

    def __init__(self, module: cst.Module) -> None:
        self._recorder = _Recorder(module)
        self._rest = iter((*module.header, *module.body, *module.footer))

    def of(self, node: cst.CSTNode) -> tuple[int, int]:
        """The (start, end) of a node in characters; `KeyError` when it is not in the module, or
        whitespace."""
        known = self._recorder.spans
        while id(node) not in known:
            part = next(self._rest, None)
            if part is None:
                raise KeyError(node)
            part._codegen(self._recorder)
        return known[id(node)]
