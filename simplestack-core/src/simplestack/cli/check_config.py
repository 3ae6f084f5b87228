"""``simplestack check-config``: check the settings."""

from functools import partial
from pathlib import Path

import click

from simplestack.cli.configuration import config_option, settings_error
from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.lazy_sdk import import_errors
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.registry import Registry


@click.command("check-config")
@config_option
@click.option(
    "--running",
    is_flag=True,
    help="The service is running: its address may be in use, by the service itself.",
)
def check_config(config: Path | None, *, running: bool) -> None:
    """Check whether the service can start with these settings.

    Tries everything that the service needs: the settings, the certificate and its key, the address to listen
    on, and the plugins. Prints all problems, and the warnings that the service would log. Exits with 1 if
    there is a problem: the service does not start, or a plugin that the settings name cannot be used.
    """
    from simplestack.server.gunicorn import start_warnings  # noqa: PLC0415  the other commands start without it
    from simplestack.server.preparation import prepare  # noqa: PLC0415  the same

    try:
        prepared = prepare(config, is_running=running)
    except SettingsError as error:
        raise settings_error(error.problems) from None
    configuration, registry = prepared.configuration, prepared.registry
    expected, others = _unusable_plugins(configuration, registry)
    for warning in (*others, *start_warnings(configuration, registry)):
        click.echo(f"warning: {warning}", err=True)
    problems = (*prepared.problems, *expected)
    if problems:
        raise settings_error(problems)
    names = ", ".join(hypervisor.name for hypervisor in registry.plugins()) or "none"
    services = ", ".join(service.name for service in registry.services) or "none"
    click.echo(f"ok: listens on {configuration.server.bind}, hypervisors: {names}, services: {services}")


def _unusable_plugins(configuration: Configuration, registry: Registry) -> tuple[list[str], list[str]]:
    """Return why hypervisor plugins cannot be used: those that the settings name, and the others."""
    reasons = [(failure.name, f"not loaded: {failure}") for failure in registry.failures]
    reasons += registry.unreadable_files
    for hypervisor in registry.plugins():
        code = hypervisor.code(configuration.server.plugin_timeout_seconds)
        try:
            missing = code.run("importing its SDK", partial(import_errors, hypervisor.package))
        except PluginFault as fault:
            missing = [str(fault)]
        reasons += [(hypervisor.name, f"{hypervisor.name}: {reason}") for reason in missing]
    expected: list[str] = []
    others: list[str] = []
    for name, reason in reasons:
        (expected if configuration.names_hypervisor(name) else others).append(reason)
    return expected, others
