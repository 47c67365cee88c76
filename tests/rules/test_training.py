"""Generated projects are clean, and every way to break their training is reported.

Each mutation takes one thing out of a generated program, or puts one in, that a person might; the
rule about it has to fire somewhere in the project.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from ppolint.engine.projects import Projects
from ppolint.engine.run import Analyser, Job, Options, Planner
from ppolint.scaffold.plan import Options as ScaffoldOptions
from ppolint.scaffold.plan import plan_project
from ppolint.scaffold.render import render_project
from ppolint.scaffold.write import write_project
from ppolint.settings.files import Target
from ppolint.settings.load import SettingsResolver
from ppolint.source.file import read_source

FAMILIES = ("PPO5", "PPO6", "PPO7")


class Mutation(NamedTuple):
    code: str
    before: str
    after: str


STEP = "        self.optimizer.step()\n"
ZERO = "        self.optimizer.zero_grad(set_to_none=True)\n"
CLIP = "        nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)\n"
MUTATIONS = [
    Mutation("PPO501", "            sampler=SamplerWithoutReplacement(),\n", ""),
    Mutation("PPO502", "(config.frames_per_batch, device", "(10 * config.frames_per_batch, device"),
    Mutation("PPO503", ".select(*LOSS_KEYS).reshape(-1)", ".select(*LOSS_KEYS)"),
    Mutation(
        "PPO504",
        "            for minibatch in self.buffer:\n",
        "            for _ in range(4):\n                minibatch, *_ = self.buffer.sample()\n",
    ),
    Mutation("PPO506", "        trust_policy=True,\n", "        split_trajs=True,\n"),
    Mutation("PPO508", "        trust_policy=True,\n", "        init_random_frames=1000,\n"),
    Mutation("PPO513", 'data["next", "episode_reward"]', 'data["episode_reward"]'),
    Mutation("PPO513", 'done = data["next", "done"]', 'done = data["done"]'),
    Mutation("PPO515", "data = data.to(self.device)", "data.to(self.device)"),
    Mutation("PPO601", "                self.advantage(data)\n", "                pass\n"),
    Mutation(
        "PPO602",
        "losses.append(self.step(minibatch))",
        "losses.append(self.step(self.advantage(minibatch)))",
    ),
    Mutation("PPO603", "data = data.to(self.device)", "data = data.to(self.device).reshape(-1)"),
    Mutation(
        "PPO607",
        "value_network=critic,",
        'value_network=ValueOperator(nn.Linear(4, 1), in_keys=["observation"]),',
    ),
    Mutation("PPO608", ' + losses["loss_entropy"]', ""),
    Mutation("PPO608", ' + losses["loss_critic"]', ""),
    Mutation("PPO608", 'losses["loss_objective"] + losses["loss_critic"]', 'losses["loss_critic"]'),
    Mutation(
        "PPO609", '+ losses["loss_critic"]', '+ self.config.critic_coeff * losses["loss_critic"]'
    ),
    Mutation("PPO701", ZERO, ""),
    Mutation("PPO702", STEP, ""),
    Mutation("PPO702", "        total.backward()\n", ""),
    Mutation("PPO703", STEP + ZERO, ZERO + STEP),
    Mutation("PPO704", CLIP + STEP, STEP + CLIP),
    Mutation("PPO705", "list(self.loss.parameters())", "list(actor.parameters())"),
    Mutation("PPO705", "list(self.loss.parameters())", "list(critic.parameters())"),
]


def lint(folder: Path) -> set[str]:
    """The codes of these families that are found in the files of a project."""
    resolver = SettingsResolver(isolated=True)
    projects = Projects(resolver)
    analyser = Analyser(projects)
    found = set()
    for path in sorted(folder.rglob("*.py")):
        target = Target(str(path), str(path), resolver.for_folder(str(path.parent)))
        plan = Planner(Options(select=FAMILIES)).plan(target)
        job = Job(str(path), str(path), plan, projects.root_of(str(path)))
        analysis = analyser.analysis(job, read_source(path))
        assert not analysis.errors
        found |= {finding.code for finding in analysis.findings}
    return found


@pytest.fixture(params=[("continuous", False), ("discrete", True)], ids=["project", "single-file"])
def generated(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A generated program, as a project or as a single file."""
    action, single = request.param
    plan = plan_project(
        ScaffoldOptions(directory=tmp_path / "demo", action=action, single_file=single, name="demo")
    )
    write_project(plan.directory, render_project(plan))
    return plan.directory


def test_generated_programs_are_clean(generated: Path) -> None:
    assert lint(generated) == set()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.code}-{m.before.strip()[:40]}")
def test_every_mutation_is_reported(generated: Path, mutation: Mutation) -> None:
    places = [
        path
        for path in generated.rglob("*.py")
        if not path.name.startswith("test_") and mutation.before in path.read_text("utf-8")
    ]
    assert len(places) == 1, "the generated program has changed: adapt the mutation"
    text = places[0].read_text("utf-8").replace(mutation.before, mutation.after, 1)
    places[0].write_text(text, "utf-8")
    assert mutation.code in lint(generated)
