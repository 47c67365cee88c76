"""`ppolint review`: report what a change introduces and fixes."""

from __future__ import annotations

import sys
from typing import Any

import click

from ppolint.cli.check import output_options, paired, rules_option
from ppolint.settings.schema import SEVERITIES


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("base", required=False)
@click.option("--staged", is_flag=True, help="Review what is staged, against HEAD (or BASE).")
@click.option(
    "--diff",
    "patch",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Review a patch, applied to HEAD (or BASE) in memory; `-` reads standard input.",
)
@click.option("--all", "everything", is_flag=True, help="Every finding in the touched files.")
@rules_option("--select", "Rules to run: codes, prefixes, names or ALL, separated by commas.")
@rules_option("--ignore", "Rules not to run.")
@rules_option("--extend-select", "Rules to run in addition.")
@output_options
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even when there are new findings.")
@click.option("--severity", type=click.Choice(SEVERITIES), default="info", help="Lowest one shown.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="warning",
    show_default=True,
    help="Lowest severity of a new finding that makes the exit status 1.",
)
@click.option("--torchrl-version", metavar="VERSION", help="The TorchRL release in use.")
@click.option("--config", type=click.Path(dir_okay=False), help="The configuration file to use.")
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes [default: one a core].")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
def command(base: str | None, **options: Any) -> None:
    """Report the findings that a change introduces, and those that it fixes.

    BASE is what the change goes into (default: the default branch of `origin`); HEAD is compared
    with the merge base. `BASE...HEAD` and `BASE..HEAD` mean what they mean to `git diff`. The work
    tree is neither read nor touched: what is not committed is not reviewed (see --staged, --diff).

    Exit status: 0 nothing new, 1 new findings at or above --fail-on, 2 an error.
    """
    from ppolint.cli.run_review import review_change
    from ppolint.review.git import GitError
    from ppolint.settings.schema import ConfigurationError

    try:
        status = review_change(base, paired(options))
        sys.stdout.flush()
    except (ConfigurationError, GitError) as error:
        click.echo(f"error: {error}", err=True)
        status = 2
    except BrokenPipeError:
        from ppolint.cli.streams import hush

        hush()
        status = 0
    sys.exit(status)
