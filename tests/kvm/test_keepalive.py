"""Keep-alive: how often a silent host is asked for a sign of life, and how many may be missing."""

import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simplestack import Credentials, Target
from simplestack.identity.accounts import hash_password
from simplestack_kvm import session as sessions
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd

#: The program of keep-alive messages, which stands in the header of each: "keep".
#: https://libvirt.org/kbase/internals/rpc.html
KEEPALIVE = b"keep"
#: More than the limits below, with room for a busy machine.
PATIENCE_SECONDS = 60

Until = Callable[[Callable[[], bool], float, str], None]


class Relay(socketserver.ThreadingUnixStreamServer):
    """Passes bytes between a client and libvirtd, and no more of libvirtd's after the client's first ping."""

    def __init__(self, path: Path, libvirtd: str) -> None:
        self.path = str(path)
        super().__init__(self.path, _Passing)
        self.libvirtd = libvirtd
        self.pings = 0


class _Passing(socketserver.BaseRequestHandler):
    """One connection."""

    server: Relay

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect(self.server.libvirtd)
            while True:
                ready, _, _ = select.select([self.request, daemon], [], [])
                if self.request in ready:
                    received = self.request.recv(65536)
                    self.server.pings += received.count(KEEPALIVE)
                    daemon.sendall(received)
                else:
                    received = daemon.recv(65536)
                    if not self.server.pings:
                        self.request.sendall(received)
                if not received:
                    return


@pytest.fixture
def relay(tmp_path: Path, libvirtd: Libvirtd) -> Iterator[Relay]:
    with Relay(tmp_path / "relay", libvirtd.socket) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_silent_host_is_asked_each_interval_and_given_up_when_enough_signs_of_life_are_missing(
    relay: Relay, until: Until
) -> None:
    settings = KvmSettings(
        transport="unix",
        socket=relay.path,
        accounts={"alice": hash_password("secret")},
        keepalive_interval_seconds=1,
        keepalive_count=4,
    )
    session = sessions.connect(Target("localhost"), Credentials("alice", "secret"), settings)
    try:
        assert sessions.check(session)
        until(lambda: not sessions.check(session), PATIENCE_SECONDS, "the host is given up")
        assert relay.pings == settings.keepalive_count
    finally:
        sessions.disconnect(session)
