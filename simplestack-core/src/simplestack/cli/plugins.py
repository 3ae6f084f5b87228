"""``simplestack plugins``: list the plugins and their operations."""

from pathlib import Path

import click

from simplestack.cli.configuration import config_option, load
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.installing import install_advice


@click.command()
@config_option
def plugins(config: Path | None) -> None:
    """List the installed plugins, and the operations that each hypervisor implements.

    Exits with 1 if a plugin cannot be loaded.
    """
    _, registry = load(config)
    hypervisors = registry.plugins()
    for hypervisor in hypervisors:
        click.echo(_line(hypervisor))
    for service in registry.services:
        click.echo(f"{service.name:10} {service.distribution} {service.version}  {service.title} (service)")
    for off in registry.services_off:
        name, its = off.installed.name, off.installed
        title = f"{off.plugin.title} (service, off: add {name!r} to server.services)"
        click.echo(f"{name:10} {its.distribution} {its.version}  {title}")
    for name in registry.absent():
        click.echo(f"{name:10} not installed; {install_advice(name)}")
    click.echo()
    _table(hypervisors)
    failures = registry.failures + registry.service_failures
    if failures:
        click.echo()
        for failure in failures:
            click.echo(f"not loaded: {failure}", err=True)
        raise click.exceptions.Exit(1)


def _line(hypervisor: Hypervisor) -> str:
    plugin = hypervisor.plugin
    aliases = f", also {', '.join(plugin.aliases)}" if plugin.aliases else ""
    tested = f"\n{'':10} tested against: {plugin.tested_against}" if plugin.tested_against else ""
    return f"{plugin.name:10} {hypervisor.distribution} {hypervisor.version}  {plugin.title}{aliases}{tested}"


def _table(hypervisors: list[Hypervisor]) -> None:
    click.echo(f"{'operation':26}" + "".join(f"{hypervisor.name:>10}" for hypervisor in hypervisors))
    for operation in OPERATIONS:
        marks = "".join(f"{_mark(hypervisor, operation.hooks):>10}" for hypervisor in hypervisors)
        click.echo(f"{operation.name:26}{marks}")
    totals = "".join(f"{f'{len(hypervisor.operations)}/{len(OPERATIONS)}':>10}" for hypervisor in hypervisors)
    click.echo(f"{'':26}{totals}")


def _mark(hypervisor: Hypervisor, hooks: tuple[str, ...]) -> str:
    implemented = sum(map(hypervisor.implements, hooks))
    return "yes" if implemented == len(hooks) else "partly" if implemented else "-"
