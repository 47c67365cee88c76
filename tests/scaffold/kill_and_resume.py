"""Kills a run at random moments and resumes it; prints a JSON line per attempt.

Run in the folder of a generated project: `python kill_and_resume.py ATTEMPTS`. The runs are forks
of this process, which has imported everything: a run starts at once, and is killed while it works.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from demo.checkpoint import RunCheckpoint
from demo.config import Config
from demo.training import train

LOG = Path("run.log")


def saved_frames() -> int:
    """Frames of the newest checkpoint that is complete, looked at without touching anything."""
    complete = sorted(Path("killed").glob("*/checkpoints/checkpoint-*/manifest.json"))
    return int(complete[-1].parent.name.split("-")[1]) if complete else 0


def start(config: Config) -> int:
    """Start a run that does not end by itself, in a fork, and return its process id."""
    LOG.write_text("")
    child = os.fork()
    if child == 0:
        log = os.open(LOG, os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        train(config)
        os._exit(1)
    return child


def main() -> None:
    chance = random.Random(0)
    config = Config(
        runs="killed",
        total_frames=10**9,
        eval_every=10**9,
        checkpoint_every=Config().frames_per_batch,
        target_return=None,
    )
    for _ in range(int(sys.argv[1])):
        before = saved_frames()
        child = start(config)
        # Some runs are killed right after their start, most after one to three more checkpoints, at a
        # moment that is as likely within the saving of the next one as between two.
        wanted = before + chance.choice([0, 1, 1, 2, 3]) * config.frames_per_batch
        while saved_frames() < wanted or "from frame" not in LOG.read_text():
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(json.dumps({"before": before, "after": saved_frames(), "log": LOG.read_text()}))
        (run,) = Path("killed").iterdir()
        config = dataclasses.replace(config, resume=str(run))
    checkpoint = RunCheckpoint(run, config)
    leftovers = len(list((run / "checkpoints").glob(".*")))
    print(json.dumps({"complete": checkpoint.exists(), "leftovers": leftovers}))


if __name__ == "__main__":
    main()
