"""The pipeline of a file as a picture: `build.graph_of(model, diagnostics)`, then one module for each
format, with `render(graph) -> str`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ppolint.reporters.graph.model import Graph

# format -> (module, one line of help)
FORMATS = {
    "text": ("text", "a tree for the terminal"),
    "mermaid": ("mermaid", "a Mermaid flowchart, for Markdown pages"),
    "dot": ("dot", "Graphviz"),
    "svg": ("svg", "a drawing; needs no other program"),
    "json": ("as_json", "the graph as data"),
}


def render(graph: Graph, name: str, color: bool = False) -> str:
    """The graph in the format called `name`; ends with a newline."""
    module = importlib.import_module(f"ppolint.reporters.graph.{FORMATS[name][0]}")
    return module.render(graph, color) if name == "text" else module.render(graph)
