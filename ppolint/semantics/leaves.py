"""Where a value comes from: through names, attributes, branches and containers to its leaves."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import AllocSite
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

# Methods of modules, environments and losses that return the object itself.
_SELF_METHODS = frozenset(
    "eval train share_memory share_memory_ requires_grad_ append_transform insert_transform apply "
    "compile half bfloat16 to_empty register_forward_hook set_keys select_out_keys memmap_ "
    "lock_ unlock_ to_module __enter__".split()
)
# Functions that return their first argument, or something that stands for it.
_WRAPPERS = frozenset(
    "compile compile_with_warmup CudaGraphModule DataParallel DistributedDataParallel EnvCreator "
    "env_creator CloudpickleWrapper script closing".split()
)
_MAX_NESTING = 6


class Leaves:
    """The sources of the values of one file."""

    def __init__(self, file: FileModel) -> None:
        self.file = file
        self.evaluator = file.evaluator
        self._stored: dict[Value, list[Value]] | None = None
        self._nesting = 0

    def leaves(self, value: Value) -> list[Value]:
        """The values behind a value that no further name, branch or container leads away from."""
        out: list[Value] = []
        queue = [value.core]
        seen: set[Value] = set()
        while queue and len(seen) < 400:
            core = queue.pop(0)
            if core in seen:
                continue
            seen.add(core)
            further = self._further(core)
            if further is None:
                out.append(core)
            else:
                queue.extend(v.core for v in further)
        return out

    def _further(self, core: Value) -> list[Value] | None:
        """Where a value comes from, one step back; None when it is a leaf."""
        op = core.op
        if op in ("phi", "after", "and", "or"):
            return list(core.args)
        if op == "where":
            return list(core.args[1:])
        if op == "carry":
            return self.carried(core)
        if op == "attr":
            return self.evaluator.definitions(core) or None
        if op in ("item", "elem"):
            if self._nesting >= _MAX_NESTING:
                return None
            self._nesting += 1
            found = self._item(core) if op == "item" else self.contents(core.args[0])
            self._nesting -= 1
            return found
        if op == "call":
            return self._through_call(core)
        if op == "comp":
            element = core.args[0].core
            return [element.args[-1]] if element.op == "tuple" and element.args else [element]
        if op == "fn" and core.data in ("repeat", "cat"):
            return [a for a in core.args if a.number is None]
        if op == "alloc":
            inside = self.contents(core)
            return inside or None
        return None

    def carried(self, core: Value) -> list[Value] | None:
        """The values a loop variable may have at the start of an iteration."""
        loop = self.evaluator.loops[core.data[0]]  # type: ignore[index]
        for carried in loop.carried.values():
            if carried.start.core is core:
                return [carried.init, carried.step]
        return [core.args[0]] if core.args else None

    def _item(self, core: Value) -> list[Value] | None:
        base, index = core.args
        key = index.string
        for leaf in self.leaves(base):
            if leaf.op == "alloc" and key is not None:
                site = leaf.data
                assert isinstance(site, AllocSite)
                if site.entries and key in site.entries:
                    return [site.entries[key]]
        if index.op == "slice":
            return [base]
        chosen = self.member(base, index)
        if chosen is not None:
            return chosen
        if base.core.op == "elem" and index.number == 1:
            pairs = base.core.args[0].core
            if pairs.op == "call" and pairs.args[0].op == "attr" and pairs.args[0].data == "items":
                return self.contents(pairs)
        return self.contents(base)

    def member(self, base: Value, index: Value) -> list[Value] | None:
        """What `base[n]` is of tuples, which keep their length and order; None for anything else."""
        place = index.number
        if place is None or place != int(place):
            return None
        found = self.leaves_of_container(base)
        if not found or not all(
            t.op == "tuple" and -len(t.args) <= place < len(t.args) for t in found
        ):
            return None
        return [t.args[int(place)] for t in found]

    def contents(self, container: Value) -> list[Value] | None:
        """What lists, dicts and comprehensions hold, and what is put in later; None for others."""
        out: list[Value] = []
        known = False
        for leaf in self.leaves_of_container(container):
            if leaf.op == "alloc":
                site = leaf.data
                assert isinstance(site, AllocSite)
                if site.kind != "deque":
                    out.extend(site.items or ())
                out.extend(self.stored.get(leaf, ()))
                known = True
            elif leaf.op == "tuple":
                out.extend(leaf.args)
                known = True
            elif leaf.op == "comp" or (leaf.op == "fn" and leaf.data in ("repeat", "cat")):
                out.extend(self._further(leaf) or ())
                known = True
        return out if known else None

    def leaves_of_container(self, container: Value) -> list[Value]:
        """Like `leaves`, but stopping at containers, and through their views (`d.items()`)."""
        out: list[Value] = []
        queue = [container.core]
        seen: set[Value] = set()
        while queue and len(seen) < 200:
            core = queue.pop(0)
            if core in seen:
                continue
            seen.add(core)
            if core.op in ("alloc", "tuple", "comp") or core.op == "fn":
                out.append(core)
                continue
            if core.op == "call":
                callee = core.args[0]
                if callee.op == "attr" and callee.data in ("values", "items", "keys"):
                    queue.append(callee.args[0].core)
                    continue
                if last_name(callee) in (
                    "ModuleList",
                    "ModuleDict",
                    "list",
                    "dict",
                    "tuple",
                    "iter",
                ):
                    queue.extend(a.core for a in core.args[1:2])
                    continue
                if callee.op == "func" and callee.data in self._returned:
                    # too deep to be looked into: what the function returns when run on its own
                    queue.extend(self._returned[callee.data])
                    continue
            further = self._further(core)
            if further is None:
                out.append(core)
            else:
                queue.extend(v.core for v in further)
        return out

    @cached_property
    def _returned(self) -> dict[Any, list[Value]]:
        """Function of this file -> what it returns, its parameters unknown."""
        out: dict[Any, list[Value]] = {}
        for event in self.file.events_of("return"):
            frame = event.site.frame
            if frame.caller is None and frame.function is not None:
                out.setdefault(frame.function, []).append(event.value.core)
        return out

    @property
    def stored(self) -> dict[Value, list[Value]]:
        """Container -> what is put into it after it is made."""
        if self._stored is None:
            self._stored = {}
            for event in self.file.events_of("store", "method"):
                base = event.base
                if base is None:
                    continue
                if event.kind == "store":
                    value = event.value
                elif event.kind == "method" and event.args and event.key in ("append", "insert"):
                    value = event.args[-1]
                elif event.kind == "method" and event.args and event.key == "extend":
                    value = event.args[0]  # a container, or something unseen that stands for one
                else:
                    continue
                owners = [base.core]
                if base.core.op != "alloc":
                    if base.core.op == "attr":
                        owners = [d.core for d in self.evaluator.definitions(base.core)]
                    elif base.core.op in ("phi", "carry", "after"):
                        owners = [a for a in self.leaves(base) if a.op == "alloc"]
                values = [value]
                if event.kind == "method" and event.key == "extend":
                    values = self.contents(value) or values
                for owner in owners:
                    if owner.op == "alloc":
                        self._stored.setdefault(owner, []).extend(values)
        return self._stored

    def _through_call(self, core: Value) -> list[Value] | None:
        callee = core.args[0]
        if callee.op == "attr":
            if callee.data in _SELF_METHODS:
                return [callee.args[0]]
            return None
        if callee.op == "ref" and last_name(callee) in _WRAPPERS and len(core.args) > 1:
            return [core.args[1]]
        return None


def last_name(callee: Value) -> str:
    """The last part of the dotted name of something imported; "" for anything else."""
    return str(callee.data).rpartition(".")[2] if callee.op == "ref" else ""
