"""Values that are new containers: lists, dicts, deques and arrays, and where they were made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import AllocSite, Site
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_ALLOCATORS = re.compile(
    r"^(?:torch|numpy)\.(?:zeros|empty|ones|full|zeros_like|empty_like|ones_like|full_like|randn"
    r"|Tensor|FloatTensor)$"
)
_NEW = frozenset({"new_zeros", "new_empty", "new_ones", "new_full", "new_tensor"})
_MOVES = frozenset({"share_memory_", "pin_memory", "to", "cuda", "cpu", "float", "long", "double"})
_LIKE = frozenset({"zeros_like", "empty_like", "ones_like", "full_like", "repeat"})
_FACTORIES = frozenset({"list", "dict", "deque", "defaultdict"})


def is_array(file: FileModel, core: Value) -> bool:
    """Whether a value is a new array, also one in shared memory or on another device."""
    core = unmoved(core)
    if core.op in ("phi", "where"):
        parts = core.args[core.op == "where" :]
        return all(is_array(file, part.core) for part in parts)
    made = allocation(file, core) if core.op == "call" else None
    return made is not None and made[0]


def allocation(file: FileModel, core: Value) -> tuple[bool, tuple[Any, Site] | None, bool] | None:
    """(is an array, where it was made, has a bound) of a value that is a new container."""
    core = unmoved(core)
    if core.op == "alloc":
        site = core.data
        assert isinstance(site, AllocSite)
        bounded = site.kind == "deque" and bool(site.items)
        return False, (site.node, site.site), bounded
    if core.op == "comp":
        made = allocation(file, element_of(core)) if element_of(core) is not core else None
        places = file.places(core)
        return (made[0], places[0] if places else made[1], made[2]) if made else None
    if core.op == "call":
        name = core.args[0].dotted or ""
        if name == "dataclasses.field" and len(core.args) == 2:
            factory = (core.args[1].dotted or "").rpartition(".")[2]
            call = file.call_site(core)
            return (False, (call.node, call.site), False) if factory in _FACTORIES else None
        made_like = core.args[0].op == "attr" and core.args[0].data in _NEW
        if made_like or _ALLOCATORS.match(name):
            call = file.call_site(core)
            return True, (call.node, call.site), False
    if core.op == "fn" and core.data in _LIKE:
        places = file.places(core)
        return True, places[0] if places else None, False
    if core.op == "fn" and core.data in ("cat", "stack"):
        from ppolint.semantics.operations import elements

        if not (elements(core) or ()):
            places = file.places(core)
            return True, places[0] if places else None, False
    return None


def element_of(core: Value) -> Value:
    """What a comprehension makes of each element; of a dict, the values."""
    if core.op != "comp":
        return core
    made = core.args[0].core
    return made.args[1].core if made.op == "tuple" and len(made.args) == 2 else made


def unmoved(core: Value) -> Value:
    """What is moved or cast: `torch.zeros(8)` of `torch.zeros(8).cuda()`."""
    while True:
        if core.op == "call" and core.args[0].op == "attr" and core.args[0].data in _MOVES:
            core = core.args[0].args[0].core
        elif core.op == "fn" and core.data in _MOVES:
            core = core.args[0].core
        else:
            return core
