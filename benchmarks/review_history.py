"""Reviews the latest commits of repositories that touch reinforcement-learning code.

`python benchmarks/review_history.py COUNT REPOSITORY...` (git folders) prints what each review finds
new and fixed, then a table: reviews, failures, seconds, findings.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from ppolint.engine.plan import Options
from ppolint.review.git import GitError, Repository
from ppolint.review.review import review
from ppolint.review.sides import of_commits


def commits(repository: Repository, count: int) -> list[str]:
    """The latest commits, merges left out, whose diff of Python code speaks of RL."""
    words = r"torchrl|tensordict|advantage|log_prob|rollout|reward"
    listed = repository.text(
        "log", "--no-merges", "--format=%H", f"-{count}", f"-G{words}", "HEAD", "--", "*.py"
    )
    return listed.split()


def main(count: int, folders: list[str]) -> None:
    rows = []
    for folder in folders:
        repository = Repository(folder)
        name = os.path.basename(os.path.dirname(repository.git_folder)) or folder
        seconds, new, fixed, failures = [], 0, 0, 0
        for commit in commits(repository, count):
            started = time.perf_counter()
            try:
                sides = of_commits(repository, f"{commit}~1..{commit}")
                outcome = review(repository, sides, Options(jobs=1))
            except GitError as error:
                print(f"{name} {commit[:10]} {error}")
                continue
            seconds.append(time.perf_counter() - started)
            failures += len(outcome.errors)
            new, fixed = new + len(outcome.new), fixed + len(outcome.fixed)
            for sign, found in (("+", outcome.new), ("-", outcome.fixed)):
                for d in found:
                    print(f"{name} {commit[:10]} {sign} {d.path}:{d.row} {d.code} {d.message[:90]}")
            for path, message in outcome.errors:
                print(f"{name} {commit[:10]} ERROR {path} {message}")
        if seconds:
            middle, most = statistics.median(seconds), max(seconds)
            rows.append((name, len(seconds), failures, middle, most, new, fixed))
    print("| project | reviews | failures | median s | longest s | new | fixed |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print("| {} | {} | {} | {:.1f} | {:.1f} | {} | {} |".format(*row))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
