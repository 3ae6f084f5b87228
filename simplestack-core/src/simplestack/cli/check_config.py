"""``simplestack check-config``: check the settings."""

from pathlib import Path

import click

from simplestack.cli.configuration import config_option, load_to_serve


@click.command("check-config")
@config_option
def check_config(config: Path | None) -> None:
    """Check whether the service can start with these settings.

    Checks that all settings are known and valid, and that the plugins can be loaded. Prints the warnings that
    the service would log. Exits with 1 if the service would not start.
    """
    from simplestack.server.gunicorn import start_warnings  # noqa: PLC0415  the other commands start without it

    configuration, registry = load_to_serve(config)
    for failure in registry.failures:
        click.echo(f"warning: not loaded: {failure}", err=True)
    for warning in start_warnings(configuration, registry):
        click.echo(f"warning: {warning}", err=True)
    names = ", ".join(hypervisor.name for hypervisor in registry.plugins()) or "none"
    services = ", ".join(service.name for service in registry.services) or "none"
    click.echo(f"ok: listens on {configuration.server.bind}, hypervisors: {names}, services: {services}")
