"""`-o FILE` where FILE is no ordinary file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from ppolint.cli import main


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    done = CliRunner().invoke(main, ["check", str(tmp_path / "a.py"), "-o", str(pipe)])
    reader.join(10)
    assert done.exit_code == 0
    assert pipe.is_fifo()
    assert read == ["No findings in 1 file.\n"]
