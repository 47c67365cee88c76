"""The model of one file: what the rules ask.

`build(source, project)` parses and evaluates a file once; all rules share the `FileModel`. See
`values.py` for what a value is and `program.py` for loops, sites and events. The usual questions:

    file.calls("torchrl.objectives.ClipPPOLoss")      calls of a function or class, as values
    file.argument(call, 0, "actor_network")           an argument, positional or by keyword
    file.resolve(value)                               what an attribute or name may hold
    file.events                                       the story: calls, stores, binds, in order
    file.of_op("clip"), file.users(value)             computations, and what is computed from them
    file.places(value)                                where a value is computed, as (node, site)
    file.at(node, site)                               the span of a place (the call that leads
                                                      there, when it is in another file)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics.evaluator import Evaluator
from ppolint.semantics.evidence import Program
from ppolint.semantics.parsing import ParseError, parse
from ppolint.semantics.program import CallSite, Class, Event, Frame, Function, Loop, Site
from ppolint.semantics.spans import Spans
from ppolint.semantics.values import Value, alternatives

if TYPE_CHECKING:
    from ppolint.semantics.experience import Rollout
    from ppolint.semantics.names import Names
    from ppolint.semantics.pipeline import Pipeline
    from ppolint.semantics.project import Project
    from ppolint.semantics.recurrence import Recursion
    from ppolint.semantics.steps import Steps
    from ppolint.semantics.surrogate import Surrogate
    from ppolint.source.file import Source

__all__ = ["FileModel", "ParseError", "build", "build_in_part", "build_mended"]


def build(
    source: Source, project: Project | None = None, release: Callable[[], Any] | None = None
) -> FileModel:
    """The model of a file; raises `ParseError` when it is no Python.

    `release` is asked for the TorchRL release when a rule wants to know it: most files are never
    judged by it, and finding it reads the project's lock files.
    """
    text = source.text
    tree = parse(text) if project is None else project.parsed(source.path, text)
    return FileModel(source, tree, project, release)


def build_mended(
    source: Source, project: Project | None = None, release: Callable[[], Any] | None = None
) -> FileModel | None:
    """The model of a file that is no Python only because of its indentation; else None."""
    from ppolint.source.indentation import reindented

    text = reindented(source.text)
    if text is None:
        return None
    try:
        return build(replace(source, text=text), project, release)
    except ParseError:
        return None


def build_in_part(
    source: Source, project: Project | None = None, release: Callable[[], Any] | None = None
) -> FileModel | None:
    """The model of what is Python in a notebook, or in a script made of one; else None."""
    from ppolint.source.broken import without_broken_parts

    text = without_broken_parts(source)
    if text is None:
        return None
    try:
        return build(replace(source, text=text), project, release)
    except ParseError:
        return None


class FileModel:
    """One file, understood."""

    def __init__(
        self,
        source: Source,
        tree: Any,
        project: Project | None,
        release: Callable[[], Any] | None,
    ) -> None:
        self.source = source
        self.tree = tree
        self.project = project
        self._release = release
        self.program = Program(source.text, source.path, project)
        self.searched_project = False
        # Other files matter for programs about RL only: a library is read one file at a time.
        program = self.program
        about = program.is_reinforcement_learning or program.has_loss_shape
        related = project if about else None
        self._evaluator = Evaluator(tree, source.path, related)
        self._evaluator.run()
        self.values = self._evaluator.values

    @property
    def evaluator(self) -> Evaluator:
        """The symbolic execution behind the tables, for the other parts of `semantics`."""
        return self._evaluator

    @cached_property
    def release(self) -> Any:
        """The TorchRL release that the project targets, if known."""
        return None if self._release is None else self._release()

    @cached_property
    def pipeline(self) -> Pipeline:
        """The TorchRL components of the file, how they are wired, and the training loop."""
        from ppolint.semantics.pipeline import Pipeline

        return Pipeline(self)

    @property
    def consulted_project(self) -> bool:
        """Whether an answer depended on which files the project has, or on what is in them."""
        return self.searched_project or self.program.consulted

    # -- tables -----------------------------------------------------------------------------
    @cached_property
    def names(self) -> Names:
        """What every name of the text refers to, by syntax alone."""
        from ppolint.semantics.names import Names

        return Names(self.tree)

    @property
    def events(self) -> list[Event]:
        """Everything that happened, in order of evaluation: the module, then each function."""
        return self._evaluator.events

    @property
    def loops(self) -> list[Loop]:
        return self._evaluator.loops

    @property
    def functions(self) -> list[Function]:
        """The functions and methods defined in this file."""
        return self._evaluator.functions

    @property
    def classes(self) -> list[Class]:
        """The classes defined in this file."""
        return self._evaluator.classes

    def dependencies(self) -> set[str]:
        """Other files that this model was made from."""
        return self._evaluator.dependencies

    @property
    def uses_torch(self) -> bool:
        """Whether the file belongs to a PyTorch program: itself, or through the project."""
        return self.program.uses_torch

    @property
    def is_reinforcement_learning(self) -> bool:
        """Whether the file is about reinforcement learning: itself, or through the project."""
        return self.program.is_reinforcement_learning

    @property
    def trains_policy(self) -> bool:
        """Whether the file is about reinforcement learning, or has a PPO loss itself."""
        return self.is_reinforcement_learning or bool(self.surrogates)

    # -- patterns that several rules look at ------------------------------------------------
    @cached_property
    def surrogates(self) -> list[Surrogate]:
        """Hand-written PPO losses."""
        from ppolint.semantics.surrogate import surrogates

        return surrogates(self)

    @cached_property
    def recursions(self) -> list[Recursion]:
        """Hand-written GAE and returns."""
        from ppolint.semantics.recursion import recursions

        return recursions(self)

    @cached_property
    def rollouts(self) -> list[Rollout]:
        """Hand-made rollout stores and replay memories."""
        from ppolint.semantics.rollouts import rollouts

        return rollouts(self)

    @cached_property
    def steps(self) -> Steps:
        """The calls that step environments."""
        from ppolint.semantics.steps import find_steps

        return find_steps(self)

    # -- values -----------------------------------------------------------------------------
    @cached_property
    def _by_op(self) -> dict[str, list[Value]]:
        table: dict[str, list[Value]] = {}
        for value in self.values._table.values():
            if value.core is value:
                table.setdefault(value.op, []).append(value)
        return table

    def of_op(self, op: str) -> list[Value]:
        """Every value in normal form with this operation, in order of evaluation."""
        return self._by_op.get(op, [])

    @cached_property
    def _users(self) -> dict[Value, list[Value]]:
        table: dict[Value, list[Value]] = {}
        for value in self.values._table.values():
            if value.core is value and value.args:
                args = value.args
                for arg in args if len(args) == 1 else dict.fromkeys(args):
                    users = table.get(arg.core)
                    if users is None:
                        table[arg.core] = [value]
                    else:
                        users.append(value)
        return table

    @cached_property
    def detached(self) -> frozenset[Value]:
        """What gradients are kept from, in normal form."""
        return frozenset(
            value.args[0].core
            for value in self.values._table.values()
            if value.op == "wrap" and value.data in ("detach", "detach_", "data")
        )

    def events_of(self, *kinds: str) -> list[Event]:
        """The events of one kind, or of several, in order of evaluation."""
        known = self._by_kinds
        if kinds not in known:
            known[kinds] = [event for event in self.events if event.kind in kinds]
        return known[kinds]

    @cached_property
    def _by_kinds(self) -> dict[tuple[str, ...], list[Event]]:
        table: dict[tuple[str, ...], list[Event]] = {}
        for event in self.events:
            table.setdefault((event.kind,), []).append(event)
        return table

    @cached_property
    def _by_function(self) -> dict[int, list[Event]]:
        table: dict[int, list[Event]] = {}
        for event in self.events:
            function = event.site.frame.function
            if function is not None:
                table.setdefault(id(function.node), []).append(event)
        return table

    def events_in(self, cls: Class) -> list[Event]:
        """The events in the methods that a class has itself, method by method."""
        table = self._by_function
        return [e for m in cls.methods.values() for e in table.get(id(m.node), ())]

    @cached_property
    def taken_apart(self) -> dict[Value, dict[int, str]]:
        """The variables that the parts of a value are bound to, by their places:
        `a, b = x` gives {x: {0: "a", 1: "b"}}; the first ones, where there are several."""
        table: dict[Value, dict[int, str]] = {}
        for event in self.events:
            core = event.value.core if event.kind == "bind" else None
            if core is not None and core.op == "item":
                place = core.args[1].number
                if isinstance(place, int):
                    table.setdefault(core.args[0].core, {}).setdefault(place, str(event.key))
        return table

    def users(self, value: Value) -> list[Value]:
        """The values in normal form that are directly computed from `value`."""
        return self._users.get(value.core, [])

    def places(self, value: Value) -> list[tuple[Any, Site]]:
        """Where a value is computed, whatever its sign and shape: (node, site) pairs."""
        core = value.core
        if core.op == "neg":
            core = core.args[0]
        return self._evaluator.occurrences.get(core, [])

    def resolve(self, value: Value) -> list[Value]:
        """What a value may be: through attributes of objects, and branches that meet."""
        out: list[Value] = []
        queue = list(alternatives(value))
        seen: set[Value] = set(queue)
        while queue:
            core = queue.pop(0)
            found = self._evaluator.definitions(core) if core.op == "attr" else []
            for definition in found:
                for alternative in alternatives(definition):
                    if alternative not in seen:
                        seen.add(alternative)
                        queue.append(alternative)
            if not found:
                out.append(core)
        return out

    def class_of(self, value: Value) -> Class | None:
        """The class of the project that a value is an instance of, if that is known."""
        return self._evaluator.class_of(value)

    # -- calls ------------------------------------------------------------------------------
    @cached_property
    def _calls(self) -> dict[str, list[Value]]:
        table: dict[str, list[Value]] = {}
        for value in self.of_op("call"):
            name = self.callee(value)
            if name is not None:
                table.setdefault(name, []).append(value)
        return table

    def calls(self, *dotted: str) -> list[Value]:
        """The calls of any of these functions or classes, by the name they are imported under."""
        return [c for name in dotted for c in self._calls.get(name, [])]

    @staticmethod
    def callee(call: Value) -> str | None:
        """The dotted name of what is called, if it is something imported."""
        if call.core.op != "call":
            return None
        for candidate in alternatives(call.core.args[0]):
            if candidate.dotted is not None:
                return candidate.dotted
        return None

    @staticmethod
    def call_site(call: Value) -> CallSite:
        site = call.core.data
        assert isinstance(site, CallSite)
        return site

    @classmethod
    def argument(cls, call: Value, position: int | None, name: str | None) -> Value | None:
        """An argument of a call; None when it is not given (or hidden in `*` or `**`)."""
        site = cls.call_site(call)
        args = call.core.args[1:]
        if position is not None and position < site.positional and not site.star:
            return args[position]
        if name is not None and name in site.keywords:
            return args[site.positional + site.keywords.index(name)]
        return None

    @classmethod
    def keywords(cls, call: Value) -> dict[str, Value]:
        """The keyword arguments of a call."""
        site = cls.call_site(call)
        return dict(zip(site.keywords, call.core.args[1 + site.positional :]))

    @classmethod
    def keyword_node(cls, call: Value, name: str) -> Any:
        """The libcst Arg node of a keyword argument of a call, or None."""
        for arg in getattr(cls.call_site(call).node, "args", ()):
            if arg.keyword is not None and arg.keyword.value == name:
                return arg
        return None

    # -- places -----------------------------------------------------------------------------
    @cached_property
    def _spans(self) -> Spans:
        return Spans(self.tree)

    def span(self, node: Any) -> tuple[int, int]:
        """The offsets of a node of this file."""
        return self._spans.of(node)

    def here(self, node: Any, site: Site) -> tuple[Any, Site]:
        """The place itself, or the call in this file that leads to it from another one."""
        frame: Frame = site.frame
        while not frame.module.main and frame.call_site is not None:
            node, site = frame.call, frame.call_site
            frame = site.frame
        return node, site

    def at(self, node: Any, site: Site) -> tuple[int, int]:
        """The span of a place, in this file."""
        return self.span(self.here(node, site)[0])

    def scope(self, site: Site) -> str:
        """The qualified name of the definition around a place."""
        return site.frame.scope

    def occurrences(self) -> Iterator[tuple[Value, list[tuple[Any, Site]]]]:
        """Every noted value with its places."""
        yield from self._evaluator.occurrences.items()
