"""Components and steps in words: the text in the boxes and on the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppolint.semantics import keys
from ppolint.semantics.components import (
    UNKNOWN,
    Buffer,
    Collector,
    Component,
    Environment,
    Estimator,
    Loss,
    Module,
    Optimiser,
    Probabilistic,
)
from ppolint.semantics.values import Value, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ppolint.semantics.paths import Operation
    from ppolint.semantics.story import Step

MAX_TEXT = 60
MAX_WRAPPED = 4


def key_text(key: Any) -> str:
    return key if isinstance(key, str) else ".".join(key)


def key_list(found: Iterable[Any]) -> list[str]:
    """Keys as text; the two names of the log-probability are one."""
    texts = [key_text(k) for k in found]
    if {"action_log_prob", "sample_log_prob"} <= set(texts):
        texts.remove("sample_log_prob")
    return texts


def value_text(value: Any) -> str:
    """An argument as a reader would write it, shortened."""
    if not isinstance(value, Value):
        return "?"
    text = show(value, 3)
    if "(" in text and value.op not in ("call", "tuple"):
        text = "..."
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def short_title(component: Component, depth: int = 0) -> str:
    """`TransformedEnv(GymEnv)`, `ProbabilisticActor`, `GAE`."""
    if isinstance(component, Environment):
        if depth > MAX_WRAPPED:  # an environment wrapped again in a loop
            return "..."
        wrapped = [e for e in component.wrapped if isinstance(e, Environment)]
        inside = [short_title(e, depth + 1) for e in wrapped]
        distinct = list(dict.fromkeys(inside))
        if not component.wrapped:
            name = component.env_name
            return f'{component.title}("{name}")' if isinstance(name, str) else component.title
        return f"{component.title}({' or '.join(distinct) or '?'})"
    if isinstance(component, Module) and component.parent is not None:
        return f"{component.title}.{component.role}"
    return component.title


def details_of(component: Component) -> list[str]:
    """How a component is set up, a line each."""
    if isinstance(component, Environment):
        return _environment(component)
    if isinstance(component, Module):
        return _module(component)
    if isinstance(component, Collector):
        return _given(component, "frames_per_batch", "total_frames", "device", "split_trajs")
    if isinstance(component, Buffer):
        return _buffer(component)
    if isinstance(component, Loss):
        names = ("clip_epsilon", "entropy_coeff", "critic_coeff", "normalize_advantage")
        return [*_given(component, *names), *_renamed(component)]
    if isinstance(component, Estimator):
        return [*_given(component, "gamma", "lmbda", "average_gae"), *_renamed(component)]
    if isinstance(component, Optimiser):
        if component.name == "group_optimizers":
            return []
        whose = [c.label or c.title for c in component.optimises]
        text = ", ".join(whose) + ("" if component.complete else ", ?" if whose else "?")
        return [f"parameters of {text}", *_given(component, "lr")]
    return []


def _given(component: Component, *names: str) -> list[str]:
    out = []
    for name in names:
        value = component.argument(name)
        if isinstance(value, Value):
            out.append(f"{name}={value_text(value)}")
    return [", ".join(out)] if out else []


def _renamed(component: Component) -> list[str]:
    renamed = component.keys
    if not isinstance(renamed, dict) or not renamed:
        return []
    pairs = [f"{k}={key_text(v) if v is not UNKNOWN and v else '?'}" for k, v in renamed.items()]
    return ["keys: " + ", ".join(pairs)]


def _environment(env: Environment) -> list[str]:
    names = [f"{t.title}?" if t.conditional else t.title for t in env.transforms]
    if not env.complete:
        names.append("...")
    return [" > ".join(names)] if names else []


def _module(module: Module) -> list[str]:
    reads, writes = keys.module_keys(module)
    out = [f"{_keys(reads)} -> {_keys(writes)}"]
    drawing = module if isinstance(module, Probabilistic) else module.sampler
    if isinstance(drawing, Probabilistic):
        known = drawing.distributions
        if isinstance(known, frozenset):
            names = sorted(n.rpartition(".")[2] for n in known)
            text = " or ".join(names)
            if isinstance(drawing.distribution_kwargs, dict):
                text += f"({', '.join(drawing.distribution_kwargs)})"
            out.append(text)
    return out


def _keys(found: keys.Keys) -> str:
    texts = key_list(sorted(found.found, key=str))
    return ", ".join([*texts, *([] if found.complete else ["?"])]) or "nothing"


def _buffer(buffer: Buffer) -> list[str]:
    parts = []
    storage, sampler = buffer.storage, buffer.sampler
    if isinstance(storage, Component):
        size = storage.argument("max_size")
        parts.append(f"{storage.title}({value_text(size) if size is not None else ''})")
    if isinstance(sampler, Component):
        parts.append(sampler.title)
    elif sampler is None:
        parts.append("random, with replacement")
    size = buffer.batch_size
    if isinstance(size, Value):
        parts.append(f"batch_size={value_text(size)}")
    return [", ".join(parts)] if parts else []


# -- steps ------------------------------------------------------------------------------------
def operation_texts(operations: Iterable[Operation]) -> list[str]:
    """What was done to data, for an arrow or a line; copies and casts are not worth a word."""
    out: list[str] = []
    for operation in operations:
        kind, name = operation.kind, operation.name
        if kind == "reshape":
            text = "reshape(-1)" if operation.flattens else f"{name}(...)"
        elif kind == "device":
            text = f"{name}()"
        elif kind == "index":
            text = "sample()[0]" if name == "unpacked" else "[...]"
        elif kind in ("stack", "cat", "chunk", "split", "step_mdp"):
            text = f"{name}()"
        elif kind == "key":
            text = f"[{key_text(name)}]"
        elif kind == "write" and name:
            text = f"write {key_text(name)}"
        elif kind == "opaque":
            text = f"{str(name).rpartition('.')[2] or '?'}(...)"
        else:
            continue
        if text not in out:
            out.append(text)
    return out


def describe_step(step: Step) -> tuple[str, list[str]]:
    """(what happens, notes about its surroundings)."""
    notes = []
    if step.inference_mode:
        notes.append("inference_mode")
    elif step.no_grad:
        notes.append("no_grad")
    exploration = step.exploration
    if isinstance(exploration, str):
        notes.append(exploration.lower())
    return _sentence(step), notes


def _sentence(step: Step) -> str:
    who = name_of(step.component, step)
    what = _data(step)
    kind = step.kind
    if kind == "collect":
        return f"for each batch of {who}" if step.loop is not None else f"next batch of {who}"
    if kind == "sample":
        return f"for each minibatch of {who}" if step.loop is not None else f"sample {who}"
    if kind == "backward":
        terms = " + ".join(dict.fromkeys(t.key for t in step.objective.terms))
        return f"backward: {terms or '?'}{'' if step.objective.complete or not terms else ' + ?'}"
    if kind == "clip":
        return f"{step.name}({who})"
    if kind == "write":
        known = step.data.origin in ("collector", "buffer", "rollout") and step.name
        known = known and not step.data.maybe("loss")
        return f"write {key_text(step.name)} into {what}" if known else ""
    texts = {
        "rollout": f"rollout of {who}{_policy(step)}",
        "advantage": f"{who}({what})",
        "extend": f"{who}.{step.method}({what})",
        "empty": f"{who}.empty()",
        "loss": f"{who}({what})",
        "forward": f"{who}({what})",
        "env_step": f"{who}.{step.method}({what})",
        "step": f"{who}.step()",
        "zero_grad": f"{who}.zero_grad()",
        "schedule": f"{who}.step()",
        "check": f"check_env_specs({who})",
        "method": f"{who}.{step.method}()",
    }
    return texts.get(kind, "")


def name_of(component: Any, step: Step | None = None) -> str:
    if isinstance(component, Component):
        return component.label or component.title
    if step is not None and step.components:
        names = [c.label or c.title for c in step.components if isinstance(c, Component)]
        distinct = list(dict.fromkeys(names))
        if distinct:
            return distinct[0] if len(distinct) == 1 else " or ".join(distinct)
    return "?"


def _policy(step: Step) -> str:
    value = step.argument(1, "policy")
    if not isinstance(value, Value):
        return ""
    known = [c for c in step.pipeline.candidates(value) if isinstance(c, Component)]
    return f" with {known[0].label or known[0].title}" if known else ""


def _data(step: Step) -> str:
    if step.operand is None or not step.data.paths:
        return ""
    texts = []
    for path in step.data.paths:
        base = {
            "collector": "batch",
            "buffer": "minibatch",
            "rollout": "rollout",
            "reset": "reset",
            "env_step": "step",
            "new": "TensorDict",
            "parameter": "argument",
        }.get(path.origin, "?")
        done = operation_texts(o for o in path.operations if o.kind != "write")
        texts.append(".".join([base, *done]).replace(".[", "["))
    distinct = list(dict.fromkeys(texts))
    return " or ".join(distinct[:2])
