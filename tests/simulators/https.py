"""An HTTPS server with a thread for each connection, for simulators."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

#: A connection without traffic for this long is closed: its client is gone.
_CLIENT_SECONDS = 300


S = TypeVar("S", bound="HttpsServer")


class HttpsServer(ThreadingHTTPServer):
    """One address of a simulator."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        context: ssl.SSLContext | None,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
    ) -> None:
        """Listen.

        :param context: with the server's certificate; None serves without TLS
        :param address: port 0 chooses a free port
        """
        self.context = context
        super().__init__(address, handler)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.server_port

    def release(self) -> None:
        """Let go of the requests that hang, before the server stops."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, so that a slow TLS handshake delays no other client."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(_CLIENT_SECONDS)
        with contextlib.suppress(OSError):  # the client is gone, or does not trust the certificate
            if self.context is None:
                super().finish_request(request, client_address)
                return
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
                _close_tls(secured)


def _close_tls(secured: ssl.SSLSocket) -> None:
    """End TLS, so that a client can tell a response's end from a cut. The client need not reply."""
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


@contextlib.contextmanager
def running(server: S) -> Iterator[S]:
    """Serve until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release()
        server.shutdown()
        server.server_close()
        thread.join()
