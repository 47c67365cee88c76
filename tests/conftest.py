"""How property tests run everywhere."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine, or one that does something else as well, is no defect of the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
