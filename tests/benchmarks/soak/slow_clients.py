"""Clients that keep a service waiting: they send a header a byte a second, or read a response as slowly."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from benchmarks.soak.http_client import Client

#: Of the kernel, for a connection of a slow reader: what is in it, the service is rid of.
_RECEIVE_BUFFER_BYTES = 4096
_READ_BYTES = 4096
_PAUSE_SECONDS = 1.0


class SlowClients:
    """Counts what became of slow clients' connections. One that ends is followed by another."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        #: What became of connections, and how often.
        self.outcomes: Counter[str] = Counter()
        self._open = 0

    @contextlib.asynccontextmanager
    async def senders(self, number: int) -> AsyncIterator[None]:
        """Let so many clients send a byte of a header each second, until the block ends."""
        async with self._repeated(number, lambda _: self._send_slowly()):
            yield

    @contextlib.asynccontextmanager
    async def readers(self, number: int, client: Client, paths: list[str]) -> AsyncIterator[None]:
        """Let so many clients read a response at 4 KiB a second, until the block ends.

        :param paths: what they ask for, in turn
        """
        heads = [client.head("GET", path) for path in paths]
        async with self._repeated(number, lambda place: self._read_slowly(heads[place % len(heads)])):
            yield

    @contextlib.asynccontextmanager
    async def _repeated(
        self, number: int, make: Callable[[int], Coroutine[Any, Any, str]]
    ) -> AsyncIterator[None]:
        async def again_and_again(place: int) -> None:
            while True:
                self._open += 1
                try:
                    self.outcomes[await make(place)] += 1
                except OSError as error:
                    self.outcomes[type(error).__name__] += 1
                finally:
                    self._open -= 1
                await asyncio.sleep(_PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(again_and_again(place)) for place in range(number)]
            yield
            self.outcomes["open at the end"] += self._open
            for task in tasks:
                task.cancel()

    async def _send_slowly(self) -> str:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            while True:
                writer.write(b"a")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_SECONDS):
                        return _outcome(await reader.read(_READ_BYTES))
        finally:
            writer.transport.abort()

    async def _read_slowly(self, head: bytes) -> str:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        plain.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(plain, self._address)
            reader, writer = await asyncio.open_connection(sock=plain, limit=_READ_BYTES)
        except BaseException:
            plain.close()
            raise
        try:
            writer.write(head)
            first = await reader.read(_READ_BYTES)
            is_over = b" 200 " not in first[:16]
            while not is_over:
                await asyncio.sleep(_PAUSE_SECONDS)
                is_over = not await reader.read(_READ_BYTES)
            return _outcome(first)
        finally:
            writer.transport.abort()


def _outcome(first: bytes) -> str:
    """Say how a connection ended, from the first bytes of its response."""
    status = first[:12].partition(b" ")[2].decode("ascii", "replace")
    return f"status {status}" if first else "closed by the service"
