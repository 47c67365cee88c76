"""From the pipeline model to the graph that is drawn: which boxes, which arrows, which lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ppolint.findings import Diagnostic
from ppolint.reporters.graph.describe import (
    describe_step,
    details_of,
    key_list,
    operation_texts,
    short_title,
)
from ppolint.reporters.graph.model import Chapter, Edge, Graph, Line, Node, Place
from ppolint.semantics import keys
from ppolint.semantics.components import Component, Environment, Module
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.story import Step, Story

# What is drawn as a box, in the order data flows.
KINDS = ("environment", "module", "collector", "estimator", "buffer", "loss", "optimiser")
_TOLD = frozenset(
    "collect rollout advantage extend sample empty loss backward clip step zero_grad schedule "
    "check forward env_step write".split()
)
_METHODS_TOLD = frozenset(
    "update_policy_weights_ shutdown close init_stats reset_states make_value_estimator".split()
)


def graph_of(model: FileModel, diagnostics: Iterable[Diagnostic] = ()) -> Graph:
    """The graph of a file, with its findings in place."""
    return _Builder(model).build(list(diagnostics))


class _Builder:
    def __init__(self, model: FileModel) -> None:
        self.model = model
        self.pipeline = model.pipeline
        self.graph = Graph(model.source.path.replace("\\", "/"))
        self._nodes: dict[Component, Node] = {}
        self._rollouts: dict[Any, Node] = {}
        self._merged: dict[tuple, Node] = {}
        self._spans: dict[str, tuple[int, int]] = {}

    def build(self, diagnostics: list[Diagnostic]) -> Graph:
        for component in self._drawn():
            self._node(component)
        for component in list(self._nodes):
            self._wire(component)
        lines: list[tuple[Line, Any]] = []
        for story in self.pipeline.stories:
            self._roll(story)
            self._flow(story)
            lines.extend(self._tell(story))
        self._drop_idle()
        self._place(diagnostics, lines)
        return self.graph

    def _drop_idle(self) -> None:
        """Take out what a helper elsewhere builds for itself: nothing in this file uses it."""
        used = {e.source for e in self.graph.edges} | {e.target for e in self.graph.edges}
        self.graph.nodes = [n for n in self.graph.nodes if n.id in used or not n.elsewhere]

    # -- boxes ------------------------------------------------------------------------------
    def _drawn(self) -> list[Component]:
        """The components worth a box: whole environments and modules, not what is inside them."""
        components = self.pipeline.components
        inner: set[Any] = set()
        for component in components:
            if isinstance(component, Environment):
                inner.update(c for c in component.wrapped if c is not component)
            elif isinstance(component, Module):
                inner.update(component.parts)
                inner.add(component.parent)
        used = self._used()
        found = [c for c in components if c.kind in KINDS and (c not in inner or c in used)]
        found += [c for c in used if c not in found and c.kind in KINDS]
        return sorted(found, key=lambda c: KINDS.index(c.kind))

    def _used(self) -> dict[Component, None]:
        """What collectors, losses and estimators hold: those have a box even as a part."""
        used: dict[Component, None] = {}
        for component in self.pipeline.components:
            for attribute in ("envs", "policies", "actors", "critics"):
                for found in getattr(component, attribute, ()):
                    if isinstance(found, Component):
                        used[found] = None
            found = getattr(component, "critic", None) if component.kind == "estimator" else None
            if isinstance(found, Component):
                used[found] = None
        return used

    def _node(self, component: Component) -> Node:
        known = self._nodes.get(component)
        if known is not None:
            return known
        title = short_title(component)
        identity = (component.kind, component.label, component.span, component.here or title)
        if not component.here and component.kind == "environment":
            # the branches of a helper are one box
            identity = (component.kind, component.label, component.span)
        node = self._merged.get(identity)
        if node is None:
            place = self._place_of(component.span[0])
            node = self._new(component.kind, title, component.label, place, details_of(component))
            node.elsewhere = not component.here
            self._merged[identity] = node
            if component.here:
                self._spans[node.id] = component.span
        elif title not in node.title.split(" or "):
            node.title = f"{node.title} or {title}"
        self._nodes[component] = node
        return node

    def _new(self, kind: str, title: str, label: str, place: Place, details: list[str]) -> Node:
        node = Node(f"n{len(self.graph.nodes) + 1}", kind, title, label, place, details)
        self.graph.nodes.append(node)
        return node

    def _roll(self, story: Story) -> None:
        """A box for each rollout, with its environment and policy."""
        for step in story.of("rollout"):
            known = [c for c in step.components if isinstance(c, Component)]
            if not known:
                continue
            notes = describe_step(step)[1]
            place = self._place_of(step.span[0])
            node = self._merged.get(("rollout", step.span))
            if node is None:
                node = self._new(
                    "rollout", "rollout", "", place, [", ".join(notes)] if notes else []
                )
                self._merged[("rollout", step.span)] = node
            self._rollouts[step.result] = node
            for env in known:
                self._edge(env, node, "data", "env", [])
            policy = step.argument(1, "policy")
            for found in self.pipeline.candidates(policy) if isinstance(policy, Value) else ():
                self._edge(found, node, "uses", "policy", [])

    def _place_of(self, offset: int) -> Place:
        cell, row, _ = self.model.source.position(offset)
        return Place(row, cell)

    # -- arrows -----------------------------------------------------------------------------
    def _edge(self, source: Any, target: Any, kind: str, role: str, labels: list[str]) -> None:
        ends = []
        for end in (source, target):
            if isinstance(end, Component) and end.kind in KINDS:
                end = self._node(end)
            if not isinstance(end, Node):
                return
            ends.append(end.id)
        for edge in self.graph.edges:
            if [edge.source, edge.target, edge.role] == [*ends, role]:
                edge.labels.extend(text for text in labels if text not in edge.labels)
                return
        if ends[0] != ends[1]:
            self.graph.edges.append(Edge(*ends, kind, role, labels))

    def _wire(self, component: Component) -> None:
        if component.kind == "collector":
            for env in component.envs:  # type: ignore[attr-defined]
                wanted = [keys.module_keys(p)[0].found for p in component.policies]  # type: ignore[attr-defined]
                read = sorted({k for found in wanted for k in found}, key=str)
                self._edge(env, component, "data", "env", key_list(read))
            for policy in component.policies:  # type: ignore[attr-defined]
                self._edge(
                    policy, component, "uses", "policy", _written(policy, "loc", "scale", "logits")
                )
        elif component.kind == "estimator":
            critic = component.critic  # type: ignore[attr-defined]
            self._edge(critic, component, "uses", "critic", _written(critic))
        elif component.kind == "loss":
            for actor in component.actors:  # type: ignore[attr-defined]
                self._edge(actor, component, "uses", "actor", [])
            for critic in component.critics:  # type: ignore[attr-defined]
                self._edge(critic, component, "uses", "critic", _written(critic))
        elif component.kind == "optimiser":
            members = component.members  # type: ignore[attr-defined]
            for member in members:
                if member is not component:
                    self._edge(member, component, "uses", "member", [])
            for owner in component.optimises if component in members else ():  # type: ignore[attr-defined]
                if owner.kind != "loss":
                    self._edge(owner, component, "uses", "parameters", [])

    def _flow(self, story: Story) -> None:
        """The arrows that data takes: from where it comes to where it goes."""
        for step in story.of("advantage", "extend", "loss"):
            for target in step.components:
                if isinstance(target, Component):
                    target = self._estimator(step, target)
                    for path in step.data.paths:
                        self._follow(path, target)
        for step in story.of("backward"):
            objective = step.objective
            for loss in objective.losses:
                terms = [t.key for t in objective.terms if t.loss is loss]
                for optimiser in self._driven_by(loss, story):
                    self._edge(loss, optimiser, "data", "gradients", list(dict.fromkeys(terms)))

    def _driven_by(self, loss: Any, story: Story) -> list[Any]:
        """The optimisers that step what a loss is of; when none is known to, those with parameters
        that cannot be seen."""
        stepped = [s.component for s in story.of("step") if isinstance(s.component, Component)]
        owned: set[Any] = {loss}
        for network in (*getattr(loss, "actors", ()), *getattr(loss, "critics", ())):
            if isinstance(network, Module):
                owned |= {network, network.parent, *network.walk()}
        known = [o for o in stepped if owned & set(getattr(o, "optimises", ()))]
        return known or [o for o in stepped if not getattr(o, "complete", True)]

    def _estimator(self, step: Step, target: Component) -> Component:
        if step.kind == "advantage" and target.kind == "loss":
            return self.pipeline.wiring.estimator_of(target)  # type: ignore[arg-type]
        return target

    def _follow(self, path: Any, target: Component) -> None:
        source: Any = self._rollouts.get(path.value, path.component)
        since = list(path.operations)
        labels: list[str] = []
        for at, operation in enumerate(path.operations):
            if operation.kind == "advantage" and isinstance(operation.component, Component):
                if operation.component is target:
                    continue
                source, since = operation.component, list(path.operations[at + 1 :])
                if source.kind == "loss":
                    source = self.pipeline.wiring.estimator_of(source)
                labels = key_list(sorted(keys.estimator_writes(source).found, key=str))
        role = "minibatch" if getattr(source, "kind", "") == "buffer" else "batch"
        self._edge(source, target, "data", role, [*labels, *operation_texts(since)])

    # -- the loop ---------------------------------------------------------------------------
    def _tell(self, story: Story) -> list[tuple[Line, Any]]:
        steps = [s for s in story.steps if s.kind in _TOLD or s.method in _METHODS_TOLD]
        if not any(s.kind in ("loss", "collect", "advantage", "rollout") for s in steps):
            return []
        chapter = Chapter(story.name)
        out: list[tuple[Line, Any]] = []
        told: set[tuple] = set()
        for step in steps:
            text, notes = describe_step(step)
            if not text or (step.kind, step.span, text) in told:
                continue
            told.add((step.kind, step.span, text))
            opens = step.loop is not None
            depth = len(step.loops) - (1 if opens else 0)
            line = Line(step.kind, text, depth, self._place_of(step.span[0]), notes, opens=opens)
            chapter.lines.append(line)
            out.append((line, step))
        if chapter.lines:
            self.graph.chapters.append(chapter)
        return out

    # -- findings ---------------------------------------------------------------------------
    def _place(self, diagnostics: list[Diagnostic], lines: list[tuple[Line, Any]]) -> None:
        """Each finding once: at the step of its row, else in the smallest component around it."""
        for diagnostic in diagnostics:
            line = next((ln for ln, _ in lines if _on(diagnostic, ln.place)), None)
            if line is not None:
                line.findings.append(diagnostic)
                continue
            node = self._around(diagnostic)
            (node.findings if node is not None else self.graph.findings).append(diagnostic)

    def _around(self, diagnostic: Diagnostic) -> Node | None:
        best: tuple[int, Node] | None = None
        for node in self.graph.nodes:
            span = self._spans.get(node.id)
            if span is None:
                continue
            first, last = self._place_of(span[0]), self._place_of(max(span[0], span[1] - 1))
            inside = diagnostic.cell == first.cell and first.row <= diagnostic.row <= last.row
            if inside and (best is None or span[1] - span[0] < best[0]):
                best = (span[1] - span[0], node)
        return best[1] if best is not None else None


def _on(diagnostic: Diagnostic, place: Place) -> bool:
    return diagnostic.row == place.row and diagnostic.cell == place.cell


def _written(module: Any, *hidden: str) -> list[str]:
    """The keys a module writes that the next one reads: not the parameters of its distribution."""
    writes = keys.module_keys(module)[1].found
    parts = [k for k in writes if (k if isinstance(k, str) else k[-1]) not in hidden]
    return key_list(sorted(parts, key=str))
