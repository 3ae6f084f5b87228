"""What it costs that requests share no connection to libvirtd: the same load beside a plugin that shares.

Each of the two has a service of its own, which takes as many calls at once as there are clients.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.kvm_shared import NAME as SHARED
from benchmarks.kvm_shared import install_shared
from benchmarks.rest_layer import load
from benchmarks.scale import Scale
from kvm.counterparts.libvirtd import Libvirtd
from support.service import Service, running_service, token

_CLIENTS = (1, 8, 32)
_SETTINGS = """
[server]
workers = 2
threads = 80
[hypervisors.{name}]
allowed_hosts = ["127.0.0.1"]
transport = "tcp"
max_calls_per_host = 32
"""


class _Subject:
    """A service, and what was found of it round by round; the first round is not counted."""

    def __init__(self, service: Service, plugin: str, daemon: Libvirtd, uuid: str) -> None:
        self._service = service
        self._daemon = daemon
        self._url = f"http://127.0.0.1:{service.port}/{plugin}/127.0.0.1%3A{daemon.tcp_port}/guests/{uuid}"
        self.p99_ms: list[float] = []
        self.connections: list[float] = []

    def rate(self, clients: int, seconds: int) -> float:
        """Load it, and return the requests per second."""
        found = load(self._url, clients, seconds, token(self._daemon.username, self._daemon.password))
        self.p99_ms.append(found.p99_ms)
        self.connections.append(self._connections())
        return found.per_second

    def _connections(self) -> int:
        workers = {worker.pid for worker in psutil.Process(self._service.process.pid).children()}
        return sum(
            found.status == psutil.CONN_ESTABLISHED
            and found.pid in workers
            and found.raddr[1:] == (self._daemon.tcp_port,)
            for found in psutil.net_connections("tcp4")
        )


def compare_sharing(daemon: Libvirtd, uuid: str, folder: Path, scale: Scale) -> Iterator[Comparison]:
    """Compare rates, latencies and numbers of connections at growing numbers of clients."""
    plugins = folder / "plugins"
    install_shared(plugins)
    own, shared = (_SETTINGS.format(name=name) for name in ("kvm", SHARED))
    with (
        running_service(folder / "own", own, plugins=plugins) as service,
        running_service(folder / "shared", shared, plugins=plugins) as sharing_service,
    ):
        for clients in _CLIENTS:
            ours = _Subject(service, "kvm", daemon, uuid)
            other = _Subject(sharing_service, SHARED, daemon, uuid)
            yield from _compare(ours, other, clients, scale)


def _compare(ours: _Subject, other: _Subject, clients: int, scale: Scale) -> Iterator[Comparison]:
    rates = take_turns(
        scale.rounds,
        {
            "ours": lambda: ours.rate(clients, scale.seconds),
            "other": lambda: other.rate(clients, scale.seconds),
        },
    )
    what = f"guest_info, {clients} client{'s' if clients > 1 else ''}"
    yield _comparison(what, "requests/s", rates["ours"], rates["other"])
    yield _comparison(f"{what}, 99th percentile", "ms", ours.p99_ms[1:], other.p99_ms[1:])
    yield _comparison(f"{what}, to libvirtd", "connections", ours.connections[1:], other.connections[1:])


def _comparison(what: str, unit: str, ours: list[float], other: list[float]) -> Comparison:
    return Comparison(
        benchmark="kvm-sessions", what=what, beside="a shared connection", unit=unit, ours=ours, other=other
    )
