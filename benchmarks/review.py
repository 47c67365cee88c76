"""What a review costs, beside a check of the changed file.

`python benchmarks/review.py` makes a repository of a hundred files, twenty of them training scripts that
share helpers, changes one script in the last commit, and prints the times of new processes: `ppolint
check FILE` and `ppolint review HEAD~1`, both without a cache, turn by turn.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
HELPER = '''"""Numbers and names."""

import math


def schedule(step: int, total: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * step / total))


def name(step: int) -> str:
    return f"helper{number}-{{step}}"
'''


def project(folder: Path) -> str:
    """A repository with a last commit that changes one file; returns that file."""
    script = next(FIXTURES.glob("PPO503-*/fixed_batched_script.py")).read_text()
    for number in range(80):
        (folder / f"helper{number}.py").write_text(HELPER.replace("{number}", str(number)))
    for number in range(20):
        imports = "".join(f"import helper{number + 20 * i}\n" for i in range(4))
        text = script.replace("import torch\n", f"{imports}import torch\n", 1)
        (folder / f"train{number}.py").write_text(text)
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    changed = folder / "train7.py"
    for text in (changed.read_text(), changed.read_text().replace(".reshape(-1)", "")):
        changed.write_text(text)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "change"], check=True)
    return changed.name


def seconds(folder: Path, *arguments: str) -> tuple[float, float]:
    """Wall and processor time of a new process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "ppolint", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr.decode()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = project(folder)
        check, review = ("check", "--no-cache", file), ("review", "HEAD~1")
        seconds(folder, *check)
        times: list[list[tuple[float, float]]] = [[], []]
        for _ in range(ROUNDS):
            for at, arguments in enumerate((check, review)):
                times[at].append(seconds(folder, *arguments))
    print("| command | wall s | processor s |")
    print("|---|---|---|")
    middles = [[statistics.median(column) for column in zip(*rows, strict=True)] for rows in times]
    for arguments, (wall, used) in zip((check, review), middles, strict=True):
        print(f"| `ppolint {' '.join(arguments)}` | {wall:.2f} | {used:.2f} |")
    wall, used = (b / a for a, b in zip(*middles, strict=True))
    print(f"| ratio | {wall:.2f} | {used:.2f} |")


if __name__ == "__main__":
    main()
