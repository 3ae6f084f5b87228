"""``simplestack serve``: run the service with gunicorn."""

from pathlib import Path
from typing import Any

import click

from simplestack.cli.configuration import config_option, load_to_serve


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

    SIGTERM stops it: it finishes the requests in flight and logs out its sessions.
    """
    from simplestack.server.gunicorn import GunicornService  # noqa: PLC0415  the other commands start without it

    overrides = {name: value for name, value in options.items() if value is not None}
    configuration, registry = load_to_serve(config, overrides)
    GunicornService(configuration, registry).run()
