"""``simplestack operations``: list the operations of the REST API."""

import click

from simplestack.operations.table import OPERATIONS


@click.command()
def operations() -> None:
    """List all operations with their method and their path below /HYPERVISOR/HOST."""
    for operation in OPERATIONS:
        click.echo(f"{operation.name:26}{operation.method:8}{operation.path}")
    click.echo(f"{len(OPERATIONS)} operations")
