"""What kind of program a file belongs to, by what it imports and does, never by its names.

Two questions are asked before a file is parsed, and again by rules: is it part of a PyTorch
program, and is it about reinforcement learning. The text of the file answers first; where it does
not tell, the files that it is connected with by imports decide.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

from ppolint.semantics.import_lines import imported_names, torch_by_imports
from ppolint.semantics.shapes import has_loss_shape, has_recursion_shape, has_value_clip_shape
from ppolint.semantics.subject import speaks_of_rl, subject_of

if TYPE_CHECKING:
    from ppolint.semantics.project import Project

ENVIRONMENT_PACKAGES = frozenset(
    "gym gymnasium torchrl pettingzoo envpool dm_control dm_env stable_baselines3 sb3_contrib "
    "isaacgym isaacgymenvs isaaclab omni procgen procgen2 vmas minigrid gym_minigrid ale_py brax "
    "metaworld robosuite smac smacv2 mlagents_envs pybullet_envs bsuite supersuite atari_py "
    "nasim highway_env babyai pybulletgym mujoco_py gym_super_mario_bros nes_py vizdoom "
    "deepmind_lab minerl crafter safety_gymnasium mani_skill maniskill craftium".split()
)
_TORCHRL = re.compile(rb"\b(?:import|from)[ \t]+(?:torchrl|tensordict)\b")
_STEP = re.compile(r"\.step\(")
_SUBSCRIPT = re.compile(r"(?<=\w)\[[^\[\]]*\]")
# What a policy-gradient loss is made of, when the environment is elsewhere.
_POLICY_GRADIENT = ("log_prob", "entropy", "exp", "backward")
_PACKAGES = tuple(name.encode() for name in sorted(ENVIRONMENT_PACKAGES))
# An example about RL that imports a large library does not make all of the library RL.
_LARGE = 400
_SHARE = 0.05
# Both are looked for in small letters.
_REWARDS = re.compile(r"rew(?<![a-z]rew)(?:ard)?s?(?![a-z])")
_LOG_PROBS = re.compile(r"log_?prob")
_LINE = 300


class Program:
    """The answers for one file; `consulted` tells whether the project had to be asked."""

    def __init__(self, text: str, path: str, project: Project | None) -> None:
        self.text = text
        self.path = path
        self.project = project
        self.consulted = False

    @cached_property
    def imports(self) -> frozenset[str]:
        return imported_names(self.text)

    @cached_property
    def uses_torch(self) -> bool:
        """Whether the file is part of a PyTorch program (not of a JAX or TensorFlow one)."""
        answer = torch_by_imports(self.imports)
        if answer is not None or self.project is None:
            return bool(answer)
        self.consulted = True
        return self.project.uses_torch(self.path, self.text)

    @cached_property
    def uses_torchrl(self) -> bool:
        """Whether the file, or one connected with it by imports, imports TorchRL or TensorDict."""
        if "torchrl" in self.text or "tensordict" in self.text:
            if _imports_torchrl(self.text.encode("utf-8", "surrogatepass")):
                return True
        if self.project is None:
            return False
        self.consulted = True
        return os.path.abspath(self.path) in torchrl_files(self.project)

    @cached_property
    def is_reinforcement_learning(self) -> bool:
        """Whether the file, or one connected with it, steps an environment or trains a policy."""
        return self.speaks_of_it or self.is_near_environment

    @cached_property
    def is_near_environment(self) -> bool:
        """Whether the file, or one connected with it, steps an environment."""
        if speaks_of_environments(self.text, self.imports):
            return True
        if self.project is None:
            return False
        self.consulted = True
        return connected(self.project, self.path)

    @cached_property
    def speaks_of_it(self) -> bool:
        """Whether the text alone shows that it is about reinforcement learning."""
        if speaks_of_environments(self.text, self.imports):
            return True
        return all(word in self.text for word in _POLICY_GRADIENT)

    @cached_property
    def may_be_about_it(self) -> bool:
        """Whether it is no part of a large library that has nothing to do with RL."""
        if self.project is None or speaks_of_rl(self.text.encode("utf-8", "surrogatepass")):
            return True
        self.consulted = True
        return subject_of(self.project).may_concern(os.path.abspath(self.path))

    @cached_property
    def has_loss_shape(self) -> bool:
        return has_loss_shape(self.text)

    @cached_property
    def has_recursion_shape(self) -> bool:
        return has_recursion_shape(self.text)

    def is_a(self, kind: str | None) -> bool:
        """Whether the file is part of the kind of program a rule is about.

        None is any program, "torchrl" one that uses TorchRL, "torch" one that uses PyTorch, "rl"
        one that does reinforcement learning with it; "loss", "value", "recursion" and "rollout" are the latter, and files that
        show the shape.
        """
        if kind is None:
            return True
        if kind == "torchrl":
            return self.uses_torchrl
        if not ((kind == "torch" or self._concerns(kind)) and self.uses_torch):
            return False
        return self.may_be_about_it

    def _concerns(self, kind: str) -> bool:
        """Whether the file has the shape a kind asks for, or is about reinforcement learning.

        What costs least is asked first: the text, the shape of the code, the project.
        """
        if self.speaks_of_it:
            return True
        if kind == "loss" and self.has_loss_shape:
            return True
        if kind == "value" and (self.has_loss_shape or has_value_clip_shape(self.text)):
            return True
        if kind == "rollout" and speaks_of_rewards(self.text):
            return True
        if kind in ("recursion", "rollout") and self.has_recursion_shape:
            return True
        if kind == "recursion" and self.has_loss_shape:
            return True
        return self.is_reinforcement_learning


def speaks_of_rewards(text: str) -> bool:
    """Whether a text names rewards, or advantages and log-probabilities: weak evidence, for
    containers whose contents are opaque."""
    small = text.lower()
    return _REWARDS.search(small) is not None or (
        "advantages" in text and _LOG_PROBS.search(small) is not None
    )


def speaks_of_environments(text: str, imports: frozenset[str] | None = None) -> bool:
    """Whether a text imports an environment package, or takes the result of a step apart:
    `obs, reward, done, info = env.step(action)`."""
    names = imported_names(text) if imports is None else imports
    if {name.partition(".")[0] for name in names} & ENVIRONMENT_PACKAGES:
        return True
    for match in _STEP.finditer(text):
        start = text.rfind("\n", max(0, match.start() - _LINE), match.start()) + 1
        targets, equals, _ = text[start : match.start()].partition("=")
        targets = _SUBSCRIPT.sub("", targets)
        if equals and "#" not in targets and "(" not in targets:
            if targets.count(",") >= 3 or (targets.count(",") == 2 and ".reset(" in text):
                return True
    return False


def connected(project: Project, path: str) -> bool:
    """Whether the file is imported, directly or not, by one that is about RL, or imports such."""
    part, programs = project.remembered("rl", lambda: _program_files(project))
    start = os.path.abspath(path)
    return start in part or (
        bool(programs) and any(p in programs for p in project.imported_files(start))
    )


def _program_files(project: Project) -> tuple[frozenset[str], frozenset[str]]:
    """The files that are about RL with everything that they import; the same without what is part
    of a large library that has little to do with RL."""
    speaking = []
    for path in project.files:
        data = project.read(path)
        if b".step(" in data or _names_package(data):
            if speaks_of_environments(project.text(path, keep=False), project.imports(path)):
                speaking.append(path)
    imported: dict[str, list[str]] = {}
    part: set[str] = set(speaking)
    programs: set[str] = set()
    for path in speaking:
        reached = _reached(project, path, imported)
        if len(reached) > _LARGE and len(reached.intersection(speaking)) < _SHARE * len(reached):
            part.update(imported[path])
        else:
            programs |= reached
    return frozenset(part | programs), frozenset(programs)


def _names_package(data: bytes) -> bool:
    """Whether a line with the word `import` holds the name of an environment package."""
    lines = []
    end = 0
    while (at := data.find(b"import", end)) >= 0:
        end = data.find(b"\n", at)
        end = end if end >= 0 else len(data)
        lines.append(data[data.rfind(b"\n", 0, at) + 1 : end])
    found = b"\n".join(lines)
    return any(name in found for name in _PACKAGES)


def _reached(project: Project, start: str, imported: dict[str, list[str]]) -> set[str]:
    """A file and all that it imports, directly or not; `imported` remembers the answers."""
    seen = {start}
    reached = [start]
    while reached:
        found: set[str] = set()
        for path in reached:
            if path not in imported:
                imported[path] = project.imported_files(path)
            found.update(imported[path])
        reached = sorted(found - seen)
        seen.update(reached)
    return seen


def torchrl_files(project: Project) -> frozenset[str]:
    """The files that import TorchRL or TensorDict, and all that are connected with one of them."""
    known = project.__dict__.get("_torchrl_files")
    if known is None:
        found = {path for path in project.files if _imports_torchrl(project.read(path))}
        queue = list(found)
        imported: dict[str, list[str]] = {}
        if found:
            for path, users in project.importers.items():
                for user in users:
                    imported.setdefault(user, []).append(path)
        while queue:
            current = queue.pop()
            for near in (*project.importers.get(current, ()), *imported.get(current, ())):
                if near not in found:
                    found.add(near)
                    queue.append(near)
        known = project.__dict__["_torchrl_files"] = frozenset(found)
    return known


def _imports_torchrl(data: bytes) -> bool:
    return (b"torchrl" in data or b"tensordict" in data) and _TORCHRL.search(data) is not None
