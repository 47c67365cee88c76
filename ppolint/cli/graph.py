"""`ppolint graph`: the TorchRL pipeline of a file as a picture."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ppolint.reporters.graph import FORMATS

if TYPE_CHECKING:
    from ppolint.findings import Diagnostic
    from ppolint.source.file import Source


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--format",
    "style",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="; ".join(f"{name}: {line}" for name, (_, line) in FORMATS.items()) + ".",
)
@click.option("-o", "--output-file", type=click.Path(dir_okay=False), help="Write it there.")
@click.option("--no-findings", is_flag=True, help="Draw only, run no rule.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours of the text format.",
)
@click.option("--torchrl-version", metavar="VERSION", help="The TorchRL release to judge by.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A settings file.")
@click.option("--isolated", is_flag=True, help="Ignore all settings files.")
def command(
    file: str,
    style: str,
    output_file: str | None,
    no_findings: bool,
    color: str,
    torchrl_version: str | None,
    config: str | None,
    isolated: bool,
) -> None:
    """Draw the TorchRL pipeline of FILE: what it builds, how that is wired, what the loop does.

    Nothing is imported or run. Findings of the rules are shown where they belong. The exit status
    is 0 whatever they are: use `ppolint check` to judge.
    """
    from ppolint.cli.run_check import use_color, write_out
    from ppolint.reporters.graph import render
    from ppolint.reporters.graph.build import graph_of
    from ppolint.semantics.model import ParseError, build
    from ppolint.settings.schema import ConfigurationError
    from ppolint.source.file import read_source

    try:
        source = read_source(file)
        project, diagnostics = _judged(
            source, torchrl_version, config, isolated, with_findings=not no_findings
        )
        model = build(source, project)
        text = render(
            graph_of(model, diagnostics),
            style,
            style == "text" and use_color({"color": color, "output_file": output_file}),
        )
        write_out(text, output_file)
    except ParseError as error:
        click.echo(
            f"ppolint: {file}:{error.row}: no pipeline in a syntax error: {error.message}", err=True
        )
        sys.exit(2)
    except (ConfigurationError, ValueError) as error:
        click.echo(f"ppolint: {error}", err=True)
        sys.exit(2)


def _judged(
    source: Source,
    torchrl_version: str | None,
    config: str | None,
    isolated: bool,
    with_findings: bool,
) -> tuple[object, list[Diagnostic]]:
    """The project of a file, and what the rules say about the file."""
    from ppolint.engine.projects import Projects
    from ppolint.engine.run import Options
    from ppolint.settings.files import Target
    from ppolint.settings.load import SettingsResolver

    resolver = SettingsResolver(config, isolated)
    projects = Projects(resolver)
    absolute = os.path.abspath(source.path)
    project = projects.project(projects.root_of(absolute))
    if not with_findings:
        return project, []
    from ppolint.cli.stdin_check import analyse_bytes, result_of

    target = Target(source.path, absolute, resolver.for_folder(os.path.dirname(absolute)))
    with open(absolute, "rb") as stream:
        data = stream.read()
    done = analyse_bytes(data, target, Options(torchrl_version=torchrl_version), projects)
    result = result_of(target, done)
    for path, message in result.errors:
        click.echo(f"ppolint: {path}: internal error, please report it: {message}", err=True)
    return project, result.diagnostics
