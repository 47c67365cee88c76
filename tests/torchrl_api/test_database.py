"""The questions rules ask, against facts measured on the releases (see docs/torchrl-api.md)."""

import subprocess
import sys

import pytest

from ppolint.torchrl_api import database
from ppolint.torchrl_api.arguments import ARGUMENTS, RAISING
from ppolint.torchrl_api.database import load
from ppolint.torchrl_api.histories import value_at
from ppolint.torchrl_api.renames import ATTRIBUTES, NAMES
from ppolint.torchrl_api.signatures import Extra


@pytest.fixture(scope="module")
def db():
    return load()


def test_every_release_since_0_2_0_is_there(db):
    assert db.releases["torchrl"][0] == "0.2.0" and "0.14.1" in db.releases["torchrl"]
    assert len(db.releases["torchrl"]) >= 25
    assert db.partners["0.14.1"] == "0.14.3" and db.partners["0.9.0"] == "0.9.1"


def test_the_data_file_is_small():
    assert database.DATA.stat().st_size <= 500_000


def test_loading_imports_no_torch():
    code = "import sys; from ppolint.torchrl_api.database import load; load(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "history, start, expected",
    [
        ([1], 0, [1, 1, 1, 1]),
        ([1], 2, [None, None, 1, 1]),
        ([2, "b"], 0, [None, None, "b", "b"]),
        (["a", 1, "b", 3, None], 0, ["a", "b", "b", None]),
    ],
)
def test_histories(history, start, expected):
    assert [value_at(history, i, start) for i in range(4)] == expected


@pytest.mark.parametrize(
    "path, since, removed",
    [
        ("torchrl.collectors.SyncDataCollector", None, "0.13.1"),
        ("torchrl.collectors.Collector", "0.11.0", None),
        ("torchrl.collectors.collectors.SyncDataCollector", None, "0.13.1"),
        ("torchrl.collectors.collectors.StepCounter", None, "0.11.0"),
        ("torchrl.data.CompositeSpec", None, "0.11.0"),
        ("torchrl.data.Composite", "0.6.0", None),
        ("torchrl.envs.set_exploration_mode", None, "0.6.0"),
        ("torchrl.envs.utils.ExplorationType.DETERMINISTIC", "0.5.0", None),
        ("torchrl.envs.utils.ExplorationType.MODE", None, None),
        ("torchrl.data.rlhf", None, "0.11.0"),
        ("torchrl.objectives.ppo.GAE", None, "0.13.1"),
        ("torchrl.objectives.MAPPOLoss", "0.13.1", None),
        ("tensordict.nn.make_functional", None, "0.15.0"),
    ],
)
def test_lifetimes(db, path, since, removed):
    lifetime = db.lifetime(path)
    assert (lifetime.since, lifetime.removed_in) == (since, removed)


def test_a_name_nobody_ever_had(db):
    assert not db.lifetime("torchrl.objectives.ClipPPOLosss")
    assert db.at("0.14.1").resolve("numpy.array").kind == "external"


@pytest.mark.parametrize(
    "path, identity",
    [
        ("torchrl.objectives.ppo.ClipPPOLoss", "torchrl.objectives.ClipPPOLoss"),
        ("torchrl.collectors.collectors.SyncDataCollector", "torchrl.collectors.Collector"),
        ("torchrl.data.tensor_specs.DiscreteTensorSpec", "torchrl.data.Categorical"),
        ("torchrl.envs.utils.ExplorationType", "tensordict.nn.InteractionType"),
        ("torchrl.objectives.ppo.GAE", "torchrl.objectives.value.GAE"),
        ("torchrl.envs.transforms.transforms.Compose", "torchrl.envs.Compose"),
        ("torchrl.envs.VecNorm", "torchrl.envs.VecNorm"),
        ("numpy.array", None),
    ],
)
def test_one_name_for_all_releases(db, path, identity):
    assert db.identify(path) == identity


@pytest.mark.parametrize("loss", ["PPOLoss", "ClipPPOLoss", "KLPENPPOLoss"])
@pytest.mark.parametrize(
    "release, entropy_coef, entropy_coeff, critic_coef, critic_coeff",
    [
        ("0.3.1", True, False, True, False),
        ("0.4.0", True, False, True, False),
        ("0.8.1", True, False, True, False),
        ("0.9.1", False, True, True, False),
        ("0.9.2", True, True, True, True),
        ("0.10.1", True, True, True, True),
        ("0.11.0", False, True, False, True),
        ("0.14.1", False, True, False, True),
    ],
)
def test_spellings_of_the_coefficients(
    db, loss, release, entropy_coef, entropy_coeff, critic_coef, critic_coeff
):
    signature = db.at(release).signature(f"torchrl.objectives.{loss}")
    assert signature.accepts("entropy_coef") is entropy_coef
    assert signature.accepts("entropy_coeff") is entropy_coeff
    assert signature.accepts("critic_coef") is critic_coef
    assert signature.accepts("critic_coeff") is critic_coeff


@pytest.mark.parametrize(
    "path, release, extra",
    [
        ("torchrl.objectives.ClipPPOLoss", "0.3.1", Extra.REJECTS),
        ("torchrl.objectives.ClipPPOLoss", "0.4.0", Extra.SWALLOWS),
        ("torchrl.objectives.A2CLoss", "0.8.1", Extra.REJECTS),
        ("torchrl.objectives.A2CLoss", "0.9.0", Extra.SWALLOWS),
        ("torchrl.objectives.ReinforceLoss", "0.14.1", Extra.REJECTS),
        ("torchrl.objectives.MAPPOLoss", "0.14.1", Extra.SWALLOWS),
        ("torchrl.objectives.value.GAE", "0.14.1", Extra.REJECTS),
        ("torchrl.collectors.Collector", "0.14.1", Extra.REJECTS),
        ("torchrl.modules.ProbabilisticActor", "0.14.1", Extra.REJECTS),
        ("torchrl.modules.TanhNormal", "0.6.0", Extra.SWALLOWS),
        ("torchrl.modules.TanhNormal", "0.7.0", Extra.REJECTS),
        ("torchrl.envs.GymEnv", "0.14.1", Extra.UNKNOWN),
        ("torchrl.data.Composite", "0.14.1", Extra.UNKNOWN),
    ],
)
def test_what_becomes_of_unknown_keywords(db, path, release, extra):
    assert db.at(release).signature(path).extra is extra


def test_keywords_forwarded_through_inheritance_and_calls(db):
    at = db.at("0.14.1")
    assert at.signature("torchrl.objectives.ClipPPOLoss").accepts("value_key")
    actor = at.signature("torchrl.modules.ProbabilisticActor")
    assert actor.accepts("return_log_prob") and actor.accepts("default_interaction_type")
    assert not actor.accepts("default_interaction_mode")
    assert at.signature("torchrl.data.TensorDictReplayBuffer").accepts("storage")
    assert at.signature("torchrl.envs.ParallelEnv").accepts("serial_for_single")


def test_accepted_keys(db):
    keys = db.at("0.14.1").accepted_keys("torchrl.objectives.ClipPPOLoss")
    assert keys["advantage"] == "'advantage'" and "sample_log_prob" in keys
    assert "advantage_key" not in keys


def names_of(changes):
    return [pytest.param(change, id=change.old) for change in changes]


@pytest.mark.parametrize("change", names_of(NAMES))
def test_successors_exist_in_the_newest_release(db, change):
    at = db.at(db.newest)
    assert change.new is None or at.resolve(change.new) is not None
    gone = at.resolve(change.old) is None
    assert gone or change.deprecated or change.broken_since or change.note


@pytest.mark.parametrize("change", names_of(ARGUMENTS))
def test_new_arguments_are_accepted_by_their_owner(db, change):
    signature = db.at(db.newest).signature(change.owner)
    if change.owner == "torchrl.record.loggers.Logger":
        signature = db.at(db.newest).signature("torchrl.record.loggers.CSVLogger")
    assert signature is not None
    assert change.new is None or signature.accepts(change.new) is not False


@pytest.mark.parametrize("entry", [pytest.param(e, id=f"{e.owner}:{e.name}") for e in RAISING])
def test_raising_arguments_are_still_in_the_signature(db, entry):
    assert db.at(db.newest).signature(entry.owner).accepts(entry.name)


def test_owners_of_attributes_exist(db):
    at = db.at(db.newest)
    assert {c.owner for c in ATTRIBUTES if at.resolve(c.owner) is None} == set()
