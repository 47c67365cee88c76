"""The language server, spoken to by a client over standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

OLD = "from torchrl.collectors import SyncDataCollector\n"
Talk = Callable[["Client"], Awaitable[None]]


class Client(LanguageClient):
    """A client that collects what is published."""

    def __init__(self, folder: Path) -> None:
        super().__init__("test", "1")
        self.folder = folder
        self.published: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()
        self.logged: list[str] = []

        @self.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: lsp.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @self.feature(lsp.WINDOW_LOG_MESSAGE)
        def log(params: lsp.LogMessageParams) -> None:
            self.logged.append(params.message)

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    async def next(self) -> lsp.PublishDiagnosticsParams:
        return await asyncio.wait_for(self.published.get(), 60)

    def open(self, name: str, text: str) -> None:
        item = lsp.TextDocumentItem(self.uri(name), "python", 1, text)
        self.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def change(self, name: str, text: str, version: int) -> None:
        self.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(version, self.uri(name)),
                [lsp.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    async def actions(self, uri: str, line: int, column: int) -> list[lsp.CodeAction]:
        place = lsp.Position(line, column)
        answer = await self.text_document_code_action_async(
            lsp.CodeActionParams(
                lsp.TextDocumentIdentifier(uri),
                lsp.Range(place, place),
                lsp.CodeActionContext([]),
            )
        )
        return [a for a in answer or [] if isinstance(a, lsp.CodeAction)]


@pytest.fixture
def talk(tmp_path: Path) -> Callable[[Talk], None]:
    (tmp_path / ".git").mkdir()

    def run(conversation: Talk) -> None:
        async def session() -> None:
            client = Client(tmp_path)
            await client.start_io(sys.executable, "-m", "ppolint", "server", "--stdio")
            capabilities = lsp.ClientCapabilities(
                general=lsp.GeneralClientCapabilities(
                    position_encodings=[lsp.PositionEncodingKind.Utf16]
                )
            )
            await client.initialize_async(
                lsp.InitializeParams(
                    capabilities, root_uri=tmp_path.as_uri(), process_id=os.getpid()
                )
            )
            client.initialized(lsp.InitializedParams())
            await conversation(client)
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()

        asyncio.run(session())

    return run


def edited(text: str, edits: list[lsp.TextEdit]) -> str:
    """The text after edits of one line each, in UTF-16 units."""
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character))[::-1]:
        start, end = edit.range.start, edit.range.end
        assert start.line == end.line
        raw = lines[start.line].encode("utf-16-le")
        raw = (
            raw[: 2 * start.character]
            + edit.new_text.encode("utf-16-le")
            + raw[2 * end.character :]
        )
        lines[start.line] = raw.decode("utf-16-le")
    return "\n".join(lines)


def test_findings_come_as_one_types_and_go(talk: Callable[[Talk], None]) -> None:
    async def conversation(client: Client) -> None:
        client.open("a.py", OLD)
        first = await client.next()
        (shown,) = first.diagnostics
        assert (shown.code, shown.source) == ("PPO901", "ppolint")
        assert shown.severity == lsp.DiagnosticSeverity.Error
        assert shown.range == lsp.Range(lsp.Position(0, 31), lsp.Position(0, 48))
        for version in range(2, 6):
            client.change("a.py", "x" * version + " = 1\n", version)
        after = await client.next()
        # Of five keystrokes in a row, one look at the last state.
        assert (after.version, list(after.diagnostics)) == (5, [])
        client.change("a.py", "\n" + OLD, 6)
        assert (await client.next()).diagnostics[0].range.start.line == 1
        identifier = lsp.TextDocumentIdentifier(client.uri("a.py"))
        client.text_document_did_close(lsp.DidCloseTextDocumentParams(identifier))
        assert (await client.next()).diagnostics == ()

    talk(conversation)


def test_actions_fix_and_ignore(talk: Callable[[Talk], None]) -> None:
    text = "x = '😀'; " + OLD

    async def conversation(client: Client) -> None:
        client.open("a.py", text)
        (shown,) = (await client.next()).diagnostics
        # The character beyond the basic plane counts twice for this client.
        assert shown.range.start == lsp.Position(0, 41)
        fix, ignore = await client.actions(client.uri("a.py"), 0, 45)
        assert fix.is_preferred
        assert fix.edit is not None and fix.edit.changes is not None
        changed = edited(text, fix.edit.changes[client.uri("a.py")])
        assert changed == text.replace("SyncDataCollector", "Collector")
        assert ignore.title == "PPO901: ignore here"
        assert ignore.edit is not None and ignore.edit.changes is not None
        silenced = edited(text, ignore.edit.changes[client.uri("a.py")])
        assert silenced == text.rstrip() + "  # ppolint: ignore[PPO901]\n"
        client.change("a.py", silenced, 2)
        while (last := await client.next()).version != 2:
            pass
        assert last.diagnostics == ()
        assert await client.actions(client.uri("a.py"), 0, 2) == []

    talk(conversation)


def test_hover_shows_the_page_of_the_rule(talk: Callable[[Talk], None]) -> None:
    async def conversation(client: Client) -> None:
        client.open("a.py", OLD + "x = 1\n")
        await client.next()

        async def hover(line: int) -> lsp.Hover | None:
            identifier = lsp.TextDocumentIdentifier(client.uri("a.py"))
            place = lsp.Position(line, 35 if line == 0 else 0)
            return await client.text_document_hover_async(lsp.HoverParams(identifier, place))

        page = await hover(0)
        assert page is not None and isinstance(page.contents, lsp.MarkupContent)
        assert page.contents.value.startswith("# removed-name (PPO901)\n")
        assert await hover(1) is None

    talk(conversation)


def test_notebooks_are_one_module(talk: Callable[[Talk], None]) -> None:
    cells = ["x = 1\n", "import torchrl\n", "# a\n" + OLD]

    async def conversation(client: Client) -> None:
        items = [
            lsp.TextDocumentItem(client.uri("n.ipynb") + f"#c{i}", "python", 1, text)
            for i, text in enumerate(cells)
        ]
        client.notebook_document_did_open(
            lsp.DidOpenNotebookDocumentParams(
                lsp.NotebookDocument(
                    client.uri("n.ipynb"),
                    "jupyter-notebook",
                    1,
                    [lsp.NotebookCell(lsp.NotebookCellKind.Code, item.uri) for item in items],
                ),
                items,
            )
        )
        published = {p.uri: p.diagnostics for p in [await client.next() for _ in cells]}
        assert [len(published[item.uri]) for item in items] == [0, 0, 1]
        assert published[items[2].uri][0].range.start == lsp.Position(1, 31)
        fix, _ = await client.actions(items[2].uri, 1, 35)
        assert fix.edit is not None and fix.edit.changes is not None
        made = edited(cells[2], fix.edit.changes[items[2].uri])
        assert made == cells[2].replace("SyncDataCollector", "Collector")

    talk(conversation)


def test_settings_are_read_and_their_errors_told(talk: Callable[[Talk], None]) -> None:
    async def conversation(client: Client) -> None:
        settings = client.folder / "ppolint.toml"
        settings.write_text('ignore = ["PPO901"]\n')
        client.open("a.py", OLD)
        assert (await client.next()).diagnostics == ()
        settings.write_text("ignores = 1\n")
        identifier = lsp.TextDocumentIdentifier(client.uri("a.py"))
        client.text_document_did_save(lsp.DidSaveTextDocumentParams(identifier))
        assert (await client.next()).diagnostics == ()
        assert "unknown key `ignores`" in client.logged[0]
        settings.unlink()
        client.text_document_did_save(lsp.DidSaveTextDocumentParams(identifier))
        assert len((await client.next()).diagnostics) == 1

    talk(conversation)


def test_code_that_does_not_parse_yet_is_no_catastrophe(talk: Callable[[Talk], None]) -> None:
    async def conversation(client: Client) -> None:
        client.open("a.py", OLD + "def f(:\n")
        (shown,) = (await client.next()).diagnostics
        assert shown.code == "PPO001"
        # There is nothing to fix, and a comment would not silence it.
        assert await client.actions(client.uri("a.py"), 1, 6) == []
        client.change("a.py", OLD, 2)
        while (last := await client.next()).version != 2:
            pass
        assert [d.code for d in last.diagnostics] == ["PPO901"]

    talk(conversation)
