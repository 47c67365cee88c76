"""Where nodes are: offsets into the text, without the whitespace and comments around a node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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

    @contextmanager
    def record_syntactic_position(
        self, node: Any, *, start_node: Any = None, end_node: Any = None
    ) -> Iterator[None]:
        start = self.position
        yield
        end = self.position
        if start_node is not None:
            start = self.spans[id(start_node)][0]
        if end_node is not None:
            end = self.spans[id(end_node)][1]
        self.spans[id(node)] = (start, end)


def spans(module: cst.Module) -> dict[int, tuple[int, int]]:
    """`id(node)` -> (start, end) in characters, for every node of the module."""
    recorder = _Recorder(module)
    module._codegen(recorder)
    return recorder.spans
