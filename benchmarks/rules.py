"""What each step of an analysis costs: parsing, symbolic execution, shared tables, every rule.

`python -m benchmarks.rules [FILE...]` analyses each file many times in one process, with all
rules, and prints the lowest CPU time of every step, in milliseconds. Without a file it takes the
single-file script that `ppolint scaffold` makes. Imports are done before and not counted.

The first rule that asks for a table (the pipeline, the recursions, the users of a value) makes it
for all. So every rule runs twice: the second time is the rule's own, and what the first round took
beyond that is the row "shared tables".
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from ppolint.engine.analysis import RECURSION_LIMIT
from ppolint.rules import registry
from ppolint.semantics.model import FileModel
from ppolint.semantics.parsing import parse
from ppolint.semantics.project import Project
from ppolint.source.file import read_source

SHOWN = 10


def generated_script(folder: Path) -> Path:
    """Write the single-file script of the generator into a folder."""
    from ppolint.scaffold.plan import Options, plan_project
    from ppolint.scaffold.render import render_project
    from ppolint.scaffold.write import write_project

    target = folder / "cartpole"
    options = Options(
        directory=target, action="discrete", env_id="CartPole-v1", name="cartpole", single_file=True
    )
    write_project(target, render_project(plan_project(options)))
    return max(target.rglob("*.py"), key=lambda path: path.stat().st_size)


def analyse(path: Path, rules: list[registry.RuleEntry]) -> dict[str, float]:
    """CPU seconds of every step of one analysis."""
    source = read_source(path)
    project = Project(str(path.parent), lambda: [str(path.resolve())])
    costs: dict[str, float] = {}
    last = time.process_time()

    def lap() -> float:
        nonlocal last
        now = time.process_time()
        taken, last = now - last, now
        return taken

    tree = parse(source.text)
    costs["parsing"] = lap()
    model = FileModel(source, tree, project, None)
    costs["symbolic execution"] = lap()
    for rule in rules:
        list(registry.load(rule.code).findings(model))
    first = lap()
    for rule in rules:
        list(registry.load(rule.code).findings(model))
        costs[f"{rule.code} {rule.name}"] = lap()
    costs["shared tables"] = first - sum(costs[f"{r.code} {r.name}"] for r in rules)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    sys.setrecursionlimit(RECURSION_LIMIT)
    gc.disable()  # as in a check
    rules = [rule for rule in registry.entries() if rule.family != "general"]
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files or [generated_script(Path(folder))]:
            lowest: dict[str, float] = defaultdict(lambda: float("inf"))
            total = float("inf")
            for _ in range(options.rounds):
                costs = analyse(path, rules)
                total = min(total, sum(costs.values()))
                for step, seconds in costs.items():
                    lowest[step] = min(lowest[step], seconds)
                gc.collect()
            report(path, total, lowest)


def report(path: Path, total: float, costs: dict[str, float]) -> None:
    """Print the costs of a file as a Markdown table, its costliest rules by name."""
    steps = ("parsing", "symbolic execution", "shared tables")
    rules = sorted((s for s in costs if s not in steps), key=lambda s: -costs[s])
    print(f"\n{path.name}, {len(path.read_text().splitlines())} lines: {1000 * total:.0f} ms\n")
    print("| step | CPU ms |\n|---|---|")
    for step in (*steps, *rules[:SHOWN]):
        print(f"| {step} | {1000 * costs[step]:.2f} |")
    others = rules[SHOWN:]
    rest = sum(costs[step] for step in others)
    print(f"| the other {len(others)} rules together | {1000 * rest:.2f} |")


if __name__ == "__main__":
    main()
