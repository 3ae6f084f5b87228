"""Stop libvirtd (SIGSTOP) under its clients, again and again, and count the workers of the service that die.

    .venv/bin/nox -s stopped_libvirtd -- [--rounds 20] [--clients 20] [--stop 10 25] [--shared]

Each round prints how long libvirtd was stopped, what the clients read meanwhile, how many connections
libvirtd has, and how many workers were lost. Exits with 1 when any was lost.
"""

import argparse
import http.client
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import libvirt

from benchmarks.kvm_shared import NAME as SHARED
from benchmarks.kvm_shared import install_shared
from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd
from support.service import Service, running_service, token, wait_for

_DOMAIN = """
<domain type='qemu'><name>benchmark-{number}</name><memory>8192</memory><os><type>hvm</type></os></domain>
"""
_CONFIG = """
[server]
workers = {workers}
[hypervisors.{name}]
allowed_hosts = ["127.0.0.1"]
transport = "tcp"
"""
_DOMAINS = 5
#: How long the clients ask a libvirtd that runs, between two stops.
_RUNNING_SECONDS = 2.0
_RECOVERY_SECONDS = 90
_CLIENT_SECONDS = 120


class Clients:
    """Threads that read guests, each request right after the last one."""

    def __init__(self, service: Service, base: str, count: int, headers: dict[str, str]) -> None:
        self._service = service
        self._base = base
        self._headers = headers
        self._stopping = threading.Event()
        self._read: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._repeat, args=(number,)) for number in range(count)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let them ask."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join()

    def taken(self) -> Counter[str]:
        """Return what they have read since the last call."""
        read, self._read = self._read, Counter()
        return read

    def _repeat(self, number: int) -> None:
        paths = itertools.cycle(["/guests", "", "/hosts", "/storages"][number % 4 :])
        while not self._stopping.is_set():
            read = self._ask(next(paths))
            self._read[read] += 1

    def _ask(self, path: str) -> str:
        try:
            answer = self._service.get(
                self._base + path, headers=self._headers, timeout_seconds=_CLIENT_SECONDS
            )
        except (OSError, http.client.HTTPException) as error:
            time.sleep(0.1)  # the worker is gone: do not fill the report while the next one starts
            return f"no response ({type(error).__name__})"
        if answer.status >= 400:
            time.sleep(0.1)
        return str(answer.status)


def lost_workers(service: Service) -> int:
    """Return how many workers crashed: gunicorn logs the signal."""
    return sum(service.log.count(name) for name in ("SIGSEGV", "SIGABRT", "SIGBUS"))


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(
        prog="stopped_libvirtd", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--stop", type=float, nargs=2, default=(10, 25), metavar=("FROM", "TO"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", action="store_true", help="let all clients share one connection")
    options = parser.parse_args()
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon = counterpart.start(network=False)
    try:
        sys.exit(bool(_run(daemon, options)))
    finally:
        daemon.stop()


def _run(daemon: Libvirtd, options: argparse.Namespace) -> int:
    connection = libvirt.open(daemon.uri)
    for number in range(_DOMAINS):
        connection.defineXML(_DOMAIN.format(number=number))
    connection.close()
    name = SHARED if options.shared else "kvm"
    chance = random.Random(options.seed)  # noqa: S311  decides how long to wait
    with tempfile.TemporaryDirectory() as folder:
        install_shared(Path(folder) / "plugins")
        config = _CONFIG.format(name=name, workers=options.workers)
        with running_service(Path(folder) / "service", config, plugins=Path(folder) / "plugins") as service:
            headers = {"X-Simplestack-Hypervisor-Token": token(daemon.username, daemon.password)}
            base = f"/{name}/127.0.0.1%3A{daemon.tcp_port}"
            clients = Clients(service, base, options.clients, headers)
            with clients.running():
                for number in range(1, options.rounds + 1):
                    _round(number, chance.uniform(*options.stop), daemon, service, clients)
            lost = lost_workers(service)
    _say(f"{name}: {lost} workers lost in {options.rounds} rounds")
    return lost


def _round(number: int, stop_seconds: float, daemon: Libvirtd, service: Service, clients: Clients) -> None:
    before = lost_workers(service)
    started = time.monotonic()
    most = 0
    while time.monotonic() < started + _RUNNING_SECONDS:
        time.sleep(0.1)
        most = max(most, daemon.connections())
    clients.taken()
    pid = daemon.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(stop_seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    resumed = time.monotonic()
    while_stopped = clients.taken()
    with suppress(AssertionError):  # the round says that nobody was served any more
        wait_for(lambda: clients.taken()["200"] > 0, _RECOVERY_SECONDS)
    _say(
        f"round {number}: stopped for {stop_seconds:.1f} s, served again after "
        f"{time.monotonic() - resumed:.1f} s; {most} connections; "
        f"read meanwhile: {dict(while_stopped)}; workers lost: {lost_workers(service) - before}"
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  its output


if __name__ == "__main__":
    main()
