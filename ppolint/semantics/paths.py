"""What is known of the data of a step: the ways that it can have taken, and what each did to it.

`Data` is what rules ask; they should say `data.always(...)` where a finding needs something to be
there and `data.maybe(...)` where it needs it to be absent, and stay silent when `data.opaque`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Component, Unknown
from ppolint.semantics.program import Carried, Loop
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.story import Step


@dataclass(eq=False, slots=True)
class Operation:
    """One thing done to data.

    kind        what                                        name
    reshape     reshape, view, flatten                      the method
    device      to, cpu, cuda                               the method
    copy cast shape                                         the method
    index       td[i], gather: other or fewer rows          "slice", "int", "tensor" or the method
    key         td["x"], td.get("x")                        the key
    method      a TensorDict method that keeps the rows     the method
    advantage   an estimator wrote to it or returned it     the class of the estimator
    module      a policy or critic wrote to it              the class
    loss        a loss read it                              the class
    step        env.step(td)                                the method
    step_mdp    step_mdp(td), env.step_mdp(td)              "
    stack cat   torch.stack, torch.cat of several           "
    split       split_trajectories                          "
    chunk       split, unbind, chunk                        the method
    write       td[key] = x, td.set(key, x)                 the key
    opaque      given to something that cannot be seen      what is called, if known
    """

    kind: str
    name: Any
    value: Value | None = None
    component: Component | Unknown | None = None
    in_place: bool = False
    args: tuple[Value, ...] = ()
    step: Step | None = None
    conditional: bool = False

    @property
    def flattens(self) -> bool:
        """Whether it merges the environment and time dimensions: `reshape(-1)` and its like."""
        if self.kind != "reshape":
            return False
        if self.name in ("flatten", "ravel"):
            return True
        sizes = self.args
        if len(sizes) == 1 and sizes[0].core.op == "tuple":
            sizes = sizes[0].core.args
        return len(sizes) == 1 and (sizes[0].number == -1 or _is_count(sizes[0].core))


def _is_count(size: Value) -> bool:
    """Whether a single size is a number of rows: a product of sizes, `numel()`."""
    if size.op == "mul":
        return True
    return size.op == "call" and size.args[0].op == "attr" and size.args[0].data == "numel"


@dataclass(eq=False, slots=True)
class Path:
    """One way the data can have taken.

    `origin`: "collector", "buffer", "rollout", "reset", "env_step", "new" (a TensorDict built by
    hand), "container", "computed" (a tensor), "parameter" or "unknown". `component` is the
    collector, buffer or environment it comes from; `via` how ("iteration", "next", "sample", ...).
    """

    origin: str
    value: Value
    component: Component | Unknown | None = None
    via: str = ""
    loop: Loop | None = None
    operations: tuple[Operation, ...] = ()
    carried: tuple[Carried, ...] = ()
    # (n, value): after n operations the data is this value
    aliases: tuple[tuple[int, Value], ...] = ()

    def did(self, *kinds: str) -> list[Operation]:
        """The operations of these kinds, in order."""
        return [o for o in self.operations if o.kind in kinds]

    @property
    def opaque(self) -> bool:
        """Whether something that cannot be seen may have changed it."""
        return self.origin in ("unknown", "parameter") or any(
            o.kind == "opaque" for o in self.operations
        )


@dataclass(eq=False, slots=True)
class Data:
    """All paths of one value at one step."""

    value: Value
    paths: tuple[Path, ...] = field(default=())

    @property
    def opaque(self) -> bool:
        return not self.paths or any(p.opaque for p in self.paths)

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(p.origin for p in self.paths)

    @property
    def origin(self) -> str:
        """The one origin of all paths, else "unknown"."""
        origins = self.origins
        return next(iter(origins)) if len(origins) == 1 else "unknown"

    @property
    def sources(self) -> tuple[Component | Unknown | None, ...]:
        """The collectors, buffers and environments it may come from."""
        return tuple(dict.fromkeys(p.component for p in self.paths))

    @property
    def source(self) -> Component | Unknown | None:
        found = self.sources
        return found[0] if len(found) == 1 else UNKNOWN

    def always(self, *kinds: str) -> bool:
        """Whether every path has an operation of one of these kinds, whatever branch is taken."""
        return bool(self.paths) and all(
            any(not o.conditional for o in p.did(*kinds)) for p in self.paths
        )

    def maybe(self, *kinds: str) -> bool:
        """Whether some path has one."""
        return any(p.did(*kinds) for p in self.paths)

    def operations(self, *kinds: str) -> list[Operation]:
        return [o for p in self.paths for o in p.operations if not kinds or o.kind in kinds]

    @property
    def flattened(self) -> bool:
        """Whether every path merges the leading dimensions."""
        return bool(self.paths) and all(any(o.flattens for o in p.operations) for p in self.paths)
