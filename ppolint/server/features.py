"""What the server answers to: changes of documents, requests for actions and for help."""

from __future__ import annotations

from lsprotocol import types as lsp
from pygls.workspace import TextDocument

from ppolint.server.server import Server, Shown, edit_of, span


def serve() -> Server:
    """A server with all features, not started yet."""
    server = Server()
    _follow_documents(server)
    _follow_notebooks(server)

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix]),
    )
    def actions(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        document = ls.workspace.get_text_document(params.text_document.uri)
        meant = [s for s in _shown(ls, document) if _meet(s.published.range, params.range)]
        made = [make(document, each) for make in (_fix, _ignore) for each in meant]
        return [action for action in made if action is not None]

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
        document = ls.workspace.get_text_document(params.text_document.uri)
        place = lsp.Range(params.position, params.position)
        meant = [s for s in _shown(ls, document) if _meet(s.published.range, place)]
        codes = dict.fromkeys(each.finding.code for each in meant)
        if not codes:
            return None
        text = "\n\n---\n\n".join(_page(code) for code in codes)
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text))

    return server


def _follow_documents(server: Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: lsp.DidOpenTextDocumentParams) -> None:
        ls.look(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: lsp.DidChangeTextDocumentParams) -> None:
        ls.look_soon(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, params: lsp.DidSaveTextDocumentParams) -> None:
        ls.linter.forget()
        ls.look(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
        ls.close(params.text_document.uri)


def _follow_notebooks(server: Server) -> None:
    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    async def opened(ls: Server, params: lsp.DidOpenNotebookDocumentParams) -> None:
        ls.look(params.notebook_document.uri)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    async def changed(ls: Server, params: lsp.DidChangeNotebookDocumentParams) -> None:
        ls.look_soon(params.notebook_document.uri)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_SAVE)
    async def saved(ls: Server, params: lsp.DidSaveNotebookDocumentParams) -> None:
        ls.linter.forget()
        ls.look(params.notebook_document.uri)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    async def closed(ls: Server, params: lsp.DidCloseNotebookDocumentParams) -> None:
        ls.forget_wait(params.notebook_document.uri)
        for cell in params.cell_text_documents:
            ls.close(cell.uri)


def _shown(server: Server, document: TextDocument) -> list[Shown]:
    """What is shown in a document, looked at anew if it has just been edited."""
    notebook = server.workspace.get_notebook_document(cell_uri=document.uri)
    server.look(notebook.uri if notebook is not None else document.uri)
    return server.shown.get(document.uri, [])


def _meet(first: lsp.Range, second: lsp.Range) -> bool:
    return first.start <= second.end and second.start <= first.end


def _fix(document: TextDocument, shown: Shown) -> lsp.CodeAction | None:
    """The action that applies the fix of a finding; the safe ones are preferred."""
    fix = shown.finding.fix
    if fix is None:
        return None
    label = {"safe": "", "unsafe": " (changes what is computed)", "suggest": " (a suggestion)"}
    edits = [edit_of(document, edit) for edit in fix.edits]
    return lsp.CodeAction(
        title=f"{shown.finding.code}: {fix.message}{label[fix.applicability]}",
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=[shown.published],
        is_preferred=fix.applicability == "safe",
        edit=lsp.WorkspaceEdit(changes={document.uri: edits}),
    )


def _ignore(document: TextDocument, shown: Shown) -> lsp.CodeAction | None:
    """The action that writes an ignore comment at the end of the statement."""
    from ppolint.review.ignores import ignore_edits
    from ppolint.source.file import Source

    finding = shown.finding
    source = Source.from_text(document.source)
    edits = []
    for edit in ignore_edits(source, [finding._replace(cell=None)]):
        places = (*source.row_column(edit.start), *source.row_column(edit.end))
        edits.append(lsp.TextEdit(span(document, *places), edit.text))
    if not edits:
        return None
    return lsp.CodeAction(
        title=f"{finding.code}: ignore here",
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=[shown.published],
        edit=lsp.WorkspaceEdit(changes={document.uri: edits}),
    )


def _page(code: str) -> str:
    from ppolint.rules.docs import markdown, page
    from ppolint.rules.registry import by_code

    return markdown(page(by_code()[code]))
