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


def saved_frames(run: Path, config: Config) -> int | None:
    """Frames of the newest checkpoint that is complete, looked at without touching anything."""
    complete = sorted(run.glob("checkpoints/checkpoint-*/manifest.json"))
    return int(complete[-1].parent.name.split("-")[1]) if complete else None


def main() -> None:
    delays = random.Random(0)
    config = Config(
        runs="killed",
        total_frames=10**9,
        eval_every=10**9,
        checkpoint_every=Config().frames_per_batch,
        target_return=None,
    )
    run: Path | None = None
    for _ in range(int(sys.argv[1])):
        before = saved_frames(run, config) if run else None
        child = os.fork()
        if child == 0:
            log = os.open("run.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            train(config if run is None else dataclasses.replace(config, resume=str(run)))
            os._exit(1)  # a run of 10**9 frames does not end
        time.sleep(delays.uniform(0.7, 2.5))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        (run,) = Path("killed").iterdir()
        after = saved_frames(run, config)
        if after is None:
            run_started = Path("run.log").read_text()
            print(json.dumps({"before": before, "after": after, "log": run_started}), flush=True)
            continue
        print(
            json.dumps(
                {
                    "killed": os.WIFSIGNALED(status),
                    "before": before,
                    "after": after,
                    "log": Path("run.log").read_text(),
                    "leftovers": len(list((run / "checkpoints").glob(".*"))),
                }
            ),
            flush=True,
        )
    checkpoint = RunCheckpoint(run, config)
    print(
        json.dumps(
            {
                "complete": checkpoint.exists(),
                "leftovers": len(list((run / "checkpoints").glob(".*"))),
            }
        )
    )


if __name__ == "__main__":
    main()
