"""The kit's pytest plugin. Only ``pytest -p simplestack.conformance`` loads it."""

import pytest

from simplestack.conformance.command_line import HOST, HYPERVISOR, OPTIONS, USAGE
from simplestack.conformance.report import KitReport


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the kit."""
    group = parser.getgroup("simplestack", "conformance kit for hypervisor plugins (simplestack-core)")
    for option in OPTIONS:
        if option.metavar is None:
            group.addoption(option.name, action="store_true", help=option.help, dest=option.destination)
        else:
            group.addoption(option.name, metavar=option.metavar, help=option.help, dest=option.destination)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Run all tests of the kit, unless the command line names tests."""
    if not early_config.known_args_namespace.file_or_dir:
        args[:] = ["--pyargs", "simplestack.conformance", *args]


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the run.

    :raises pytest.UsageError: the host is missing, or an option is invalid
    """
    if config.option.help:
        return
    if not (config.getoption(HYPERVISOR.destination) and config.getoption(HOST.destination)):
        raise pytest.UsageError(USAGE)
    config.pluginmanager.register(KitReport(config), KitReport.NAME)
