"""The `ppolint` command: a table of commands, each imported when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from ppolint import __version__

# command -> (module with a click command named `command`, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("ppolint.cli.check", "Lint files, notebooks and folders."),
    "rule": ("ppolint.cli.rule", "Explain a rule."),
    "api": ("ppolint.cli.api", "Show the signature and history of a TorchRL name."),
    "graph": ("ppolint.cli.graph", "Draw the TorchRL pipeline of a file."),
    "review": ("ppolint.cli.review", "Report what a change introduces and fixes."),
    "baseline": ("ppolint.cli.baseline", "Create, update or prune a baseline of known findings."),
    "scaffold": ("ppolint.cli.scaffold", "Generate a TorchRL PPO project that trains."),
    "server": ("ppolint.cli.server", "Start the language server."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(COMMANDS[name][0]).command

    def main(self, *arguments: Any, **options: Any) -> Any:
        """The command line, with one line for what is wrong around it, instead of a traceback."""
        from ppolint.cli import streams

        streams.prepare()
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            reason = streams.reason(error)
            if reason is None:
                raise
            click.echo(f"error: {reason}", err=True)
            streams.hush()
            sys.exit(streams.ERROR)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Click would say 1, which is the status of findings.
            from ppolint.cli.streams import INTERRUPTED

            click.echo("\nInterrupted.", err=True)
            sys.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ppolint")
def main() -> None:
    """Review PyTorch reinforcement-learning code, and scaffold TorchRL PPO projects that train."""
