"""Clients that send one byte after the other and never come to an end."""

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from support.service import token

#: A header that never ends.
HEAD = b"GET /mock/demo/guests HTTP/1.1\r\nHost: slow\r\nX-Slow: "
_POST = (
    "POST /mock/demo/guests HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\n"
    f"X-Simplestack-Hypervisor-Token: {token()}\r\n"
)
#: Bodies that never end: as long as an image, as short as JSON, chunked, or sent when the service says so.
LONG_BODY = f"{_POST}Content-Length: 10000000\r\n\r\n{{".encode()
SHORT_BODY = f"{_POST}Content-Length: 2000\r\n\r\n{{".encode()
CHUNKED_BODY = f"{_POST}Transfer-Encoding: chunked\r\n\r\n8000\r\n{{".encode()
EXPECTED_BODY = f"{_POST}Expect: 100-continue\r\nContent-Length: 10000000\r\n\r\n".encode()


class SlowClients:
    """A number of slow clients, each of which connects again when it is cut off."""

    def __init__(
        self,
        address: tuple[str, int],
        count: int,
        first: bytes,
        *,
        seconds_between_bytes: float = 1.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connect `count` clients when the block begins.

        :param first: what each sends at once, before it becomes slow
        :param tls: with what they make a TLS handshake, before that
        """
        self._address = address
        self._first = first
        self._tls = tls
        self._pause_seconds = seconds_between_bytes / count
        self._clients: list[socket.socket | None] = [None] * count
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        #: How often one was cut off.
        self.cut_off = 0

    def __enter__(self) -> Self:
        for number in range(len(self._clients)):
            self._connect(number)
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        for client in self._clients:
            if client is not None:
                client.close()

    def _run(self) -> None:
        for number in itertools.cycle(range(len(self._clients))):
            if self._stopping.wait(self._pause_seconds):
                return
            if not self._drip(number):
                self.cut_off += 1
                self._connect(number)

    def _connect(self, number: int) -> None:
        before = self._clients[number]
        if before is not None:
            before.close()
        self._clients[number] = None
        with contextlib.suppress(OSError):
            client = socket.create_connection(self._address, timeout=10)
            self._clients[number] = client
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_hostname="localhost")
                self._clients[number] = client
            client.sendall(self._first)
            client.setblocking(False)

    def _drip(self, number: int) -> bool:
        client = self._clients[number]
        if client is None:
            return False
        try:
            client.send(b"a")
            return bool(client.recv(65536))
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False


@contextlib.contextmanager
def slow_clients(address: tuple[str, int], count: int, *firsts: bytes) -> Iterator[list[SlowClients]]:
    """Have `count` clients of each kind while the block runs."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(SlowClients(address, count, first)) for first in firsts]
