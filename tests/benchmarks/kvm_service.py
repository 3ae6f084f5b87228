"""A service in front of a libvirtd on this machine, for benchmarks of exports and imports."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libvirt

from benchmarks.transfers import Worker
from kvm.counterparts import libvirtd as counterpart
from kvm.counterparts.libvirtd import Libvirtd
from simplestack.identity.accounts import hash_password
from support.service import Service, running_service, token

_SETTINGS = """
[server]
workers = 1
[hypervisors.kvm]
allowed_hosts = ["localhost"]
transport = "unix"
socket = "{socket}"
[hypervisors.kvm.accounts]
admin = '{hashed}'
"""
TOKEN = f"X-Simplestack-Hypervisor-Token: {token('admin', 'secret')}"


@dataclass(frozen=True)
class KvmService:
    """A service with one worker, which has connected to the libvirtd."""

    daemon: Libvirtd
    service: Service
    worker: Worker
    #: For images.
    folder: Path


@contextmanager
def kvm_service() -> Iterator[KvmService]:
    """Run both."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon = counterpart.start(network=False)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config = _SETTINGS.format(socket=daemon.socket, hashed=hash_password("secret"))
            with running_service(folder / "service", config) as service:
                service.get("/kvm/localhost", headers=dict([TOKEN.split(": ")]))
                worker = Worker(service)
                worker.begin_anew()
                yield KvmService(daemon, service, worker, folder)
    finally:
        daemon.stop()
