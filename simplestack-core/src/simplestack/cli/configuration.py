"""The option ``--config``, and settings errors as command line errors."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from simplestack.config.errors import SettingsError
from simplestack.config.load import CONFIG_VARIABLE, Configuration, load_configuration
from simplestack.plugins.registry import Registry, load_registry

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Add ``--config FILE``."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"TOML file with settings. Default: the file that {CONFIG_VARIABLE} names.",
    )(command)


def load(config: Path | None, overrides: Mapping[str, Any] | None = None) -> tuple[Configuration, Registry]:
    """Load settings and plugins.

    :raises click.ClickException: a setting is invalid
    """
    try:
        configuration = load_configuration(config, overrides=overrides)
        return configuration, load_registry(configuration)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def load_to_serve(
    config: Path | None, overrides: Mapping[str, Any] | None = None
) -> tuple[Configuration, Registry]:
    """Load settings and plugins to start the service.

    :raises click.ClickException: a setting is invalid, the certificate cannot be used, or a service plugin
        cannot be loaded
    """
    from simplestack.server.plugin_pages import service_pages  # noqa: PLC0415  other commands start without it
    from simplestack.server.start_checks import certificate_problems  # noqa: PLC0415  the same

    configuration, registry = load(config, overrides)
    problems = certificate_problems(configuration.server)
    if problems:
        raise click.ClickException("\n".join(problems))
    try:
        registry.check_services()
        service_pages(registry, configuration.server.plugin_timeout_seconds)
    except SettingsError as error:
        for failure in registry.failures:
            click.echo(f"not loaded: {failure}", err=True)
        raise click.ClickException(str(error)) from None
    return configuration, registry
