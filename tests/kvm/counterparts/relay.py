"""A relay between clients and a libvirtd: it counts calls, and makes the way as long as a test wants.

https://libvirt.org/kbase/internals/rpc.html
"""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HEADER = struct.Struct(">IIIIiIi")  # length, program, version, procedure, type, serial, status
_KEEPALIVE_PROGRAM = 0x6B656570
_CALL = 0


class Relay(socketserver.ThreadingUnixStreamServer):
    """Passes messages on. `calls` counts the clients' calls; each takes `delay_seconds` longer."""

    daemon_threads = True

    def __init__(self, path: Path, libvirtd: str) -> None:
        self.path = str(path)
        super().__init__(self.path, _Passing)
        self.libvirtd = libvirtd
        self.delay_seconds = 0.0
        self.calls = 0

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self.path}"


class _Passing(socketserver.BaseRequestHandler):
    """One connection."""

    server: Relay

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect(self.server.libvirtd)
            threading.Thread(target=_copy, args=(daemon, self.request), daemon=True).start()
            with self.request.makefile("rb") as sent:
                while len(header := sent.read(_HEADER.size)) == _HEADER.size:
                    length, program, _version, _procedure, kind, _serial, _status = _HEADER.unpack(header)
                    message = header + sent.read(length - _HEADER.size)
                    if program != _KEEPALIVE_PROGRAM and kind == _CALL:
                        self.server.calls += 1
                        if self.server.delay_seconds:
                            time.sleep(self.server.delay_seconds)
                    daemon.sendall(message)
            daemon.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(1 << 16):
        target.sendall(data)


@contextmanager
def relay(path: Path, libvirtd: str) -> Iterator[Relay]:
    """Run a relay at a path to a libvirtd's unix socket."""
    with Relay(path, libvirtd) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
