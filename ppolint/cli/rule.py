"""`ppolint rule`: explain a rule."""

from __future__ import annotations

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", required=False, metavar="[CODE|NAME]")
@click.option("--all", "all_rules", is_flag=True, help="Explain every rule.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text")
def command(name: str | None, all_rules: bool, output_format: str) -> None:
    """Explain a rule, or list all of them."""
    from ppolint.rules import registry
    from ppolint.rules.docs import markdown, page

    if name is None:
        chosen = list(registry.entries())
    else:
        found = registry.find(name)
        if found is None:
            names = [n for entry in registry.entries() for n in (entry.code, entry.name)]
            hint = registry.suggestion(name, names)
            raise click.UsageError(f"there is no rule {name!r}{hint}")
        chosen = [found]
    if output_format == "json":
        import json

        rows = [
            {**entry._asdict(), "title": page(entry).title, "sections": page(entry).sections}
            for entry in chosen
        ]
        click.echo(json.dumps(rows if name is None else rows[0], indent=2))
    elif name is None and not all_rules:
        width = max(len(entry.name) for entry in chosen)
        for entry in chosen:
            click.echo(f"{entry.code}  {entry.name:<{width}}  {entry.severity:<7}  {entry.summary}")
    else:
        click.echo("\n".join(markdown(page(entry)) for entry in chosen), nl=False)
