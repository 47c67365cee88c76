"""A pipeline as boxes, arrows and a story: plain data, what every format draws."""

from __future__ import annotations

from dataclasses import dataclass, field

from ppolint.findings import Diagnostic


@dataclass(slots=True)
class Place:
    """A row of the file, 1-based; `cell` is the cell of a notebook that it counts in."""

    row: int
    cell: int | None = None

    def __str__(self) -> str:
        return f"line {self.row}" if self.cell is None else f"cell {self.cell}, line {self.row}"


@dataclass(slots=True)
class Node:
    """A component. `label` is its name in the code, `details` say how it is set up."""

    id: str
    kind: str
    title: str
    label: str
    place: Place
    details: list[str] = field(default_factory=list)
    findings: list[Diagnostic] = field(default_factory=list)
    elsewhere: bool = False  # built in another file; the place leads to it

    @property
    def heading(self) -> str:
        return f"{self.label} = {self.title}" if self.label else self.title


@dataclass(slots=True)
class Edge:
    """`kind`: "data" flows, or the target "uses" the source. `labels` are keys, then operations."""

    source: str
    target: str
    kind: str
    role: str
    labels: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """A step of the training loop; `depth` counts the loops around it, `opens` says it is one."""

    kind: str
    text: str
    depth: int
    place: Place
    notes: list[str] = field(default_factory=list)
    findings: list[Diagnostic] = field(default_factory=list)
    opens: bool = False


@dataclass(slots=True)
class Chapter:
    """One story: the run of the module, or of a function."""

    name: str
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Graph:
    """What is known of a file; `findings` are those that no node and no line has."""

    path: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)
    findings: list[Diagnostic] = field(default_factory=list)

    def node(self, identity: str) -> Node:
        return next(n for n in self.nodes if n.id == identity)

    def into(self, identity: str) -> list[Edge]:
        """The arrows that end at a node, in order."""
        return [e for e in self.edges if e.target == identity]


def short(diagnostic: Diagnostic) -> str:
    """A finding on one line."""
    message = " ".join(diagnostic.message.split())
    return f"{diagnostic.code} {diagnostic.name}: {message}"
