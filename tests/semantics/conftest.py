"""The pipeline of the standard script, built once."""

from __future__ import annotations

import pytest
from scripts import PPO, model_of


@pytest.fixture(scope="session")
def script():
    return model_of(PPO).pipeline
