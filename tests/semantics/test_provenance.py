"""What is kept of a step of experience."""

from __future__ import annotations

from types import SimpleNamespace

from ppolint.semantics.model import build
from ppolint.semantics.provenance import Provenance
from ppolint.source.file import Source


class _Looked(Provenance):
    """Counts the values that are looked at, and gives up at a number that no file has."""

    looked = 0

    def _accumulates(self, core):
        self.looked += 1
        assert self.looked < 100_000, "a value is followed once for every way that leads to it"
        return super()._accumulates(core)


def test_a_value_that_is_used_twice_at_each_step_is_looked_at_once() -> None:
    text = "import torch\nfor _ in range(9):\n    obs, x, done, info = env.step(action)\n"
    text += "    x = torch.maximum(x.roll(1), x.roll(2))\n" * 40
    file = build(Source.from_text(text + "    kept.append(x)\n"))
    rewards = [e.value.core for e in file.events if e.kind == "bind" and e.key == "x"]
    calls = [e.value for e in file.events if e.value is not None and e.value.op == "call"]
    steps = SimpleNamespace(
        calls=calls, five=(), actions=(), shown={}, kept=(), merged=(), given_back=(), reordered={}
    )
    assert _Looked(file, steps).roles(rewards[-1]) in (frozenset(), frozenset({"reward"}))
