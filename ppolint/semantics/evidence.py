"""Whether code is about reinforcement learning, by what it does and imports, never by its names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ppolint.semantics.project import imported_names

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.project import Project

ENVIRONMENT_PACKAGES = frozenset(
    "gym gymnasium torchrl pettingzoo envpool dm_control dm_env stable_baselines3 sb3_contrib "
    "isaacgym isaacgymenvs isaaclab omni procgen procgen2 vmas minigrid gym_minigrid ale_py brax "
    "metaworld robosuite smac smacv2 mlagents_envs pybullet_envs bsuite supersuite atari_py "
    "nasim highway_env babyai pybulletgym mujoco_py gym_super_mario_bros nes_py vizdoom "
    "deepmind_lab minerl crafter safety_gymnasium mani_skill maniskill craftium".split()
)
# the result of a step of an environment, taken apart: `obs, reward, done, info = env.step(action)`
_STEP = re.compile(r"^[^=#\n]*,[^=#\n]*,[^=\n]*=[^=\n]*\.step\(", re.M)


def is_reinforcement_learning(file: FileModel) -> bool:
    """Whether this file, or a file connected with it by imports, steps an environment."""
    text = file.source.text
    if speaks_of_environments(text):
        return True
    if file.project is None:
        return False
    file.consulted_project = True
    return connected(file.project, file.source.path)


def speaks_of_environments(text: str) -> bool:
    """Whether a text imports an environment package or takes the result of a step apart."""
    roots = {name.partition(".")[0] for name in imported_names(text)}
    return bool(roots & ENVIRONMENT_PACKAGES) or _STEP.search(text) is not None


def connected(project: Project, path: str) -> bool:
    """Whether a file that imports `path`, directly or not, or that it imports, is about RL."""
    import os

    start = os.path.abspath(path)
    cache = project.__dict__.setdefault("_evidence_cache", {})
    if start in cache:
        return cache[start]
    seen = {start}
    queue = list(project.importers.get(start, ()))
    queue += [t for n in project.imports(start) if (t := project._file_of(n, start)) is not None]
    answer = False
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        if speaks_of_environments(project.text(current)):
            answer = True
            break
        queue.extend(project.importers.get(current, ()))
    cache[start] = answer
    return answer
