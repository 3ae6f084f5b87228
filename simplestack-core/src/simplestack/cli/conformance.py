"""``simplestack conformance``: run the conformance kit against a host."""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click

from simplestack.conformance.command_line import HOST, HYPERVISOR, OPTIONS

#: Packages of the extra `testing` that the kit imports.
_NEEDED = ("pytest", "urllib3")
Command = Callable[..., None]


def _kit_options(command: Command) -> Command:
    for option in reversed(OPTIONS):
        if option != HYPERVISOR:
            command = click.option(
                option.name,
                option.destination,
                metavar=option.metavar,
                is_flag=True if option.metavar is None else None,  # False would make the value optional
                required=option == HOST,
                help=option.help,
            )(command)
    return command


@click.command()
@click.argument("name")
@_kit_options
@click.argument("pytest_arguments", nargs=-1, metavar="[-- PYTEST_ARGUMENT...]")
def conformance(name: str, pytest_arguments: tuple[str, ...], **options: Any) -> None:
    """Test the hypervisor plugin NAME against a real host.

    Runs the conformance kit: every operation that the plugin implements, through Stack and through HTTP. The
    kit creates, starts and deletes guests on the host, so use a test host.

    Arguments after -- go to pytest, for example: -- -k disks -x. The exit status is pytest's: 0 when all
    tests passed, 1 when some failed, 4 when an option is wrong or missing.
    """
    for module in _NEEDED:
        if find_spec(module) is None:
            raise click.ClickException(
                f"the conformance kit needs {module}: install it with "
                f"`{sys.executable} -m pip install pytest urllib3`"
            )
    words = [f"{HYPERVISOR.name}={name}"]
    for option in OPTIONS:
        value = options.get(option.destination)
        if option.metavar is None:
            words += [option.name] if value else []
        elif value is not None:
            words.append(f"{option.name}={value}")
    # pytest takes the place of this process: Ctrl-C reaches it alone, so that it can remove its guests.
    # -P: no imports from the working directory, as with the command `pytest`.
    command = [sys.executable, "-P", "-m", "pytest", "-p", "simplestack.conformance"]
    os.execv(sys.executable, [*command, *words, *pytest_arguments])  # noqa: S606  no shell is wanted
