"""A copy of TensorDict inside a project is of a release of its own."""

from pathlib import Path

import pytest
from test_renames import findings

from ppolint.source.file import read_source

TEXT = (
    "from tensordict.memmap_deprec import MemmapTensor\n\n\ndef f(x):\n    return MemmapTensor(x)\n"
)


def codes(path: Path) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT)
    return [finding.code for finding in findings(TEXT, "0.14.1", read_source(path))]


@pytest.mark.parametrize(
    "packages, expected",
    [
        (["vendored/tensordict/"], []),
        (["vendored/tensordict/", "vendored/tensordict/nn/"], []),
        ([], ["PPO901"]),
        (["mine/", "mine/tensordict/"], ["PPO901"]),
    ],
)
def test_what_lies_in_a_copy_is_not_judged(tmp_path: Path, packages, expected) -> None:
    for package in packages:
        (tmp_path / package).mkdir(parents=True, exist_ok=True)
        (tmp_path / package / "__init__.py").write_text("")
    folder = tmp_path / (packages[-1] if packages else "vendored/tensordict/")
    assert codes(folder / "module.py") == expected
