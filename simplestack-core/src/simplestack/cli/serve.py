"""``simplestack serve``: run the service with gunicorn."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simplestack.cli.configuration import config_option, settings_error
from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.plugins.registry import Registry

if TYPE_CHECKING:
    from simplestack.server.gunicorn import GunicornService


@click.command()
@config_option
@click.option("--bind", metavar="HOST:PORT", help="Address to listen on. Default: 127.0.0.1:8081.")
@click.option("--workers", type=click.IntRange(0), help="Number of worker processes. Default: one per core.")
@click.option("--threads", type=click.IntRange(2), help="Number of threads per worker. Default: 32.")
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM file with the TLS certificate chain.",
)
@click.option(
    "--private-key",
    type=click.Path(exists=True, dir_okay=False),
    help="PEM file with the private key of the certificate.",
)
def serve(config: Path | None, **options: Any) -> None:
    """Run the service.

    SIGTERM stops it: it finishes the requests in flight and logs out its sessions. SIGHUP reads the settings
    again.
    """
    with _kept():
        service = _load(config, options)
    service.run()


@contextmanager
def _kept() -> Iterator[None]:
    """Keep searches for garbage from what the block loads.

    It stays, so they would find none in it: not now, not in the workers, not at the end. Without them, a
    start and a stop take a third less processor time.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _load(config: Path | None, options: Mapping[str, Any]) -> "GunicornService":
    """Load settings and plugins, and try what the service needs.

    :raises click.ClickException: the service cannot start; it has all problems
    """
    from simplestack.server.gunicorn import GunicornService  # noqa: PLC0415  the other commands start without it
    from simplestack.server.metrics.folder import metrics_folder  # noqa: PLC0415  the same
    from simplestack.server.preparation import prepare  # noqa: PLC0415  the same

    metrics_folder()  # before a plugin imports prometheus-client
    overrides = {name: value for name, value in options.items() if value is not None}
    try:
        prepared = prepare(config, overrides)
    except SettingsError as error:
        raise settings_error(error.problems) from None
    if prepared.problems:
        for failure in prepared.registry.failures:
            click.echo(f"not loaded: {failure}", err=True)
        raise settings_error(prepared.problems)

    def load_again(changes: Mapping[str, Any]) -> tuple[Configuration, Registry]:
        again = prepare(config, {**overrides, **changes}, is_running=True)
        if again.problems:
            raise SettingsError(*again.problems)
        return again.configuration, again.registry

    return GunicornService(prepared.configuration, prepared.registry, load_again)
