"""`ppolint api`: the signature and the history of a TorchRL or TensorDict name."""

from __future__ import annotations

import sys

import click


@click.command(name="api")
@click.argument("name")
@click.option(
    "--torchrl-version",
    metavar="VERSION",
    help="Show the API of this TorchRL release (default: the newest one known).",
)
@click.option(
    "--diff",
    nargs=2,
    metavar="OLD NEW",
    help="Show only what changed between two releases of TorchRL.",
)
def command(name: str, torchrl_version: str | None, diff: tuple[str, str] | None) -> None:
    """Show the signature of NAME in a TorchRL release, and what happened to it since.

    NAME is a dotted path (torchrl.objectives.ClipPPOLoss) or the last part of one (ClipPPOLoss,
    ReplayBuffer.sample). Nothing is downloaded, and TorchRL need not be installed.
    """
    from ppolint.torchrl_api import describe
    from ppolint.torchrl_api.database import load

    db = load()
    for release in (torchrl_version, *(diff or ())):
        if release is not None and release not in db.releases["torchrl"]:
            known = ", ".join(db.releases["torchrl"])
            raise click.BadParameter(f"no release {release} of TorchRL is known (known: {known})")
    paths = describe.find(db, name)
    if not paths:
        close = describe.close_matches(db, name)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        click.echo(f"ppolint: no release of TorchRL or TensorDict has {name}.{hint}", err=True)
        sys.exit(2)
    text = [
        describe.difference(db, path, *diff)
        if diff
        else describe.page(db, path, torchrl_version or db.newest)
        for path in paths
    ]
    click.echo("\n\n".join(text))
