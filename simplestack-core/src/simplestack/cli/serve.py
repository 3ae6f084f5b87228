"""``simplestack serve``: the service under gunicorn."""

from pathlib import Path
from typing import Any

import click

from simplestack.cli.configuration import config_option, load_to_serve


@click.command()
@config_option
@click.option("--bind", metavar="HOST:PORT", help="Where to listen; 127.0.0.1:8081 by default.")
@click.option("--workers", type=click.IntRange(0), help="Processes; one for each core by default.")
@click.option("--threads", type=click.IntRange(2), help="Threads of each worker.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False), help="TLS certificate (PEM).")
@click.option("--private-key", type=click.Path(exists=True, dir_okay=False), help="Its key (PEM).")
def serve(config: Path | None, **options: Any) -> None:
    """Run the service. SIGTERM stops it: requests in flight are finished, sessions are logged out."""
    from simplestack.server.gunicorn import GunicornService  # noqa: PLC0415  the other commands start without it

    overrides = {name: value for name, value in options.items() if value is not None}
    configuration, registry = load_to_serve(config, overrides)
    GunicornService(configuration, registry).run()
