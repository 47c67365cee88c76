"""From a plan to the texts of a project's files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ppolint.scaffold.plan import NUM_WORKERS, TENSORDICT_RANGE, TORCHRL_VERSION, Plan
from ppolint.scaffold.single_file import join_modules
from ppolint.scaffold.templates import find_templates, make_environment

# Modules of the package, those that others import first.
MODULES = (
    "config",
    "environment",
    "models",
    "collection",
    "ppo",
    "simulation",
    "checkpoint",
    "evaluation",
    "reporting",
    "training",
)


def render_project(plan: Plan) -> dict[str, str]:
    """Return path -> text of all files, paths relative to the project's folder."""
    files = _render_all(plan)
    if not plan.single_file:
        return files
    modules = [files.get(f"src/{plan.name}/{module}.py") for module in MODULES]
    header = _render("single_file_header.py.j2", plan)
    return {f"{plan.name}.py": join_modules(header, [text for text in modules if text])}


def _render_all(plan: Plan) -> dict[str, str]:
    project = find_templates() / "project"
    files = {}
    for source in sorted(project.rglob("*.j2")):
        relative = source.relative_to(project).as_posix().removesuffix(".j2")
        if relative.endswith("/simulation.py") and plan.collector != "sync":
            continue  # the state of environments in other processes is out of reach
        path = relative.replace("__name__", plan.name)
        files[path] = _render(f"project/{relative}.j2", plan)
    return files


def _render(template: str, plan: Plan) -> str:
    return _environment().get_template(template).render(template_values(plan))


@cache
def _environment() -> jinja2.Environment:
    return make_environment(find_templates())


def template_values(plan: Plan) -> dict[str, Any]:
    """Return the names that templates may use."""
    return {
        "name": plan.name,
        "title": plan.title,
        "env_id": plan.environment.env_id,
        "action": plan.environment.action,
        "gymnasium_extra": plan.environment.extra,
        "target_return": plan.environment.target_return,
        "preset": plan.preset,
        "num_envs": plan.preset.num_envs // plan.num_workers,
        "num_workers": NUM_WORKERS,
        "collector": plan.collector,
        "collector_family": plan.collector.split("-")[0],
        "loggers": plan.loggers,
        "single_file": plan.single_file,
        "torchrl_version": TORCHRL_VERSION,
        "tensordict_range": TENSORDICT_RANGE,
    }


def draw_tree(directory: Path, paths: list[str]) -> str:
    """Draw the files as a tree, folders before files."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for part in path.split("/"):
            node = node.setdefault(part, {})
    return "\n".join([f"{directory}/", *_branches(root, "")])


def _branches(node: dict[str, Any], indent: str) -> list[str]:
    lines = []
    entries = sorted(node.items(), key=lambda entry: (not entry[1], entry[0]))
    for index, (name, children) in enumerate(entries):
        last = index == len(entries) - 1
        lines.append(f"{indent}{'└── ' if last else '├── '}{name}{'/' if children else ''}")
        lines += _branches(children, indent + ("    " if last else "│   "))
    return lines
