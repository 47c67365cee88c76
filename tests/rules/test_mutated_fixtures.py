"""Take the one thing out of a file that is right, and the rule about it speaks.

Every `good_*` fixture is changed by each mutation of its rule that applies to it. The scripts in
`fixtures/` are written in five styles: a script, functions, a class, two files, rows by index.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppolint.engine.plan import Options, Planner
from ppolint.engine.projects import Projects
from ppolint.engine.worker import Analyser, Job
from ppolint.settings.files import Target
from ppolint.settings.load import SettingsResolver
from ppolint.source.file import Source

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"

# `name(`, a call over one or more lines with at most one level of parentheses inside.
_CALL = r"\((?:[^()]|\([^()]*\))*\)"
_NO_GRAD = r"\n( *)with torch\.no_grad\(\):\n +(.*)"
MUTATIONS: dict[str, list[tuple[str, str]]] = {
    "PPO301": [(r"check_env_specs\((\w+)\)|(\w+)\.check_env_specs\(\)", r"print(\1\2)")],
    "PPO302": [
        (r", loc=[^,()]*, scale=[^,()]*", ""),
        (r"\n( *)[\w.\[\]]*\.init_stats" + _CALL, r"\n\1pass"),
    ],
    "PPO303": [(r"\n.*load_state_dict" + _CALL, "")],
    "PPO304": [(r"DoubleToFloat\(\),? ?", "")],
    "PPO305": [(r"StepCounter" + _CALL, "RewardSum()")],
    "PPO306": [(r'"terminated": terminated,\n +"truncated": .*', '"terminated": terminated | truncated,')],
    "PPO307": [(r'if __name__ == "__main__":', "if True:")],
    "PPO309": [(r"\(lambda: GymEnv\(([^()]*)\)|(?<=\d, )make_\w+(?=\))", r"(GymEnv(\1)")],
    "PPO310": [(r"RewardSum\(\)", "StepCounter()")],
    "PPO401": [(r"\n +return_log_prob=True,|, return_log_prob=True", "")],
    "PPO404": [(r"\n +spec=[\w.]+(?:\(action=\w+\))?,|, spec=[\w.]+", "")],
    "PPO405": [(r"\n +distribution_kwargs=\{[^}]*\},|, distribution_kwargs=\{[^}]*\}", "")],
    "PPO406": [
        (r"distribution_class=OneHotCategorical", "distribution_class=torch.distributions.Categorical"),
        (r", categorical_action_encoding=True", ""),
    ],
    "PPO407": [(r"distribution_class=IndependentNormal", "distribution_class=torch.distributions.Normal")],
    "PPO408": [(r"\n *(?:value_module|critic|value)\([^()]*(?:\([^()]*\))?[^()]*\)(?=\n)", "")],
    "PPO409": [(r",? ?\w+\.make_tensordict_primer\(\)", "")],
    "PPO410": [(r"InitTracker\(\),? ?", "")],
    "PPO501": [
        (r",?\s*sampler=\w*\.?SamplerWithoutReplacement\([^()]*\)", ""),
    ],
    "PPO502": [(r"(Lazy\w+Storage\((?:max_size=)?)", r"\g<1>10 * ")],
    "PPO503": [(r"\.reshape\(-1\)|\.view\(-1\)|\.flatten\([^()]*\)", "")],
    "PPO504": [(r"(\w+) = (self\.)?(\w+)\.sample\(", r"\1, *_ = \2\3.sample(")],
    "PPO507": [(r"\n *\w+(?:\.\w+)*\.shutdown\(\)", "\n    pass")],
    "PPO509": [(r"\n *\w+(?:\.\w+)*\.update_policy_weights_\([^()]*\)", "")],
    "PPO510": [
        (r", set_exploration_type\(E[\w.]*RANDOM\)", ""),
        (r"\n +default_interaction_type=E[\w.]*RANDOM,", ""),
    ],
    "PPO511": [
        (r"(?:\w+\.)?step_mdp\(((?:[^()]|\([^()]*\))*)\)", r"\1"),
    ],
    "PPO512": [(r"(loss\w*\(\w+)\.to\(\w+\)", r"\1")],
    "PPO513": [(r'\["next", "(reward|done|episode_reward)"\]', r'["\1"]')],
    "PPO515": [(r"\n( *)(\w+) = \2\.to\(", r"\n\1\2.to(")],
    "PPO601": [
        (r"\n( *)(?:\w+ = )?(?:self\.)?(?:advantage_module|gae|estimator|adv_module)\(\w+\)", r"\n\1pass"),
    ],
    "PPO603": [
        (r"((?:self\.)?(?:advantage_module|gae|estimator|adv_module)\()(\w+)\)", r"\1\2.reshape(-1))"),
    ],
    "PPO604": [
        (r"((?:self\.)?(?:advantage_module|gae|estimator|adv_module)\()(\w+)\)", r"\1\2[:, 0])"),
    ],
    "PPO606": [(r"clip_epsilon=", "clip_param=")],
    "PPO607": [
        (r"value_network=[\w.]+", 'value_network=ValueOperator(nn.Linear(4, 1), in_keys=["observation"])'),
    ],
    "PPO608": [
        (r'\s*\+ \w+\["loss_critic"\]', ""),
        (r'\w+\["loss_objective"\]\s*\+ ', ""),
    ],
    "PPO609": [(r'(\w+\["loss_critic"\])', r"0.5 * \1")],
    "PPO612": [(r"average_gae=False|normalize_advantage=False", lambda m: m[0].replace("False", "True"))],
    "PPO613": [(r"torch\.no_grad\(\)", "torch.inference_mode()")],
    "PPO614": [(r'\n +loss_critic_type="\w+",', "")],
    "PPO701": [(r"\n( *)\w+(?:\.\w+)*\.zero_grad\([^()]*\)", r"\n\1pass")],
    "PPO702": [(r"\n( *)\w+(?:\.\w+)*\.backward\(\)", r"\n\1pass")],
    "PPO703": [(r"(\n *\w+\.backward\(\))", r"\1; {optim}.zero_grad()")],
    "PPO704": [(r"(\n *(?:torch\.)?nn\.utils\.clip_grad_norm_\([^\n]*\))(\n *[\w.]+\.step\(\))", r"\2\1")],
    "PPO705": [
        (r"(\w+ = [\w.]*Adam\w*\()[\w.]+\.parameters\(\)", r"\1{actor}.parameters()"),
    ],
    "PPO711": [(r"eval_env\.rollout", "env.rollout"), (r"test_env\.rollout", "env.rollout")],
    "PPO712": [
        (r", torch\.no_grad\(\)|torch\.no_grad\(\), |, torch\.inference_mode\(\)", ""),
        (r"\n@torch\.(?:no_grad|inference_mode)\(\)", ""),
    ],
    "PPO713": [(r", break_when_any_done=False|, break_when_all_done=True", "")],
    "PPO714": [(r"ExplorationType\.DETERMINISTIC", "ExplorationType.MEAN")],
    "PPO715": [(r"ExplorationType\.DETERMINISTIC", "ExplorationType.RANDOM")],
}  # fmt: skip

# Changes after which the file is still right, or says too little.
STILL_RIGHT = {
    "PPO301 good_checked 0": "parts of TorchRL's own, and no PPO loss",
    "PPO302 good_factory_with_arguments 1": "the first environment is never stepped",
    "PPO302 good_numbers_assigned 1": "the first environment is never stepped",
    "PPO302 good_given_statistics 0": "one loop variable for three environments",
    "PPO304 good_converted 0": "the file speaks of float64",
    "PPO307 good_cells_of_marimo 0": "a notebook",
    "PPO406 good_matching 0": "`torch` is not imported there",
    "PPO502 good_emptied_each_batch 0": "emptied",
    "PPO502 good_made_anew_each_batch 0": "made anew",
    "PPO502 good_off_policy_sac 0": "off policy",
    "PPO504 good_own_memory_class 0": "a class of the project",
    "PPO504 good_return_info 0": "a tuple was asked for",
    "PPO513 good_dictionary_of_arrays 0": "a dictionary",
    "PPO604 good_unbound_over_environments 0": "no time to slice",
    "PPO609 good_auxiliary_loss 0": "the coefficient of the loss is 1",
    "PPO609 good_unit_coefficients 0": "the coefficient of the loss is 1",
    "PPO609 good_whole_sum_scaled 0": "the coefficient of the loss is 1",
    "PPO613 good_copied_into_a_buffer 0": "copied",
    "PPO613 good_evaluation_only 0": "evaluation",
    "PPO613 good_no_grad 0": "copied into a buffer",
    "PPO613 good_rows_by_index 0": "copied by the index",
    "PPO703 good_two_optimisers_in_turn 0": "another backward pass comes in between",
    "PPO703 good_projected_gradients 0": "what the step gets is put into .grad by hand",
    "PPO704 good_gradients_by_hand 0": "what the step gets is put into .grad by hand",
}


def _codes(path: Path, text: str, code: str) -> set[str]:
    resolver = SettingsResolver(isolated=True)
    projects = Projects(resolver)
    target = Target(str(path), str(path), resolver.for_folder(str(path.parent)))
    plan = Planner(Options(select=(code,))).plan(target)
    job = Job(str(path), str(path), plan, projects.root_of(str(path)))
    analysis = Analyser(projects).analysis(job, Source.from_text(text))
    assert not analysis.errors
    return {finding.code for finding in analysis.findings}


def _cases():
    for folder in sorted(FIXTURES.glob("PPO[3-7]*")):
        code = folder.name.partition("-")[0]
        for path in sorted(folder.glob("good_*.py")):
            text = path.read_text()
            actor = re.search(r"\n *(\w+) = (?:\w+\.)?ProbabilisticActor\(|\n *(actor) = ", text)
            optim = re.search(r"\n *([\w.]+)\.step\(\)", text)
            for number, (pattern, replacement) in enumerate(MUTATIONS.get(code, ())):
                if isinstance(replacement, str):
                    replacement = replacement.replace(
                        "{actor}", (actor and (actor[1] or actor[2])) or "actor"
                    )
                    replacement = replacement.replace("{optim}", optim[1] if optim else "optim")
                mutated = re.sub(pattern, replacement, text)
                name = f"{code} {path.stem} {number}"
                if mutated != text and name not in STILL_RIGHT:
                    yield pytest.param(path, mutated, code, id=name)


@pytest.mark.parametrize(("path", "text", "code"), list(_cases()))
def test_the_rule_speaks(path, text, code, tmp_path) -> None:
    (tmp_path / ".git").mkdir()
    changed = tmp_path / path.name
    changed.write_text(text)
    assert code in _codes(changed, text, code), text
