"""Generated projects, and a way to run them as their users do: in a process of their own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppolint.scaffold.plan import COLLECTORS, Options, Plan

LOGGERS = [(), ("tensorboard",), ("wandb",), ("tensorboard", "wandb")]
COMBINATIONS = [
    Options(
        directory=Path("-".join([action, collector, *loggers, "single" if single else "project"])),
        action=action,
        collector=collector,
        loggers=loggers,
        single_file=single,
        name="demo",
    )
    for action, collector, loggers, single in itertools.product(
        ("discrete", "continuous"), COLLECTORS, LOGGERS, (False, True)
    )
]


@dataclass(frozen=True)
class Project:
    """A generated project on disk."""

    plan: Plan

    @property
    def folder(self) -> Path:
        return self.plan.directory

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which its code is found, on one core, without a network."""
        return {
            **os.environ,
            "PYTHONPATH": str(self.folder / "src"),
            "OMP_NUM_THREADS": "1",
            "RAY_AUTH_MODE": "disabled",
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
        }

    def training_command(self, *options: str) -> list[str]:
        if self.plan.single_file:
            return [sys.executable, f"{self.plan.name}.py", *options]
        return [sys.executable, "-m", f"{self.plan.name}.training", *options]

    def train(self, *options: str, seconds: int = 540) -> tuple[dict[str, Any], str]:
        """Train and return what `result.json` holds, and all output."""
        output = self.run(self.training_command(*options), seconds)
        (result,) = (self.folder / "runs").glob("*/result.json")
        return json.loads(result.read_text()), output

    def run(self, command: list[str], seconds: int = 540) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
