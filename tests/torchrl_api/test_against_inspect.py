"""The database says of the installed TorchRL what `inspect` says, but for differences named here.

`inspect.signature(cls)` shows `(*args, **kwargs)` wherever a metaclass has a `__call__`, so a class
is compared by the constructor it really runs: `cls.__init__`, or `cls.__new__` without one.
"""

import importlib
import importlib.metadata
import inspect
import types

import pytest
from packaging.version import Version

from ppolint.torchrl_api.database import load

torchrl = pytest.importorskip("torchrl", reason="TorchRL is not installed")

MODULES = [
    "torchrl.collectors",
    "torchrl.collectors.distributed",
    "torchrl.collectors.utils",
    "torchrl.data",
    "torchrl.data.replay_buffers",
    "torchrl.data.tensor_specs",
    "torchrl.envs",
    "torchrl.envs.libs",
    "torchrl.envs.transforms",
    "torchrl.envs.utils",
    "torchrl.modules",
    "torchrl.modules.distributions",
    "torchrl.modules.tensordict_module",
    "torchrl.modules.models",
    "torchrl.objectives",
    "torchrl.objectives.ppo",
    "torchrl.objectives.multiagent",
    "torchrl.objectives.utils",
    "torchrl.objectives.value",
    "torchrl.objectives.value.functional",
    "torchrl.record",
    "torchrl.record.loggers",
    "torchrl.trainers",
    "torchrl.trainers.algorithms",
    "tensordict",
    "tensordict.nn",
    "tensordict.nn.distributions",
]

INSTALLED = Version(importlib.metadata.version("torchrl")).base_version


def view():
    return load().at(INSTALLED, Version(importlib.metadata.version("tensordict")).base_version)


def public_names(module):
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    # 0.14.1: `torchrl.modules.distributions.__all__` lists a name that the module does not have.
    return sorted({name for name in names if hasattr(module, name)})


def test_the_installed_release_is_known():
    assert INSTALLED in load().releases["torchrl"]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_resolves(name):
    module = importlib.import_module(name)
    missing = [n for n in public_names(module) if view().resolve(f"{name}.{n}") is None]
    assert missing == []


LAZY = "answered by the `__getattr__` of its package from a table that only run time reads"
DEPRECATED = "made by a helper at import; construction recurses without end (see renames)"
# Why the database says something else than `inspect` about these, by public path.
EXPLAINED = {
    "torchrl.data.Trajectory": "the tensorclass decorator gives its field a default",
    "torchrl.objectives.value.advantages.TD0Estimate": DEPRECATED,
    "torchrl.objectives.value.advantages.TD1Estimate": DEPRECATED,
    "torchrl.objectives.value.advantages.TDLambdaEstimate": DEPRECATED,
    "torchrl.envs.transforms.CartesianSolver": LAZY,
    "torchrl.envs.transforms.HumanoidMacroAction": LAZY,
    "torchrl.envs.transforms.RobotMacroAction": LAZY,
    "torchrl.envs.transforms.RobotMacroActionMode": LAZY,
    "torchrl.envs.transforms.SatelliteAttitudeTransform": LAZY,
    "torchrl.envs.transforms.SatelliteMacroAction": LAZY,
    "torchrl.envs.transforms.URScriptPrimitive": LAZY,
    "torchrl.envs.transforms.URScriptPrimitiveTransform": LAZY,
}


def runtime_parameters(thing):
    """(name, kind, has default) of what a call takes, or None when Python cannot tell."""
    if inspect.isclass(thing):
        target = thing.__init__ if thing.__init__ is not object.__init__ else thing.__new__
        if target is object.__new__:
            return []
        skip = 1
    else:
        target, skip = thing, 0
    try:
        parameters = list(inspect.signature(target).parameters.values())[skip:]
    except (TypeError, ValueError):
        return None
    return [(p.name, p.kind.description, p.default is not p.empty) for p in parameters]


def stored_parameters(signature):
    """The same of the database, without what it adds: forwarded and metaclass keywords."""
    return [
        (p.name, p.kind.value, p.default is not None)
        for p in signature.parameters
        if p.origin is None
    ]


def callables(name):
    module = importlib.import_module(name)
    for attribute in public_names(module):
        thing = getattr(module, attribute, None)
        callable_ = inspect.isclass(thing) or isinstance(thing, types.FunctionType)
        if callable_ and (thing.__module__ or "").startswith(("torchrl", "tensordict")):
            yield f"{name}.{attribute}", thing


def differences(name):
    for path, thing in callables(name):
        signature = view().signature(path)
        actual = runtime_parameters(thing)
        if actual is None or signature is None:
            if signature is None and not inherits_from_outside(path):
                yield path, "unknown to the database", actual
            continue
        if stored_parameters(signature) != actual:
            yield path, stored_parameters(signature), actual


def inherits_from_outside(path):
    """The database abstains from a class whose constructor another package defines."""
    entity = view().resolve(path)
    if entity.kind != "class":
        return False
    inside = ("torchrl.", "tensordict.")
    return any(
        not base.startswith(inside) and base not in ("builtins.object",)
        for base in view().mro(entity.path)
    ) or runtime_parameters_are_trivial(entity.path)


def runtime_parameters_are_trivial(path):
    module, _, name = path.rpartition(".")
    return runtime_parameters(getattr(importlib.import_module(module), name)) in ([], None)


@pytest.mark.parametrize("name", MODULES)
def test_signatures_are_those_of_inspect(name):
    found = {path: rest for path, *rest in differences(name) if explanation(path) is None}
    assert found == {}


def explanation(path):
    return EXPLAINED.get(view().resolve(path).public)


def test_explanations_are_needed():
    differing = {view().resolve(path).public for m in MODULES for path, *_ in differences(m)}
    assert set(EXPLAINED) <= differing


def test_the_comparison_is_not_empty():
    """1,127 at TorchRL 0.14.1: a helper that filters everything would pass the tests above."""
    assert sum(1 for name in MODULES for _ in callables(name)) > 1000
