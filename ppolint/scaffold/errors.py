"""What the generator says when it cannot do what was asked."""

from __future__ import annotations


class ScaffoldError(ValueError):
    """A request that makes no sense, in one line for the person who made it."""
