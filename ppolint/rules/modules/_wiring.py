"""Where keys that are read have no writer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.rules.modules._actors import once
from ppolint.semantics import keys
from ppolint.semantics.components import (
    UNKNOWN,
    Collector,
    Component,
    Environment,
    Estimator,
    Loss,
    Module,
    Probabilistic,
    Unknown,
)
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.pipeline import Pipeline
    from ppolint.semantics.story import Step

# Parameters of distributions, by the last part of the class name.
_PARAMETERS = {
    **dict.fromkeys(
        ("TanhNormal", "IndependentNormal", "TruncatedNormal", "Normal"),
        frozenset({"loc", "scale"}),
    ),
    **dict.fromkeys(
        ("Categorical", "OneHotCategorical", "MaskedCategorical", "MaskedOneHotCategorical"),
        frozenset({"logits", "probs", "mask", "indices"}),
    ),
}  # fmt: skip
_OPTIONAL = frozenset({"is_init", "recurrent_state", "recurrent_state_h", "recurrent_state_c"})
# What every estimator and every loss of the PPO family lets `set_keys` rename.
_SETTINGS = frozenset(
    "advantage value_target value reward done terminated sample_log_prob log_prob".split()
)
_LOSS_SETTINGS = _SETTINGS | {"action"}
_ESTIMATOR_SETTINGS = _SETTINGS | {"steps_to_next_obs"}
_OF_NEXT = frozenset({"reward", "done", "terminated"})
_ACTOR_CRITIC = frozenset(
    {"PPOLoss", "ClipPPOLoss", "KLPENPPOLoss", "A2CLoss", "MAPPOLoss", "IPPOLoss"}
)


@dataclass(frozen=True, slots=True)
class Problem:
    span: tuple[int, int]
    message: str
    help: str
    scope: str


def problems(file: FileModel) -> Iterator[Problem]:
    """Every reader without a writer, in no special order."""
    pipeline = file.pipeline
    for actor in pipeline.actors:
        if actor.here:
            yield from _distribution(file, actor)
    for step in pipeline.steps:
        yield from _inputs(file, step)
    for policy, env in _policies(pipeline):
        yield from _unwritten(file, policy, _writes(env))
        yield from _action(file, policy, env)
    for component in once((*pipeline.estimators, *pipeline.losses)):
        yield from _value(file, component)
        yield from _settings(file, component)
    yield from _advantage(file)


def shown(key: Any) -> str:
    """A key as it is written."""
    return repr(key).replace("'", '"')


# -- module -> distribution -------------------------------------------------------------------
def _distribution(file: FileModel, actor: Probabilistic) -> Iterator[Problem]:
    value = actor.argument("in_keys")
    if not isinstance(value, Value) or actor.cls is not None:
        return
    renamed = _dictionary(file.pipeline, value)
    wanted = renamed if renamed is not None else actor.in_keys
    if not isinstance(wanted, tuple):
        return
    argument = file.keyword_node(actor.call, "in_keys")
    span = file.span(argument) if argument is not None else actor.span
    scope = file.scope(actor.site)
    written = keys.NOTHING
    reads = keys.NOTHING
    for part in actor.parts:
        part_reads, part_writes = keys.module_keys(part)
        reads |= part_reads
        written |= part_writes
    if actor.parts and written.complete:
        unmet = [k for k in wanted if not _holds(written, k) and k not in reads.found]
        if unmet and not _from_environment(unmet):
            yield Problem(
                span,
                f"the distribution reads {', '.join(map(shown, unmet))}, and its module writes "
                f"{', '.join(sorted(map(shown, written.found)))}",
                'give the module these `out_keys`, or map them: `in_keys={"loc": "mean", ...}`',
                scope,
            )
            return
    name = actor.distribution
    known = _PARAMETERS.get(name.rpartition(".")[2]) if isinstance(name, str) else None
    if known is None or renamed is not None or not str(name).startswith(("torch.", "torchrl.")):
        return
    wrong = [k for k in wanted if (k[-1] if isinstance(k, tuple) else k) not in known]
    if wrong and "out_keys" not in str(name):
        yield Problem(
            span,
            f"`{name.rpartition('.')[2]}` has no parameter {', '.join(map(shown, wrong))}: "
            f"building the "
            "distribution raises TypeError",
            'name the keys after the parameters, or map them: `in_keys={"loc": "mean", ...}`',
            scope,
        )


def _holds(there: keys.Keys, key: Any) -> bool:
    """Whether a key is there, or something nested under it: "params" for ("params", "loc")."""
    parts = (key,) if isinstance(key, str) else key
    return key in there.found or any(
        isinstance(other, tuple) and other[: len(parts)] == parts for other in there.found
    )


def _from_environment(unmet: list) -> bool:
    """Keys that environments write and distributions read: masks of the actions."""
    return any("mask" in str(k) for k in unmet)


def _dictionary(pipeline: Pipeline, value: Value) -> tuple | None:
    """The keys that `in_keys={"loc": "mean"}` reads; None for another form."""
    entries = pipeline.dictionary(value)
    if not isinstance(entries, dict):
        return None
    found = [keys.parse_key(pipeline, v) for v in entries.values()]
    return tuple(found) if all(isinstance(k, (str, tuple)) for k in found) else ()


# -- environment -> module --------------------------------------------------------------------
def _policies(pipeline: Pipeline) -> Iterator[tuple[Module, Environment]]:
    for collector in pipeline.collectors:
        policy, env = collector.policy, collector.env
        if isinstance(policy, Module) and isinstance(env, Environment):
            yield policy, env
    for step in pipeline.steps:
        if step.kind != "rollout":
            continue
        policy = (
            pipeline.component(step.argument(1, "policy"))
            if isinstance(step.argument(1, "policy"), Value)
            else None
        )
        if isinstance(policy, Module) and isinstance(step.component, Environment):
            yield policy, step.component


def _unwritten(file: FileModel, module: Module, there: keys.Keys) -> Iterator[Problem]:
    """Parts of a module that read what neither the data nor an earlier part has."""
    if not there.complete:
        yield from _misnamed(file, module, there)
        return
    written = there
    for part in _in_order(module):
        if not isinstance(part, Module):
            return
        if isinstance(part, Probabilistic):
            written |= keys.module_keys(part)[1]
            continue
        reads, writes = keys.module_keys(part)
        if part.name in ("LSTMModule", "GRUModule"):
            # rules of their own speak of hidden states
            reads = keys.NOTHING
        for key in sorted(map(str, (k for k in reads.found if isinstance(k, str)))):
            if written.has(key) is False and key not in _OPTIONAL and not _holds(written, key):
                yield Problem(
                    part.span,
                    f"the module reads {shown(key)}, and nothing before it writes that: it raises "
                    f"KeyError (there is "
                    f"{', '.join(sorted(shown(k) for k in written.found if isinstance(k, str)))})",
                    "name a key that the environment, a transform or an earlier module writes",
                    file.scope(part.site),
                )
        written |= writes


def _action(file: FileModel, policy: Module, env: Environment) -> Iterator[Problem]:
    """A policy that writes its action under a name that the environment does not read."""
    if not _is_gym(env) or not env.complete or any(t.cls is not None for t in env.transforms):
        return
    writes = keys.module_keys(policy)[1]
    if not writes.complete or any(
        str(t.name).startswith(("Action", "Rename", "MultiAction", "Discrete"))
        for t in env.transforms
    ):
        return
    if any((k if isinstance(k, str) else k[-1]) == "action" for k in writes.found):
        return
    yield Problem(
        policy.span,
        f"the policy writes {', '.join(sorted(map(shown, writes.found)))}, and the environment "
        'reads "action": it raises KeyError',
        'write the action to "action", which is the default of `ProbabilisticActor`',
        file.scope(policy.site),
    )


def _is_gym(env: Environment) -> bool:
    """Whether a Gymnasium environment is under the transforms, pixels aside."""
    return all(
        isinstance(b, Environment)
        and b.cls is None
        and b.name in ("GymEnv", "GymWrapper")
        and b.flag("from_pixels", False) is False
        for b in env.bases
    )


# How people call the observation that Gymnasium environments write under "observation".
_OBSERVATION = frozenset({"obs", "observations", "observ", "ob", "state", "states"})


def _misnamed(file: FileModel, module: Module, there: keys.Keys) -> Iterator[Problem]:
    """A part that reads the observation under another name than all others do."""
    if "observation" not in there.found or there.found & _OBSERVATION:
        return
    readers = [m for m in file.pipeline.modules if isinstance(m.in_keys, tuple)]
    if not any("observation" in m.in_keys for m in readers):  # type: ignore[operator]
        return
    written: set[Any] = set()
    for part in _in_order(module):
        if not isinstance(part, Module):
            return
        reads, writes = keys.module_keys(part)
        if not isinstance(part, Probabilistic):
            for key in sorted(k for k in reads.found & _OBSERVATION if k not in written):
                yield Problem(
                    part.span,
                    f'the module reads {shown(key)}, and the environment writes "observation": '
                    "it raises KeyError",
                    'read "observation", as the other modules do',
                    file.scope(part.site),
                )
        if not writes.complete:
            return
        written |= writes.found


def _in_order(module: Any) -> list[Any]:
    """The modules that are executed, in order; a sampler after what it samples for."""
    if not isinstance(module, Module):
        return [module]
    inner = [m for part in module.parts for m in _in_order(part)]
    if isinstance(module, Probabilistic):
        return [*inner, module]
    return inner if module.parts else [module]


def _inputs(file: FileModel, step: Step) -> Iterator[Problem]:
    """A critic (or any module) applied to data of an environment."""
    if step.kind not in ("advantage", "forward") or step.operand is None:
        return
    component = step.component
    module: Any = component
    if isinstance(component, Estimator):
        module = component.critic
    if not isinstance(module, Module):
        return
    data = step.data
    if data.opaque or not data.paths:
        return
    there = None
    for path in data.paths:
        if path.did("write", "module", "method", "key", "opaque", "stack", "step"):
            return
        found = _available(path)
        there = (
            found
            if there is None
            else keys.Keys(there.found & found.found, there.complete and found.complete)
        )
    if there is not None:
        yield from _unwritten(file, module, there)


def _available(path: Any) -> keys.Keys:
    source = path.component
    if isinstance(source, Environment) and path.origin == "reset":
        return _writes(source)
    if isinstance(source, Collector) and isinstance(source.env, Environment):
        policy = source.policy
        if policy is None:
            return _writes(source.env)
        return _writes(source.env) | keys.module_keys(policy)[1]
    return keys.ANYTHING


def _writes(env: Environment) -> keys.Keys:
    """What an environment writes. That of a Gymnasium environment whose observation is no
    dictionary is "observation": assumed where transforms read it under this name."""
    found = keys.environment_writes(env)
    if (
        _is_gym(env)
        and env.complete
        and not any(t.name == "RenameTransform" for t in env.transforms)
    ):
        return keys.Keys(found.found | {"observation"}, found.complete)
    return found


# -- critic -> estimator and loss ---------------------------------------------------------------
def _value(file: FileModel, component: Any) -> Iterator[Problem]:
    """The name that the critic writes the value under against the one that is read."""
    if isinstance(component, Loss) and component.name not in _ACTOR_CRITIC:
        return
    if isinstance(component, Estimator) and component.loss is not None:
        return
    critic = component.critic
    settings = component.keys
    if not isinstance(critic, Module) or isinstance(settings, Unknown) or component.cls is not None:
        return
    if "Wrapper" in critic.name:
        return
    wanted = settings.get("value", "state_value")
    writes = keys.module_keys(critic)[1]
    if isinstance(wanted, Unknown) or writes.has(wanted) is not False:
        return
    written = ", ".join(sorted(map(shown, writes.found)))
    yield Problem(
        component.span,
        f"`{component.name}` reads the value from {shown(wanted)}, and its critic writes {written}",
        f"call `{component.label or 'it'}.set_keys(value=...)` with the critic's key",
        file.scope(component.site),
    )


def _settings(file: FileModel, component: Any) -> Iterator[Problem]:
    """`set_keys` of a setting that does not exist, or of a key that is prefixed twice."""
    if component.cls is not None:
        return
    if isinstance(component, Loss):
        if component.name not in _ACTOR_CRITIC:
            return
        known = _LOSS_SETTINGS
    elif component.loss is None:
        known = _ESTIMATOR_SETTINGS
    else:
        return
    for step in component.methods("set_keys"):
        if not step.here or step.result.core.op != "call" or step.component is not component:
            continue
        for name, value in file.keywords(step.result).items():
            if name not in known:
                yield Problem(
                    step.span,
                    f"`set_keys` of `{component.name}` has no setting `{name}`: it raises",
                    f"the settings are {', '.join(sorted(known))}",
                    step.scope,
                )
            key = keys.parse_key(file.pipeline, value)
            if name in _OF_NEXT and isinstance(key, tuple) and key[0] == "next":
                yield Problem(
                    step.span,
                    f'`{component.name}` looks for `{name}` under "next" itself: {shown(key)} is '
                    f"not there",
                    f'leave "next" out: '
                    f"`set_keys({name}={shown(key[1] if len(key) == 2 else key[1:])})`",
                    step.scope,
                )


def _advantage(file: FileModel) -> Iterator[Problem]:
    """The one estimator of a file against its one loss: under which names is the advantage?"""
    estimators = [e for e in file.pipeline.estimators if e.loss is None]
    losses = [x for x in file.pipeline.losses if x.is_on_policy]
    if len(estimators) != 1 or len(losses) != 1:
        return
    estimator, loss = estimators[0], losses[0]
    if loss.cls is not None or estimator.cls is not None:
        return
    made, read = estimator.keys, loss.keys
    if isinstance(made, Unknown) or isinstance(read, Unknown):
        return
    for name in ("advantage", "value_target"):
        left, right = made.get(name, name), read.get(name, name)
        if isinstance(left, Unknown) or isinstance(right, Unknown) or left == right:
            continue
        silent = ", and silently computes its own" if name == "advantage" else ""
        yield Problem(
            loss.span,
            f"`{estimator.name}` writes the {name} to {shown(left)}, and `{loss.name}` reads it "
            f"from "
            f"{shown(right)}{silent}",
            f"use one name: `{loss.label or 'loss'}.set_keys({name}={shown(left)})`",
            file.scope(loss.site),
        )


__all__ = ["UNKNOWN", "Component", "Problem", "problems"]
