"""How long an editor waits for findings: from a keystroke to the diagnostics of its version.

`python benchmarks/server.py FILE...` opens each file with a client of the language server over
standard input and output, changes it twenty times, and prints the median and the longest wait without
the pause that the server makes for the next keystroke; and the processor time of the server for a change,
which says more than the wait on a machine that has other things to do.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from ppolint.server.server import DELAY

CHANGES = 20


def processor_time(process: int) -> float:
    """Seconds of a process, as Linux counts them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def waits(file: Path) -> tuple[float, list[float], float]:
    """Seconds for the first look at a file, for each change of it, and of the processor for one."""
    client = LanguageClient("benchmark", "1")
    published: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()
    client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda p: published.put_nowait(p))
    client.feature(lsp.WINDOW_LOG_MESSAGE)(lambda p: print(p.message, file=sys.stderr))
    await client.start_io(sys.executable, "-m", "ppolint", "server", "--stdio")
    await client.initialize_async(
        lsp.InitializeParams(lsp.ClientCapabilities(), process_id=os.getpid())
    )
    client.initialized(lsp.InitializedParams())
    text, uri = file.read_text(), file.resolve().as_uri()

    async def version(number: int) -> float:
        started = time.perf_counter()
        while (await published.get()).version != number:
            pass
        return time.perf_counter() - started

    item = lsp.TextDocumentItem(uri, "python", 1, text)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    first = await version(1)
    assert client._server is not None
    seconds, before = [], processor_time(client._server.pid)
    for number in range(2, CHANGES + 2):
        # A new letter in the middle, as one types a name: nothing of the last time can be used.
        row = text.count("\n") // 2
        place = lsp.Position(row, 0)
        client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(number, uri),
                [lsp.TextDocumentContentChangePartial(lsp.Range(place, place), f"# {number}\n")],
            )
        )
        seconds.append(await version(number) - DELAY)
    used = (processor_time(client._server.pid) - before) / CHANGES
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return first, seconds, used


def main(files: list[str]) -> None:
    print("| file | lines | first ms | median ms | longest ms | processor ms |")
    print("|---|---|---|---|---|---|")
    for name in files:
        file = Path(name)
        first, seconds, used = asyncio.run(waits(file))
        middle, most = statistics.median(seconds), max(seconds)
        lines = len(file.read_text().splitlines())
        times = " | ".join(f"{1000 * each:.0f}" for each in (first, middle, most, used))
        print(f"| {file.name} | {lines} | {times} |")


if __name__ == "__main__":
    main(sys.argv[1:])
