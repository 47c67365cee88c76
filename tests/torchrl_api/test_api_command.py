"""`ppolint api`, as it is typed."""

from click.testing import CliRunner

from ppolint.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["api", *arguments])


def test_a_page_says_what_is_swallowed_and_what_raises():
    result = run("ClipPPOLoss")
    assert result.exit_code == 0
    assert "torchrl.objectives.ClipPPOLoss (class), torchrl 0.14.1" in result.output
    assert "entropy_coeff=None" in result.output
    assert "raises for: critic_coef, entropy_coef" in result.output
    assert "SWALLOWED" in result.output
    assert "`normalize_advantage` defaults to" in result.output


def test_an_older_release():
    output = run("torchrl.objectives.ClipPPOLoss", "--torchrl-version", "0.3.1").output
    assert "entropy_coef=0.01" in output and "entropy_coeff=" not in output.split("history")[0]
    assert "unknown keywords: TypeError" in output


def test_a_removed_name_points_to_its_successor():
    output = run("torchrl.collectors.SyncDataCollector").output
    assert "in torchrl 0.2.0 to 0.12.0" in output
    assert "use instead: torchrl.collectors.Collector" in output


def test_an_alias_with_another_name():
    output = run("ExplorationType").output
    assert "public name: tensordict.nn.InteractionType" in output
    assert "members: MODE, MEDIAN, MEAN, RANDOM, DETERMINISTIC" in output


def test_the_difference_between_two_releases():
    output = run("TanhNormal", "--diff", "0.4.0", "0.14.1").output
    assert "`low=-1.0` added" in output and "`min=-1.0` removed" in output


def test_unknown_names_are_an_error_with_a_hint():
    result = run("clippoloss")
    assert result.exit_code == 2 and "ClipPPOLoss" in result.output
    assert run("GAE", "--torchrl-version", "9.9").exit_code == 2
