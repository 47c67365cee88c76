"""Work on many items in processes that may die.

A pool of the standard library gives up when a worker is killed. Here each worker has one item at
a time, so that it is known which one killed it (a parser that overflows its stack, a rule that
never ends); that item is reported and a new worker takes the next.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

# A forked worker is replaced when it has made this many objects, some 100 MB: that costs nothing,
# while finding the garbage among them takes a sixth of the time.
_FULL = 500_000
_COLLECTED = 200_000


class Crash(NamedTuple):
    """What came of an item whose worker died: the signal it died of, or its exit status."""

    reason: str
    killed_by: int | None


class _Worker:
    def __init__(self, context: Any, work: Callable[[Any], Any], others: Sequence[_Worker]) -> None:
        self.connection, theirs = context.Pipe()
        forked = context.get_start_method() == "fork"
        # A forked process has our ends of all pipes as well. As long as it keeps them open, no
        # worker is told that we are gone.
        ours = [self.connection, *(other.connection for other in others)] if forked else []
        arguments = (theirs, ours, work, forked)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.item: int | None = None
        self.is_full = False
        self.deadline = float("inf")

    def give(self, index: int, item: Any, limit: float) -> None:
        self.item = index
        self.deadline = time.monotonic() + limit
        self.connection.send(item)

    def end(self) -> None:
        self.connection.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def _serve(
    connection: Connection,
    inherited: Sequence[Connection],
    work: Callable[[Any], Any],
    forked: bool,
) -> None:
    """Answers with (result, whether it was the last one) until there is nothing more to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for each in inherited:
        each.close()
    gc.disable()
    gc.freeze()
    full = False
    while not full:
        try:
            item = connection.recv()
        except (EOFError, OSError):
            break
        done = work(item)
        full = forked and gc.get_count()[0] > _FULL
        try:
            connection.send((done, full))
        except OSError:  # nobody is there any more
            break
        if not forked and gc.get_count()[0] > _COLLECTED:
            gc.collect()
    os._exit(0)


def run(
    work: Callable[[Any], Any], items: Sequence[Any], processes: int, time_limit: float
) -> Iterator[tuple[int, Any]]:
    """Yields (index, result or `Crash`) for every item, as they are done.

    Workers are forked where the system can, so that what the caller has imported is shared; else
    `work` and the items must be picklable. `time_limit` is in seconds for one item.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    waiting = list(range(len(items)))[::-1]
    workers = []
    try:
        for _ in range(min(processes, len(items))):
            workers.append(_start(context, work, workers, waiting, items, time_limit))
        while workers:
            timeout = max(0.0, min(w.deadline for w in workers) - time.monotonic())
            ready = wait([w.connection for w in workers], min(timeout, 3600.0))
            for worker in list(workers):
                if worker.connection in ready:
                    yield _received(worker)
                elif time.monotonic() > worker.deadline:
                    worker.process.kill()
                    assert worker.item is not None
                    yield worker.item, Crash(f"it took more than {time_limit:.0f} s", None)
                    worker.item = None
                else:
                    continue
                useful = worker.item is not None and not worker.is_full
                if useful and waiting and worker.process.is_alive():
                    index = waiting.pop()
                    worker.give(index, items[index], time_limit)
                    continue
                worker.end()
                workers.remove(worker)
                if waiting:
                    workers.append(_start(context, work, workers, waiting, items, time_limit))
    finally:
        for worker in workers:
            worker.end()


def _start(
    context: Any,
    work: Callable[[Any], Any],
    others: Sequence[_Worker],
    waiting: list[int],
    items: Sequence[Any],
    limit: float,
) -> _Worker:
    worker = _Worker(context, work, others)
    index = waiting.pop()
    worker.give(index, items[index], limit)
    return worker


def _received(worker: _Worker) -> tuple[int, Any]:
    assert worker.item is not None
    index = worker.item
    try:
        done, worker.is_full = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        worker.item = None
        code = worker.process.exitcode or 0
        if code < 0:
            return index, Crash(f"it was killed by {signal.Signals(-code).name}", -code)
        return index, Crash(f"it ended with exit status {code}", None)
    return index, done
