"""``simplestack openapi``: print the OpenAPI document."""

import json
from pathlib import Path

import click

from simplestack.cli.configuration import config_option, load


@click.command()
@config_option
@click.option(
    "--hypervisor", help="Only the operations of this hypervisor (name or alias), with its own types."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: standard output.",
)
def openapi(config: Path | None, hypervisor: str | None, output: Path | None) -> None:
    """Print the OpenAPI 3.1 document of the service with these settings."""
    from simplestack.server.openapi import openapi_document  # noqa: PLC0415  the other commands start without it

    configuration, registry = load(config)
    hypervisors = registry.plugins()
    if hypervisor is not None:
        selected = registry.hypervisors.get(hypervisor)
        if selected is None:
            raise click.ClickException(registry.explain_missing(hypervisor))
        hypervisors = [selected]
    document = openapi_document(hypervisors, asks_for_service_token=bool(configuration.server.tokens))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
