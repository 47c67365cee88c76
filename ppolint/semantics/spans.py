"""Where nodes are: offsets into the text, without the whitespace and comments around a node."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState


class _Recorder(CodegenState):
    """Writes a module out and notes where each node starts and ends."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(
            default_indent=module.default_indent, default_newline=module.default_newline
        )
        self.position = 0
        self.spans: dict[int, tuple[int, int]] = {}
        self._starts: list[int] = []

    def add_indent_tokens(self) -> None:
        self.position += sum(map(len, self.indent_tokens))

    def add_token(self, value: str) -> None:
        self.position += len(value)

    def pop_trailing_newline(self) -> None:
        pass

    def before_codegen(self, node: Any) -> None:
        self._starts.append(self.position)

    def after_codegen(self, node: Any) -> None:
        self.spans.setdefault(id(node), (self._starts.pop(), self.position))

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


class Spans:
    """The places of a module's nodes, found as they are asked for.

    The text in front of a node has to be written out to know where the node is, but not what comes
    after the statement that it is in.
    """

    def __init__(self, module: cst.Module) -> None:
        self._recorder = _Recorder(module)
        self._rest = iter((*module.header, *module.body, *module.footer))

    def of(self, node: cst.CSTNode) -> tuple[int, int]:
        """The (start, end) of a node in characters; `KeyError` when it is not in the module."""
        known = self._recorder.spans
        while id(node) not in known:
            part = next(self._rest, None)
            if part is None:
                raise KeyError(node)
            part._codegen(self._recorder)
        return known[id(node)]
