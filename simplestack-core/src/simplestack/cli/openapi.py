"""``simplestack openapi``: the OpenAPI document, without a service."""

import json
from pathlib import Path

import click

from simplestack.cli.configuration import config_option, load


@click.command()
@config_option
@click.option("--hypervisor", help="Its own document alone: a name or an alias.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.",
)
def openapi(config: Path | None, hypervisor: str | None, output: Path | None) -> None:
    """Print the OpenAPI 3.1 document of the service that the settings describe."""
    from simplestack.server.openapi import openapi_document  # noqa: PLC0415  the other commands start without it

    configuration, registry = load(config)
    hypervisors = registry.plugins()
    if hypervisor is not None:
        found = registry.hypervisors.get(hypervisor)
        if found is None:
            raise click.ClickException(registry.explain_missing(hypervisor))
        hypervisors = [found]
    document = openapi_document(hypervisors, asks_for_service_token=bool(configuration.server.tokens))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
