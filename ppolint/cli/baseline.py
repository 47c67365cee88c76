"""`ppolint baseline`: keep a list of known findings that `check --baseline` does not report."""

from __future__ import annotations

import os
import sys

import click

from ppolint.review.baseline import DEFAULT_NAME

_SETTINGS = {"help_option_names": ["-h", "--help"]}


@click.command(context_settings=_SETTINGS)
@click.argument("action", type=click.Choice(["create", "update", "prune"]))
@click.argument("paths", nargs=-1)
@click.option(
    "--file",
    "file",
    type=click.Path(dir_okay=False),
    default=DEFAULT_NAME,
    show_default=True,
    help="The baseline.",
)
@click.option("--torchrl-version", metavar="VERSION", help="The TorchRL release in use.")
@click.option("--config", type=click.Path(dir_okay=False), help="The configuration file to use.")
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes [default: one a core].")
def command(
    action: str,
    paths: tuple[str, ...],
    file: str,
    torchrl_version: str | None,
    config: str | None,
    isolated: bool,
    jobs: int | None,
) -> None:
    """Keep a list of known findings, so that `check --baseline FILE` reports only others.

    `create` writes the findings of PATHS (default: the current folder) to a new file; `update`
    writes them over the old list; `prune` takes out what is found no more and adds nothing.
    """
    from ppolint.reporters.style import plural
    from ppolint.review.baseline import Baseline
    from ppolint.settings.files import MissingPath
    from ppolint.settings.schema import ConfigurationError

    try:
        if action == "create" and os.path.exists(file):
            raise ConfigurationError(f"{file} is there already: use `ppolint baseline update`")
        old = Baseline.read(file) if action != "create" else Baseline(file)
        found = _findings(paths or (".",), config, isolated, torchrl_version, jobs)
        new = old.pruned(found) if action == "prune" else Baseline.of(file, found)
        new.write()
        known = plural(len(new), "known finding")
        change = f" ({len(old)} before)" if action != "create" else ""
        click.echo(f"{file}: {known}{change}")
    except (ConfigurationError, MissingPath) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


def _findings(
    paths: tuple[str, ...],
    config: str | None,
    isolated: bool,
    torchrl_version: str | None,
    jobs: int | None,
) -> list:
    """What `check` finds; a defect of ppolint ends the run, lest a baseline lacks a file."""
    from ppolint.cli.run_check import say
    from ppolint.engine.plan import Options
    from ppolint.engine.projects import Projects
    from ppolint.engine.run import run
    from ppolint.settings.files import Walker
    from ppolint.settings.load import SettingsResolver

    resolver = SettingsResolver(config, isolated)
    targets = Walker(resolver, lambda message: say(f"warning: {message}")).collect(paths)
    result = run(targets, Options(torchrl_version=torchrl_version, jobs=jobs), Projects(resolver))
    for path, message in result.errors:
        say(f"error: {path}: internal error, please report it: {message}")
    if result.errors:
        sys.exit(2)
    return result.diagnostics
