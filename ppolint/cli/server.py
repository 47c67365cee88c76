"""`ppolint server`: the language server, on standard input and output."""

from __future__ import annotations

import sys

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--stdio", is_flag=True, help="Accepted, as editors pass it: there is no other way.")
def command(stdio: bool) -> None:
    """Start the language server on standard input and output.

    It is the extra `lsp`: pip install "ppolint[lsp]".
    """
    try:
        import pygls  # noqa: F401
    except ImportError:
        click.echo('error: the language server needs pip install "ppolint[lsp]"', err=True)
        sys.exit(2)
    from ppolint.server.features import serve

    serve().start_io()
