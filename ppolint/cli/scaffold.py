"""`ppolint scaffold`: ask, plan, show, write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command(name="scaffold")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option(
    "--discrete", is_flag=True, help="Discrete actions; CartPole-v1 unless --env is given."
)
@click.option(
    "--continuous",
    is_flag=True,
    help="Continuous actions; InvertedDoublePendulum-v5 unless --env is given.",
)
@click.option("--env", "env_id", metavar="ID", help="Gymnasium id of the environment.")
@click.option("--num-envs", type=int, metavar="N", help="Environments in each collector process.")
@click.option(
    "--collector",
    type=click.Choice(["sync", "multi-sync", "multi-async", "ray"]),
    default="sync",
    show_default=True,
    help="Where data is collected: in this process, in several, or on a Ray cluster.",
)
@click.option(
    "--logger",
    default="csv",
    show_default=True,
    metavar="LIST",
    help="Of csv (always on), tensorboard, wandb; comma-separated.",
)
@click.option("--single-file", is_flag=True, help="One script instead of a project.")
@click.option("--name", help="Name of the Python package; default: from DIRECTORY.")
@click.option("--dry-run", is_flag=True, help="Show the plan and the files, and write nothing.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def command(
    directory: Path | None,
    discrete: bool,
    continuous: bool,
    env_id: str | None,
    logger: str,
    dry_run: bool,
    force: bool,
    yes: bool,
    **choices: Any,
) -> None:
    """Generate a TorchRL PPO project that trains.

    DIRECTORY is made if it is not there; by default it is named after the environment.
    """
    from ppolint.scaffold.errors import ScaffoldError
    from ppolint.scaffold.plan import Options, describe, plan_project
    from ppolint.scaffold.render import draw_tree, render_project
    from ppolint.scaffold.write import check_destination, write_project

    if discrete and continuous:
        raise _fail("--discrete and --continuous exclude each other")
    action = "discrete" if discrete else "continuous" if continuous else None
    asking = not yes and not (action or env_id) and sys.stdin.isatty() and sys.stdout.isatty()
    if asking:
        action, env_id, choices["collector"], directory = _ask(choices["collector"], directory)
    loggers = tuple(part.strip() for part in logger.split(",") if part.strip())
    try:
        plan = plan_project(
            Options(directory=directory, action=action, env_id=env_id, loggers=loggers, **choices)
        )
        files = render_project(plan)
        check_destination(plan.directory, files, force=force)
        click.echo(describe(plan))
        click.echo(f"\n{draw_tree(plan.directory, list(files))}")
        if dry_run:
            click.echo("\nNothing written (--dry-run).")
            return
        if asking and not click.confirm("\nWrite these files?", default=True):
            return
        write_project(plan.directory, files, force=force)
    except ScaffoldError as error:
        raise _fail(str(error)) from error
    click.echo("\nNext:")
    for line in _next_commands(plan):
        click.echo(f"  {line}")


def _fail(message: str) -> click.ClickException:
    error = click.ClickException(message)
    error.exit_code = 2
    return error


def _ask(collector: str, directory: Path | None) -> tuple[str, str, str, Path]:
    """Ask for what matters most; everything else has a default that works."""
    from ppolint.scaffold.plan import COLLECTORS, DEFAULT_ENVIRONMENTS

    action = click.prompt("Actions", type=click.Choice(["discrete", "continuous"]))
    env_id = click.prompt("Environment", default=DEFAULT_ENVIRONMENTS[action])
    collector = click.prompt("Collector", type=click.Choice(COLLECTORS), default=collector)
    folder = click.prompt("Folder", default=str(directory or "ppo_project"))
    return action, env_id, collector, Path(folder)


def _next_commands(plan: Any) -> list[str]:
    extras = [name for name in ("tensorboard", "wandb") if name in plan.loggers]
    if plan.single_file:
        script = f"{plan.name}.py"
        return [f"cd {plan.directory}", f"head -25 {script}  # what to install", f"python {script}"]
    install = f"pip install -e '.[{','.join(extras)}]'" if extras else "pip install -e ."
    return [f"cd {plan.directory}", install, f"python -m {plan.name}.training"]
