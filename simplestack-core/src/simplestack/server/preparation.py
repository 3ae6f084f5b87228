"""Prepare the start of the service: load settings and plugins, and try everything else that it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration, read_configuration, wrong_address
from simplestack.plugins.registry import Registry, read_registry
from simplestack.server.bind_check import bind_problem
from simplestack.server.plugin_pages import service_pages
from simplestack.server.start_checks import certificate_problems


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the service starts with, or why it cannot start."""

    configuration: Configuration
    registry: Registry
    #: Everything because of which the service does not start.
    problems: tuple[str, ...]


def prepare(
    config: Path | None, overrides: Mapping[str, Any] | None = None, *, is_running: bool = False
) -> Preparation:
    """Load what the service starts with, and find everything because of which it cannot start.

    :param overrides: settings of ``[server]`` that override the file and the environment
    :param is_running: whether the service may be running, so that its address is in use
    :raises SettingsError: the file cannot be read
    """
    configuration, problems = read_configuration(config, overrides=overrides)
    server = configuration.server
    registry, wrong_settings = read_registry(configuration)
    problems += wrong_settings
    problems += certificate_problems(server)
    if wrong_address(server.bind) is None:
        wrong_bind = bind_problem(server.bind, may_be_in_use=is_running)
        problems += [wrong_bind] if wrong_bind else []
    checks: list[Callable[[], object]] = [
        registry.check_services,
        partial(service_pages, registry, server.plugin_timeout_seconds),
    ]
    if not wrong_settings:  # which leave out their plugins, too
        checks.append(registry.check_hypervisors)
    for check in checks:
        try:
            check()
        except SettingsError as error:
            problems += error.problems
    return Preparation(configuration, registry, tuple(problems))
