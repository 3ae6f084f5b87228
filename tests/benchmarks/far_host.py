"""A host that is some milliseconds away: a relay to a libvirtd's TCP port that delays, and counts calls."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

#: libvirt's RPC: each packet begins with its length, in four bytes (src/rpc/virnetprotocol.x).
_LENGTH_BYTES = 4


class FarHost:
    """The relay. Each of a connection's directions has threads of its own."""

    def __init__(self, port: int, round_trip_seconds: float) -> None:
        self._to = ("127.0.0.1", port)
        self._delay_seconds = round_trip_seconds / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Calls that have passed.
        self.calls = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        """How libvirt connects through it, to a libvirtd that asks for no authentication."""
        return f"qemu+tcp://127.0.0.1:{self._listener.getsockname()[1]}/system"

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            far = socket.create_connection(self._to)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._relay(near, far, counted=True)
            self._relay(far, near, counted=False)

    def _relay(self, source: socket.socket, sink: socket.socket, *, counted: bool) -> None:
        pieces: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
        threading.Thread(target=self._receive, args=(source, pieces, counted), daemon=True).start()
        threading.Thread(target=self._send, args=(sink, pieces), daemon=True).start()

    def _receive(
        self, source: socket.socket, pieces: "SimpleQueue[tuple[float, bytes]]", counted: bool
    ) -> None:
        packet = b""
        while True:
            try:
                piece = source.recv(65536)
            except OSError:  # reset
                piece = b""
            pieces.put((time.monotonic() + self._delay_seconds, piece))
            if not piece:
                return
            packet += piece if counted else b""
            while len(packet) >= _LENGTH_BYTES:
                length = int.from_bytes(packet[:_LENGTH_BYTES], "big")
                if len(packet) < length:
                    break
                packet = packet[length:]
                self.calls += 1

    def _send(self, sink: socket.socket, pieces: "SimpleQueue[tuple[float, bytes]]") -> None:
        while True:
            due_seconds, piece = pieces.get()
            time.sleep(max(0.0, due_seconds - time.monotonic()))
            try:
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(piece)
            except OSError:  # the other end has gone
                return


@contextmanager
def far_host(port: int, round_trip_seconds: float) -> Iterator[FarHost]:
    """Give a host that is that far away."""
    host = FarHost(port, round_trip_seconds)
    try:
        yield host
    finally:
        host.close()
