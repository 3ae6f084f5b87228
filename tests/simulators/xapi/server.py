"""The simulator on a socket: HTTPS, one thread for each connection.

``POST /`` is XML-RPC, ``POST /jsonrpc`` JSON-RPC. ``PUT /import`` and ``GET /export`` move images. What is
below ``/simulator/`` XAPI has not.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from simulators.xapi.handler import Handler
from simulators.xapi.simulator import Simulator

#: What hangs for longer is a client that has gone away without saying so.
_CLIENT_SECONDS = 300


class Server(ThreadingHTTPServer):
    """One address of a simulated pool."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        simulator: Simulator,
        context: ssl.SSLContext | None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        master_address: str | None = None,
        redirect_to: str | None = None,
        *,
        speaks_json: bool = True,
    ) -> None:
        """Listen.

        :param context: with the server's certificate; None serves without TLS
        :param master_address: makes it a slave, which sends its clients there; it may change at any time
        :param redirect_to: ``https://host:port`` of another host, which imports and exports are sent to
        :param speaks_json: whether there is a ``/jsonrpc``; old XAPIs have none
        """
        self.simulator = simulator
        self.context = context
        self.master_address = master_address
        self.redirect_to = redirect_to
        self.speaks_json = speaks_json
        #: How long it takes to say so.
        self.redirect_seconds = 0.0
        super().__init__(address, type("_Handler", (Handler,), {"place": self}))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_port

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its thread: a client that is slow to shake hands holds nobody up."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(_CLIENT_SECONDS)
        with contextlib.suppress(OSError):  # the client went away, or does not trust us
            if self.context is None:
                super().finish_request(request, client_address)
                return
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
                _say_goodbye(secured)


def _say_goodbye(secured: ssl.SSLSocket) -> None:
    """End TLS as stunnel does, so that a client can tell an answer's end from a cut. It need not reply."""
    secured.settimeout(0)
    while True:
        try:
            secured.unwrap()
        except ssl.SSLWantWriteError:
            select.select([], [secured], [], _CLIENT_SECONDS)
        except OSError:
            return
        else:
            return


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return what a server shows its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.simulator.faults.clear()
        server.shutdown()
        server.server_close()
        thread.join()
