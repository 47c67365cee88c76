"""What is around a run may be broken: streams, folders, names, a cache. None of it is a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ppolint.cli import main

OLD = "from torchrl.collectors import SyncDataCollector\n"
REVIEW = "review --staged"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / "a.py").write_text(OLD)
    subprocess.run(["git", "add", "-A"], check=True)
    return folder


def shell(command: str, **environment: str) -> tuple[int, str, str]:
    """Status and streams of a shell command; `ppolint` is the one under test."""
    command = command.replace("ppolint ", f"{sys.executable} -m ppolint ")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )
    streams = (done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in streams[1], streams[1]
    assert "Exception ignored" not in streams[1], streams[1]
    return done.returncode, *streams


@pytest.mark.parametrize("command", ["check --no-cache .", REVIEW, "rule --all", "check --diff ."])
def test_a_reader_that_has_seen_enough(project: Path, command: str) -> None:
    assert shell(f"ppolint {command} | true")[2].count("\n") <= 1


@pytest.mark.parametrize(
    ("command", "status"),
    [("check a.py >&-", 1), (f"{REVIEW} >&-", 1), ("check a.py 2>&-", 1), ("check - <&-", 0)],
)
def test_streams_that_are_closed(project: Path, command: str, status: int) -> None:
    assert shell(f"ppolint {command}")[0] == status


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
@pytest.mark.parametrize("command", ["check a.py", REVIEW, "rule --all", "check -o /dev/full a.py"])
def test_a_disk_that_is_full(project: Path, command: str) -> None:
    status, _, told = shell(f"ppolint {command} > /dev/full")
    assert status == 2
    assert "annot be written: No space left on device" in told


def test_a_working_directory_that_is_gone(project: Path) -> None:
    for command in ("check .", "review", "check - < ../a.py"):
        status, _, told = shell(f"mkdir gone; cd gone; rmdir ../gone; ppolint {command}")
        assert (status, told) == (2, "error: the working directory is not there any more\n")


@pytest.mark.parametrize("jobs", ["0", "-1", "x"])
def test_impossible_numbers_of_processes(project: Path, jobs: str) -> None:
    done = CliRunner().invoke(main, ["check", "--jobs", jobs])
    assert done.exit_code == 2 and "--jobs" in done.stderr


@pytest.mark.parametrize("place", [".", "nowhere/report", "a.py/report"])
def test_places_that_no_report_can_have(project: Path, place: str) -> None:
    done = CliRunner().invoke(main, ["check", "--no-cache", "-o", place])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].lower().startswith("error: ")


WITHOUT_POWERS = "setpriv --bounding-set=-dac_override,-dac_read_search,-fowner"


@pytest.mark.skipif(
    os.geteuid() == 0
    and subprocess.run(f"{WITHOUT_POWERS} true", shell=True, check=False).returncode != 0,
    reason="root may write everywhere",
)
def test_a_work_tree_that_cannot_be_written(project: Path) -> None:
    before = f"{WITHOUT_POWERS} " if os.geteuid() == 0 else ""
    project.chmod(0o500)
    try:
        status, printed, told = shell(f"{before}ppolint check .")
        assert status == 1 and "PPO901" in printed
        assert told.startswith("warning: results are not kept: ")
        status, _, told = shell(f"{before}ppolint check --fix .")
        assert status == 1 and "warning: a.py: not fixed: Permission denied" in told
        assert shell(f"{before}ppolint check --add-ignores .")[0] == 2
        assert shell(f"{before}ppolint baseline create")[0] == 2
        assert shell(f"{before}ppolint {REVIEW}")[0] == 1
    finally:
        project.chmod(0o700)
    assert (project / "a.py").read_text() == OLD


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:50],
        lambda text: "[]",
        lambda text: json.dumps({**json.loads(text), "files": [1]}),
        lambda text: json.dumps({**json.loads(text), "entries": {"a": [1]}}),
        lambda text: json.dumps({**json.loads(text), "plans": 3}),
    ],
)
def test_a_cache_that_something_else_has_written(project: Path, spoil) -> None:
    first = CliRunner().invoke(main, ["check"])
    (file,) = (project / ".ppolint_cache").glob("*.json")
    file.write_text(spoil(file.read_text()))
    again = CliRunner().invoke(main, ["check"])
    assert (again.exit_code, again.stdout) == (1, first.stdout)
    file.unlink()
    (project / ".ppolint_cache/.gitignore").unlink()
    (project / ".ppolint_cache").rmdir()
    (project / ".ppolint_cache").write_text("a file")
    assert CliRunner().invoke(main, ["check"]).exit_code == 1


def test_links_in_a_circle_and_to_nowhere(project: Path) -> None:
    (project / "loop.py").symlink_to("loop.py")
    (project / "nowhere.py").symlink_to("/nowhere/a.py")
    (project / "up").symlink_to("..")
    os.mkfifo(project / "pipe.py")
    done = CliRunner().invoke(main, ["check", "--no-cache", "--output-format", "concise"])
    assert done.stdout.splitlines()[1] == "1 finding in 1 file: 1 error."
    for name in ("loop.py", "nowhere.py", "pipe.py"):
        done = CliRunner().invoke(main, ["check", name])
        assert done.exit_code == 2 and done.stderr.startswith(f"error: {name}: ")


def test_odd_names_are_one_line_each(project: Path) -> None:
    names = [b"a b.py", b"new\nline.py", b"\xff.py", "ü.py".encode(), b"-x.py"]
    for name in names:
        Path(os.fsdecode(name)).write_text(OLD)
    for _ in ("without a cache", "with one"):
        status, printed, _ = shell("ppolint check . --output-format concise")
        assert status == 1 and printed.count(": PPO901 ") == 6
        assert "new\\nline.py:1:32:" in printed and "\\udcff.py:1:32:" in printed
    assert shell("ppolint baseline create")[0] == 0
    assert shell("ppolint check . --baseline ppolint-baseline.json")[0] == 0
    assert shell("ppolint check --fix .")[0] == 0
    assert all("Collector" in Path(os.fsdecode(name)).read_text() for name in names)


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_a_terminal_of_letters_only(project: Path, environment: dict[str, str]) -> None:
    (project / "ü.py").write_text(OLD.rstrip() + "  # ßü€\n", encoding="utf-8")
    for command in ("check .", REVIEW, "rule --all", "graph a.py", "check --diff ."):
        assert shell(f"ppolint {command}", **environment)[0] in (0, 1)


def test_what_python_warns_of_in_code_that_is_read(project: Path) -> None:
    (project / "b.py").write_text(
        "import torch\n\nSHOWN = 'a\\ b'\n\n\ndef total(xs, c):\n    x = torch.zeros(())\n"
        "    for d in reversed(xs):\n        x = d + c * x\n    return x\n"
    )
    assert "escape" not in shell("ppolint check --no-cache b.py", PYTHONWARNINGS="always")[2]


def test_very_long_lines_are_cut(project: Path) -> None:
    (project / "a.py").write_text(
        OLD.rstrip() + f"; x = '{'a' * 500_000}'\n" + f"y = [{'1, ' * 99_999}]\n"
    )
    done = CliRunner().invoke(main, ["check", "--no-cache"])
    assert done.exit_code == 1
    assert max(map(len, done.stdout.splitlines())) < 500


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
    ],
)
def test_colours(project: Path, environment: dict[str, str], coloured: bool) -> None:
    assert ("\x1b" in shell("ppolint check a.py", **environment)[1]) == coloured
    for name in ("json", "github", "sarif"):
        options = f"--color always --output-format {name}"
        assert "\x1b" not in shell(f"ppolint check a.py {options}", **environment)[1]


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_colours_on_a_terminal(project: Path, term: str) -> None:
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = term
        os.execv(sys.executable, [sys.executable, "-m", "ppolint", "check", "a.py"])
    printed = b""
    try:
        while data := os.read(terminal, 65_536):
            printed += data
    except OSError:  # how Linux says that nobody writes any more
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert (b"\x1b[" in printed) == (term == "xterm")


def test_notebooks_on_standard_input(project: Path) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["%pylab\n", OLD]}
    notebook = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

    def check(text: str, *options: str):
        arguments = ["check", "-", "--stdin-filename", "n.ipynb", *options]
        return CliRunner().invoke(main, arguments, input=text)

    done = check(notebook, "--output-format", "concise")
    assert done.stdout.startswith("n.ipynb:cell 1:2:32: PPO901")
    done = check(notebook, "--fix")
    assert done.exit_code == 0
    (fixed,) = json.loads(done.stdout)["cells"]
    assert fixed["source"][1] == OLD.replace("SyncData", "")
    assert "cut short" in check("{", "--output-format", "concise").stdout
    assert check("{", "--fix").stdout.startswith("{")
    assert check("").exit_code == 0
    assert check(notebook, "--add-ignores").exit_code == 2


SLOW = "import torch\nfrom torchrl.objectives import ClipPPOLoss\n" + "".join(
    f"def f{i}(a, b):\n    return torch.min(a * b, a.clamp(0.8, 1.2) * b).mean() + {i}\n"
    for i in range(300)
)


def started(project: Path, jobs: int) -> subprocess.Popen:
    """A run that takes a while, in a process group of its own, when its workers are at work."""
    for i in range(40):
        (project / f"slow{i}.py").write_text(SLOW)
    command = [sys.executable, "-m", "ppolint", "check", "--no-cache", "-j", str(jobs)]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while jobs > 1 and time.monotonic() < deadline and len(group(run.pid)) <= jobs:
        time.sleep(0.05)
    time.sleep(0.3)
    return run


def group(leader: int) -> list[int]:
    done = subprocess.run(["pgrep", "-g", str(leader)], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


def test_an_interrupt_is_no_finding(project: Path) -> None:
    run = started(project, 2)
    os.killpg(run.pid, signal.SIGINT)
    printed, told = run.communicate(timeout=60)
    assert (run.returncode, printed, told) == (130, b"", b"\nInterrupted.\n")
    assert group(run.pid) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_do_not_outlive_a_run_that_is_killed(project: Path, number: signal.Signals) -> None:
    run = started(project, 2)
    run.send_signal(number)
    assert run.wait(60) == -number
    deadline = time.monotonic() + 60
    while group(run.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert group(run.pid) == []
