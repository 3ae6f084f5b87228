"""``simplestack operations``: the operations of the REST contract."""

import click

from simplestack.operations.table import OPERATIONS


@click.command()
def operations() -> None:
    """List every operation with its method and path below /HYPERVISOR/HOST."""
    for operation in OPERATIONS:
        click.echo(f"{operation.name:26}{operation.method:8}{operation.path}")
    click.echo(f"{len(OPERATIONS)} operations")
