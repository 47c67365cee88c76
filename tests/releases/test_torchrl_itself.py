"""TorchRL's own code is right about TorchRL's own API: the installed package has no finding."""

import importlib
import importlib.metadata
from pathlib import Path

import pytest
from packaging.version import Version
from test_renames import findings, source_of

from ppolint.engine.limits import reason_to_skip

torchrl = pytest.importorskip("torchrl", reason="TorchRL is not installed")
ROOT = Path(torchrl.__file__).parent
RELEASE = Version(importlib.metadata.version("torchrl")).base_version


def found(folder):
    lines = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        text = path.read_text()
        if reason_to_skip(text) is None:
            for finding in findings(text, RELEASE, source_of(text)):
                row = text.count("\n", 0, finding.start) + 1
                lines.append(f"{path.relative_to(ROOT)}:{row} {finding.code} {finding.message}")
    return lines


@pytest.mark.parametrize("folder", ["objectives/value", "record", "trainers/helpers"])
def test_a_part_of_it(folder):
    assert found(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder", ["collectors", "data", "envs", "modules", "objectives", "trainers"]
)
def test_all_of_it(folder):
    assert found(folder) == []
