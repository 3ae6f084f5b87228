"""The option ``--config``, and settings errors as command line errors."""

from collections.abc import Callable, Iterable
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


def load(config: Path | None) -> tuple[Configuration, Registry]:
    """Load settings and plugins.

    :raises click.ClickException: settings are invalid
    """
    try:
        configuration = load_configuration(config)
        return configuration, load_registry(configuration)
    except SettingsError as error:
        raise settings_error(error.problems) from None


def settings_error(problems: Iterable[str]) -> click.ClickException:
    """Return the error that prints problems, each in a line of its own."""
    return click.ClickException("\nError: ".join(problems))
