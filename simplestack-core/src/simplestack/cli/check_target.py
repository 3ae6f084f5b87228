"""``simplestack check-target``: log in to a host and read once."""

import os
from pathlib import Path

import click

from simplestack.cli.configuration import config_option, load, settings_error
from simplestack.config.errors import SettingsError
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.dispatch.target_check import TargetCheck
from simplestack.errors import Unauthorized
from simplestack.identity.credentials import Credentials

USER_VARIABLE = "SIMPLESTACK_TARGET_USER"
PASSWORD_VARIABLE = "SIMPLESTACK_TARGET_PASSWORD"  # noqa: S105  the name of a variable


@click.command(
    "check-target",
    epilog=f"The environment variables {USER_VARIABLE} and {PASSWORD_VARIABLE} replace the prompts.",
)
@click.argument("hypervisor")
@click.argument("host")
@config_option
def check_target(hypervisor: str, host: str, config: Path | None) -> None:
    """Check whether the service can use HOST: log in and read once.

    HYPERVISOR and HOST are those in the path of a request: kvm kvm1.example.com:16514. The settings are those
    of the service. Prints the result of each step: the plugin, whether the host is allowed, its address, the
    connection, the login, a read. Exits with 1 if a step fails, and says what to do.
    """
    configuration, registry = load(config)
    try:
        registry.check_services()
        credentials = _credentials()
    except SettingsError as error:
        raise settings_error(error.problems) from None
    except Unauthorized as error:
        raise click.ClickException(error.message) from None
    server = configuration.server
    dispatcher = Dispatcher(registry, max_sessions=server.max_sessions, threads=None, audit=False)
    try:
        for step in TargetCheck(dispatcher, hypervisor, host, credentials).steps():
            click.echo(f"{'failed' if step.advice else 'ok':8}{step.name:12}{step.text}")
            if step.advice:
                click.echo(f"{'':20}{step.advice}")
                raise click.exceptions.Exit(1)
    finally:
        dispatcher.close()


def _credentials() -> Credentials:
    """Return the user name and the password, from the environment or from prompts: others can read arguments.

    :raises Unauthorized: they cannot be sent
    """
    user = os.environ.get(USER_VARIABLE)
    password = os.environ.get(PASSWORD_VARIABLE)
    if user is None:
        user = click.prompt("User name", err=True)
    if password is None:
        password = click.prompt("Password", hide_input=True, default="", show_default=False, err=True)
    return Credentials(user, password)
