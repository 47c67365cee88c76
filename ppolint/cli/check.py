"""`ppolint check`: lint files, notebooks and folders."""

from __future__ import annotations

import sys
from typing import Any

import click

from ppolint.reporters import FORMATS
from ppolint.settings.schema import SEVERITIES


def _split(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """`--select A,B --select C` as one tuple, each a rule that exists."""
    from ppolint.settings.schema import ConfigurationError
    from ppolint.settings.selection import check

    selectors = tuple(s.strip() for value in values for s in value.split(",") if s.strip())
    for selector in selectors:
        try:
            check(selector)
        except ConfigurationError as error:
            raise click.UsageError(f"{param.opts[0]}: {error}", ctx) from None
    return selectors


def rules_option(option: str, text: str) -> Any:
    """An option that names rules."""
    return click.option(option, multiple=True, metavar="RULES", callback=_split, help=text)


def output_options(function: Any) -> Any:
    """The options for where and how findings are written; `outputs` pairs them."""
    formats = click.option(
        "--output-format",
        type=click.Choice(list(FORMATS)),
        multiple=True,
        help="How findings are printed [default: full]; may be given several times.",
    )
    files = click.option(
        "-o",
        "--output-file",
        type=click.Path(dir_okay=False, allow_dash=True),
        multiple=True,
        help="Write the report there; the first to the first format, and so on (`-`: print it).",
    )
    return formats(files(function))


def paired(options: dict[str, Any]) -> dict[str, Any]:
    """The options with their `outputs`; raises `click.UsageError` for more files than formats."""
    from ppolint.cli import outputs

    try:
        return outputs.paired(options)
    except outputs.TooManyFiles as error:
        raise click.UsageError(str(error)) from None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1)
@rules_option("--select", "Rules to run: codes, prefixes, names or ALL, separated by commas.")
@rules_option("--ignore", "Rules not to run.")
@rules_option("--extend-select", "Rules to run in addition.")
@click.option("--fix", is_flag=True, help="Apply safe fixes.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: unsafe fixes as well.")
@click.option("--fix-only", is_flag=True, help="Apply fixes and report nothing else.")
@click.option("--diff", is_flag=True, help="Print what fixes would change; change nothing.")
@output_options
@click.option(
    "--severity", type=click.Choice(SEVERITIES), default="info", help="Lowest severity shown."
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="warning",
    show_default=True,
    help="Lowest severity that makes the exit status 1.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even when there are findings.")
@click.option(
    "--baseline", type=click.Path(dir_okay=False), help="Report only what is not in this baseline."
)
@click.option(
    "--add-ignores", is_flag=True, help="Write an ignore comment beside every finding instead."
)
@click.option("--statistics", is_flag=True, help="Count findings by rule instead of listing them.")
@click.option("--torchrl-version", metavar="VERSION", help="The TorchRL release in use.")
@click.option("--config", type=click.Path(dir_okay=False), help="The configuration file to use.")
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option("--force-exclude", is_flag=True, help="Exclude named files as well, if configured.")
@click.option("--no-cache", is_flag=True, help="Neither use nor keep results of earlier runs.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes [default: one a core].")
@click.option("--stdin-filename", metavar="PATH", help="With `-`: what standard input is called.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
@click.option("--watch", is_flag=True, help="Lint again whenever a file changes.")
@click.option("--show-files", is_flag=True, help="List the files that would be linted.")
@click.option("--show-settings", is_flag=True, help="Show the settings of the first file.")
def command(paths: tuple[str, ...], **options: Any) -> None:
    """Lint files, notebooks and folders (default: the current folder).

    Exit status: 0 clean, 1 findings at or above --fail-on, 2 an error.
    """
    from ppolint.cli.run_check import executed

    sys.exit(executed(paths, paired(options)))
