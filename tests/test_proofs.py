"""Every claim about run time has a proof that runs it: `fixtures/<code>-<name>/proof.py`.

The tests of all proofs are collected here, under the code of their rule.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def _loaded(path: Path) -> ModuleType:
    """The proof as a module; its folder is importable meanwhile, for the fixtures it runs.

    Afterwards it is no importable module, so that its functions go to worker processes by value.
    """
    name = "proof_" + path.parent.name.replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
        sys.path.remove(str(path.parent))
    return module


def _collect() -> None:
    for path in sorted(FIXTURES.glob("PPO*/proof.py")):
        code = path.parent.name.partition("-")[0]
        tests = 0
        for name, value in vars(_loaded(path)).items():
            if name.startswith("test_") and inspect.isfunction(value):
                globals()[f"test_{code}_{name.removeprefix('test_')}"] = value
                tests += 1
        assert tests, f"{path} proves nothing"


_collect()
