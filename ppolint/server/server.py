"""The language server protocol on top of the linter, with pygls.

Diagnostics are published a moment after the last keystroke. Rows and columns of the protocol are
0-based, in the units that client and server have agreed upon: pygls converts them.
"""

from __future__ import annotations

import asyncio
import gc
from typing import NamedTuple

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument
from pygls.workspace.position_codec import ServerTextPosition, ServerTextRange

from ppolint import __version__
from ppolint.findings import Diagnostic, DiagnosticEdit
from ppolint.server.linter import Linter, notebook_bytes
from ppolint.settings.schema import ConfigurationError

# Seconds without a keystroke after which a file is looked at.
DELAY = 0.2
# Seconds without a request after which garbage is collected.
PAUSE = 0.1
SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "info": lsp.DiagnosticSeverity.Information,
}


class Shown(NamedTuple):
    """A finding as it is shown in a document."""

    finding: Diagnostic
    published: lsp.Diagnostic


class Server(LanguageServer):
    """The server, with what it has published last for each document (a cell of a notebook too)."""

    def __init__(self) -> None:
        cells = [lsp.NotebookCellLanguage(language="python")]
        notebooks = lsp.NotebookDocumentFilterWithNotebook(
            notebook=lsp.NotebookDocumentFilterNotebookType(notebook_type="jupyter-notebook"),
            cells=cells,
        )
        super().__init__(
            "ppolint",
            __version__,
            notebook_document_sync=lsp.NotebookDocumentSyncOptions(
                notebook_selector=[notebooks], save=True
            ),
        )
        self.linter = Linter()
        self.shown: dict[str, list[Shown]] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._tidying: asyncio.TimerHandle | None = None

    def look_soon(self, uri: str) -> None:
        """Look at a document (or the notebook called `uri`) once its author pauses."""
        self.forget_wait(uri)
        loop = asyncio.get_running_loop()
        self._waiting[uri] = loop.call_later(DELAY, self.look, uri)

    def forget_wait(self, uri: str) -> None:
        waiting = self._waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()

    def look(self, uri: str) -> None:
        """Look at a document or notebook now."""
        self.forget_wait(uri)
        # What a look leaves behind is thrown away after its answer, not in the middle of the next.
        gc.disable()
        self._tidy_soon()
        notebook = self.workspace.get_notebook_document(notebook_uri=uri)
        if notebook is None:
            document = self.workspace.get_text_document(uri)
            found = self._found(uri, document.source.encode("utf-8", "surrogatepass"))
            self._publish(document, found)
            return
        kinds = [cell.kind == lsp.NotebookCellKind.Code for cell in notebook.cells]
        documents = [self.workspace.get_text_document(cell.document) for cell in notebook.cells]
        data = notebook_bytes([(k, d.source) for k, d in zip(kinds, documents, strict=True)])
        found = self._found(uri, data)
        for number, document in enumerate(documents, 1):
            self._publish(document, [d for d in found if d.cell == number])

    def _tidy_soon(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
        self._tidying = asyncio.get_running_loop().call_later(PAUSE, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        gc.collect()
        if not gc.get_freeze_count():
            gc.freeze()  # modules and tables stay: there is no need to look at them again

    def _found(self, uri: str, data: bytes) -> list[Diagnostic]:
        path = to_fs_path(uri)
        if path is None or not path.endswith((".py", ".pyi", ".ipynb")):
            return []  # a document that has no place on the disk has no project
        try:
            outcome = self.linter.lint(path, data)
        except ConfigurationError as error:
            self._tell(lsp.MessageType.Error, str(error))
            return []
        for message in outcome.errors:
            self._tell(
                lsp.MessageType.Error, f"{path}: internal error, please report it: {message}"
            )
        return outcome.diagnostics

    def _tell(self, kind: lsp.MessageType, message: str) -> None:
        self.window_log_message(lsp.LogMessageParams(kind, message))

    def _publish(self, document: TextDocument, found: list[Diagnostic]) -> None:
        shown = [Shown(each, _published(document, each)) for each in found]
        self.shown[document.uri] = shown
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(
                document.uri, [each.published for each in shown], document.version
            )
        )

    def close(self, uri: str) -> None:
        """A document is not open any more: it has no diagnostics then."""
        self.forget_wait(uri)
        self.shown.pop(uri, None)
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))


def span(document: TextDocument, row: int, column: int, end_row: int, end_column: int) -> lsp.Range:
    """A range of the protocol for rows and columns that are 1-based, in characters."""
    return document.range_to_client_units(
        ServerTextRange(
            ServerTextPosition(row - 1, column - 1), ServerTextPosition(end_row - 1, end_column - 1)
        )
    )


def edit_of(document: TextDocument, edit: DiagnosticEdit) -> lsp.TextEdit:
    """An edit of the protocol."""
    place = span(document, edit.row, edit.column, edit.end_row, edit.end_column)
    return lsp.TextEdit(place, edit.text)


def _published(document: TextDocument, d: Diagnostic) -> lsp.Diagnostic:
    text = d.message + (f"\n{d.help}" if d.help else "")
    return lsp.Diagnostic(
        range=span(document, d.row, d.column, d.end_row, d.end_column),
        message=text,
        severity=SEVERITIES[d.severity],
        code=d.code,
        source="ppolint",
        data=d.fingerprint,
    )
