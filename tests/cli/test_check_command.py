"""`ppolint check` as a person meets it: options, exit status, streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ppolint.cli import main

OLD_IMPORT = "from torchrl.collectors import SyncDataCollector\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "old.py").write_text(OLD_IMPORT)
    (tmp_path / "unused.py").write_text("x = 1  # ppolint: ignore[PPO104]\n")
    (tmp_path / "clean.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["check", *arguments], input=stdin)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 1),
        (["clean.py"], 0),
        (["unused.py"], 0),
        (["unused.py", "--fail-on", "info"], 1),
        (["--exit-zero"], 0),
        (["--ignore", "PPO9"], 0),
        (["--select", "PPO002"], 0),
        (["--severity", "error", "unused.py"], 0),
        (["nowhere"], 2),
        (["--select", "PPO9999"], 2),
        (["--output-format", "xml"], 2),
        (["--torchrl-version", "new"], 2),
        (["--torchrl-version", "0.6.0"], 0),
        (["--config", "nowhere.toml"], 2),
    ],
)
def test_exit_status(folder: Path, arguments: list[str], status: int) -> None:
    run = check(*arguments)
    assert run.exit_code == status, run.output
    assert "Traceback" not in run.output


def test_an_unknown_rule_is_told_with_what_was_meant(folder: Path) -> None:
    run = check("--select", "PPO9,removed-nam")
    assert "--select: unknown rule 'removed-nam' (did you mean \"removed-name\"?)" in run.stderr


def test_configuration_mistakes_are_one_line(folder: Path) -> None:
    (folder / "ppolint.toml").write_text("selct = []\n")
    run = check()
    assert run.exit_code == 2
    assert run.stderr.startswith("error: ppolint.toml: unknown key `selct`")
    assert run.stderr.count("\n") == 1


def test_severity_hides_and_does_not_change_the_status(folder: Path) -> None:
    run = check("--severity", "error", "--output-format", "json", "--fail-on", "info", "unused.py")
    assert (json.loads(run.stdout), run.exit_code) == ([], 1)


def test_the_report_goes_to_a_file(folder: Path) -> None:
    run = check("--output-format", "json", "-o", "report.json")
    assert (run.stdout, run.exit_code) == ("", 1)
    assert [row["code"] for row in json.loads(Path("report.json").read_text())] == [
        "PPO901",
        "PPO002",
    ]
    assert check("-o", "no/such/folder/report").exit_code == 2


def test_statistics(folder: Path) -> None:
    assert check("--statistics").stdout == (
        "1  PPO002  unused-suppression (info)\n1  PPO901  removed-name (error)\n"
    )


def test_show_files(folder: Path) -> None:
    assert check("--show-files").stdout == "clean.py\nold.py\nunused.py\n"


def test_show_settings_tells_where_they_come_from(folder: Path) -> None:
    (folder / "ppolint.toml").write_text("ignore = ['PPO105']\ntorchrl-version = '>=0.6,<0.9'\n")
    text = check("--show-settings").stdout
    assert f"Settings: {folder / 'ppolint.toml'}" in text
    assert "ignore: PPO105" in text
    assert "TorchRL 0.6.0 to 0.8" in text
    assert "ppolint.toml" in text.split("TorchRL 0.6.0 to 0.8")[1]


def test_isolated_ignores_our_configuration_and_not_the_dependencies(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        "[project]\ndependencies = ['torchrl==0.6.0']\n[tool.ppolint]\nselect = ['PPO002']\n"
    )
    assert json.loads(check("--isolated", "old.py", "--output-format", "json").stdout) == []
    (folder / "pyproject.toml").write_text("[tool.ppolint]\nselect = ['PPO002']\n")
    assert check("old.py").exit_code == 0
    assert check("--isolated", "old.py").exit_code == 1


def test_a_configuration_file_can_be_named(folder: Path) -> None:
    (folder / "other.toml").write_text("select = ['PPO002']\n")
    assert check("--config", "other.toml").exit_code == 0


def test_standard_input(folder: Path) -> None:
    run = check("-", "--stdin-filename", "pkg/mod.py", "--output-format", "json", stdin=OLD_IMPORT)
    (row,) = json.loads(run.stdout)
    assert (row["filename"], row["code"], run.exit_code) == ("pkg/mod.py", "PPO901", 1)
    assert "SyncDataCollector\n" in check("-", stdin=OLD_IMPORT).stdout
    assert check("-", "old.py", stdin="").exit_code == 2


def test_standard_input_fixed_on_standard_output(folder: Path) -> None:
    fixed = "from torchrl.collectors import Collector\n"
    run = check("-", "--fix", stdin=OLD_IMPORT.replace("\n", "\r\n"))
    assert run.stdout_bytes == fixed.replace("\n", "\r\n").encode()
    assert run.exit_code == 0
    binary = b"\xff\x00"
    run = check("-", "--fix", "--stdin-filename", "torchrl.py", stdin=binary)
    assert run.stdout_bytes == binary


def test_standard_input_that_is_excluded_is_left_alone(folder: Path) -> None:
    name = ["--stdin-filename", "build/old.py"]
    assert check("-", *name, stdin=OLD_IMPORT).exit_code == 1
    assert check("-", *name, "--force-exclude", stdin=OLD_IMPORT).exit_code == 0
    assert check("-", *name, "--force-exclude", "--fix", stdin=OLD_IMPORT).stdout == OLD_IMPORT


def test_colour_is_for_terminals(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\x1b[" not in check().stdout
    # The test runner strips colours itself unless it is told not to.
    run = CliRunner().invoke(main, ["check", "--color", "always"], color=True)
    assert "\x1b[" in run.stdout
    run = CliRunner().invoke(main, ["check"], color=True, env={"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b[" not in run.stdout


def test_results_are_kept_beside_the_project_and_no_cache_keeps_none(folder: Path) -> None:
    check("--no-cache")
    assert not (folder / ".ppolint_cache").exists()
    check()
    assert (folder / ".ppolint_cache").is_dir()
    (folder / "ppolint.toml").write_text("cache-dir = 'elsewhere/kept'\n")
    check()
    assert (folder / "elsewhere" / "kept" / ".gitignore").exists()


def test_a_cache_that_cannot_be_written_is_no_failure(folder: Path) -> None:
    (folder / ".ppolint_cache").write_text("a file in the way")
    run = check("clean.py")
    assert run.exit_code == 0
    assert "warning: results are not kept" in run.stderr


def test_nothing_to_lint(folder: Path) -> None:
    (folder / "empty").mkdir()
    run = check("empty")
    assert (run.stdout, run.exit_code) == ("No findings in 0 files.\n", 0)


def _python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_warm_path_imports_no_parser_no_library_and_no_rule(folder: Path) -> None:
    check()
    (folder / "run.py").write_text("")
    code = (
        "import sys\n"
        "from ppolint.cli import main\n"
        "try:\n    main(['check', 'old.py', 'unused.py', 'clean.py'])\n"
        "except SystemExit as end:\n    status = end.code\n"
        "heavy = {'libcst', 'jinja2', 'packaging', 'torch', 'rich', 'pathspec', 'hashlib',\n"
        "         'multiprocessing', 'difflib', 'tomllib', 'subprocess'} & set(sys.modules)\n"
        "ours = [m for m in sys.modules if m.startswith(('ppolint.rules.', 'ppolint.semantics',\n"
        "        'ppolint.torchrl_api', 'ppolint.source')) and m != 'ppolint.rules.registry']\n"
        "print('STATUS', status, sorted(heavy), ours)\n"
    )
    # Files changed within the clock's grain are hashed, so that the second run is the warm one.
    for name in ("old.py", "unused.py", "clean.py"):
        os.utime(folder / name, (1, 1))
    _python(code, folder)
    from ppolint.engine import cache

    _age_cache(folder, cache.RACY_NS)
    assert "STATUS 1 [] []" in _python(code, folder).stdout


def _age_cache(folder: Path, grain: int) -> None:
    """Make the kept results look as if they were written well after the files."""
    for file in (folder / ".ppolint_cache").glob("*.json"):
        stored = json.loads(file.read_text())
        stored["written"] += 10 * grain
        file.write_text(json.dumps(stored))


def test_importing_the_command_line_imports_no_command(folder: Path) -> None:
    run = _python(
        "import sys, ppolint.cli\n"
        "print([m for m in sys.modules if m.startswith('ppolint.') and m != 'ppolint.cli'])",
        folder,
    )
    assert run.stdout == "[]\n"


def test_a_reader_that_stops_reading_is_no_failure(folder: Path) -> None:
    for number in range(300):
        (folder / f"old_{number}.py").write_text(OLD_IMPORT)
    shell = (
        f"{sys.executable} -m ppolint check --no-cache --jobs 2 | head -1; echo ${{PIPESTATUS[0]}}"
    )
    run = subprocess.run(
        ["bash", "-c", shell], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert run.stdout.startswith("error[PPO901]")
