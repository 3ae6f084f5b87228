"""``simplestack healthcheck``: ask a service on this machine whether it runs."""

import http.client
import socket
import ssl
from pathlib import Path

import click

from simplestack.cli.configuration import config_option
from simplestack.config.errors import SettingsError
from simplestack.config.load import load_configuration
from simplestack.config.settings import ServerSettings

_TIMEOUT_SECONDS = 5
#: An address to listen on for all addresses of the machine, and where to connect to it.
_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  nothing listens here


@click.command()
@config_option
def healthcheck(config: Path | None) -> None:
    """Check whether the service with these settings runs on this machine.

    Requests /healthz at server.bind, as health checks of containers do. Exits with 1 unless the service
    responds with status 200 within 5 s.
    """
    try:
        server = load_configuration(config).server
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if server.bind.startswith("fd://"):
        raise click.ClickException(
            f"{server.bind} is a socket of the service, and not an address to connect to"
        )
    try:
        status = _status(server)
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"no response from {server.bind}: {error}") from None
    if status != http.client.OK:
        raise click.ClickException(f"{server.bind} responded with status {status}")
    click.echo(f"ok: {server.bind}")


def _status(server: ServerSettings) -> int:
    """Return the status of ``GET /healthz``.

    :raises OSError: nothing listens there, or it does not respond in time
    :raises http.client.HTTPException: what listens there does not speak HTTP
    """
    connection = http.client.HTTPConnection("localhost")
    connection.sock = _connect(server.bind)
    try:
        if server.certificate is not None:
            # The certificate is for the name that clients use, which is not an address of loopback.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # nothing secret is sent
            connection.sock = context.wrap_socket(connection.sock)
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def _connect(bind: str) -> socket.socket:
    """Return a connection to an address that the service listens on."""
    if bind.startswith("unix:"):
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(_TIMEOUT_SECONDS)
        unix.connect(bind.removeprefix("unix:"))
        return unix
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    return socket.create_connection((_ANY_ADDRESS.get(host, host), int(port)), _TIMEOUT_SECONDS)
