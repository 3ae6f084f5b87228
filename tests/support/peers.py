"""Hosts that do not behave: one scripted answer for each connection."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from simulators.tls import Trust, server_context

#: Gets the connection, TLS or not, and what has been read from it so far is nothing.
Script = Callable[[socket.socket], None]


@contextlib.contextmanager
def peer(script: Script, trust: Trust | None = None) -> Iterator[int]:
    """Listen, and let each connection go through a script; give the port.

    :param trust: with it the script begins after the TLS handshake
    """
    context = None if trust is None else server_context(trust.certificate)
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            if context is None:
                script(connection)
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                script(secured)

    def accept() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    """Read a request with Content-Length to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = [
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    ]
    while len(body) < length:
        body += _some(connection)
    return body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client has gone away")
    return data


def answer(body: bytes, content_type: str = "text/xml", status: str = "200 OK") -> bytes:
    """Return an HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def says(text: bytes) -> Script:
    """Return a script that answers each request of a connection with the same."""

    def script(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(text)

    return script


class Response:
    """An HTTP response as far as readers look at it: without headers."""

    status = 200

    def __init__(self, body: bytes) -> None:
        self._body = body

    def getheader(self, _name: str, default: str) -> str:
        return default

    def read(self, size: int = -1) -> bytes:
        data, self._body = (self._body, b"") if size < 0 else (self._body[:size], self._body[size:])
        return data
