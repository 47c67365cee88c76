"""ppolint beside other linters, over the same files: `python -m benchmarks.lint CORPUS`.

Every round runs each tool once, so that a busy machine slows all of them alike; the medians of wall
and CPU time and the highest peak memory are printed as a Markdown table. "cold" runs have no
cache and one process where the tool can be told so, "warm" ones a cache that is filled by a run
before. ppolint runs all rules that are on by default.

    --tools a,b       some of the tools below
    --rounds N        rounds to take the median of (default 5)
    --python PATH     an interpreter that has flake8 and ruff (default: this one)
    --torchfix PATH   an interpreter that has torchfix, which needs an older libcst
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Measure(NamedTuple):
    """One run: seconds of wall and CPU time (children included), peak memory of a process in MB."""

    wall: float
    cpu: float
    peak: float


def measured(command: list[str], folder: Path) -> Measure:
    """Runs a command, whose output and exit status do not matter."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    reader, writer = os.pipe()
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(os.devnull, "wb") as nothing:
            subprocess.run(
                command, cwd=folder, env=environment, stdout=nothing, stderr=nothing, check=False
            )
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = f"{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss / 1024}"
        os.write(writer, report.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        cpu, peak = map(float, pipe.read().split())
    os.waitpid(child, 0)
    return Measure(time.perf_counter() - started, cpu, peak)


def commands(python: str, torchfix: str | None, folder: str) -> dict[str, list[str]]:
    """What is run, by name; `folder` is for caches. The first run of a warm one fills its cache."""
    cache = Path(folder) / "ppolint.toml"
    cache.write_text(f"cache-dir = '{folder}/ppolint'\n")
    ppolint = [sys.executable, "-m", "ppolint", "check", "--exit-zero"]
    ruff = [python, "-m", "ruff", "check", "--exit-zero", "--isolated", "--select", "F"]
    # `python -m ruff` starts an interpreter first; the program itself does not.
    program = shutil.which("ruff", path=str(Path(python).parent)) or shutil.which("ruff")
    if program is not None:
        ruff[:3] = [program]
    made = {
        "ppolint cold 1 job": [*ppolint, "--isolated", "--no-cache", "--jobs", "1", "."],
        "ppolint cold": [*ppolint, "--isolated", "--no-cache", "."],
        "ppolint warm": [*ppolint, "--config", str(cache), "."],
        "ruff F cold": [*ruff, "--no-cache", "."],
        "ruff F warm": [*ruff, "--cache-dir", f"{folder}/ruff", "."],
        "flake8 F 1 job": [python, "-m", "flake8", "--isolated", "--select", "F", "-j1", "."],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    if torchfix is not None:
        made["torchfix"] = [torchfix, "-m", "torchfix", "--select", "ALL", "."]
    return made


def python_files_only(corpus: Path, target: Path) -> int:
    """Copies the `.py` files of a corpus, so that all tools see the same; returns how many."""
    count = 0
    for path in corpus.rglob("*.py"):
        if path.is_file() and not path.is_symlink():
            copy = target / path.relative_to(corpus)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
            count += 1
    return count


def table(results: dict[str, list[Measure]]) -> str:
    """The medians, as Markdown."""
    lines = ["| tool | wall s | CPU s | peak MB |", "|---|---|---|---|"]
    for name, runs in results.items():
        wall, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
        lines.append(f"| {name} | {wall:.3f} | {cpu:.3f} | {max(run.peak for run in runs):.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--tools", default="")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--torchfix")
    arguments = parser.parse_args()
    # An installed package has its bytecode; a checkout that nobody has run has not.
    compileall.compile_dir(ROOT / "ppolint", quiet=2)
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "corpus"
        files.mkdir()
        count = python_files_only(arguments.corpus, files)
        lines = sum(path.read_bytes().count(b"\n") for path in files.rglob("*.py"))
        tools = commands(arguments.python, arguments.torchfix, scratch)
        wanted = [name.strip() for name in arguments.tools.split(",") if name.strip()]
        tools = {name: c for name, c in tools.items() if not wanted or name in wanted}
        results: dict[str, list[Measure]] = {name: [] for name in tools}
        for name, command in tools.items():
            if name.endswith("warm"):
                # Twice: what changed within the clock's grain is trusted only later.
                measured(command, files)
                time.sleep(3)
                measured(command, files)
        for _ in range(arguments.rounds):
            for name, command in tools.items():
                results[name].append(measured(command, files))
        print(f"{count:,} files, {lines:,} lines, {arguments.rounds} rounds\n")
        print(table(results))


if __name__ == "__main__":
    main()
