"""Simulated pools over TLS, with an authority of their own."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simplestack import Target
from simplestack.sessions.targets import AllowList
from simplestack_xen.settings import XenSettings
from simulators.https import running
from simulators.tls import Trust, make_trust, server_context
from simulators.xapi.database import Object
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator

__all__ = ["PASSWORD", "USER", "Pool", "Trust", "make_trust", "running_pool"]

USER, PASSWORD = "root", "secret"


@dataclass(frozen=True)
class Pool:
    """A simulated pool, and how to reach it."""

    simulator: Simulator
    server: Server
    trust: Trust

    @property
    def host(self) -> str:
        """What clients call its master."""
        return f"127.0.0.1:{self.server.port}"

    @property
    def target(self) -> Target:
        """The master, as core hands it to a plugin whose settings allow this machine alone."""
        return AllowList(["127.0.0.1"]).check(Target("127.0.0.1", self.server.port))

    @property
    def toml(self) -> str:
        """Settings of a service that reaches it."""
        return f'[hypervisors.xen]\nallowed_hosts = ["127.0.0.1"]\ntls_ca_file = "{self.trust.ca_file}"\n'

    def settings(self, **more: Any) -> XenSettings:
        """Return settings that trust it."""
        return XenSettings(tls_ca_file=str(self.trust.ca_file), **more)

    def vm(self, name: str = "vm-0") -> Object:
        """Return a VM as the simulator has it."""
        (found,) = [vm for vm in self.all("VM") if vm["name_label"] == name]
        return found

    def all(self, class_name: str) -> list[Object]:
        """Return all objects of a class."""
        return list(self.simulator.database.all(class_name))

    def storage(self, name: str = "Local storage") -> Object:
        """Return a storage repository."""
        (found,) = [sr for sr in self.all("SR") if sr["name_label"] == name]
        return found

    def add_storage(self, name: str) -> Object:
        """Connect another storage repository to the host."""
        database = self.simulator.database
        like = self.storage()
        own: dict[str, Any] = {
            "uuid": str(uuid.uuid4()),
            "name_label": name,
            "VDIs": [],
            "PBDs": [],
            "physical_utilisation": 0,
            "virtual_allocation": 0,
        }
        made = database.add("SR", {field: like[field] for field in like.class_.fields} | own)
        plug = {"host": self.simulator.master.ref, "SR": made.ref, "currently_attached": True}
        made["PBDs"] = [database.add("PBD", plug).ref]
        return made

    def connect(self, name: str) -> None:
        """Connect a storage repository to its hosts."""
        self._set_connected(name, connected=True)

    def disconnect(self, name: str) -> None:
        """Disconnect a storage repository from its hosts."""
        self._set_connected(name, connected=False)

    def _set_connected(self, name: str, *, connected: bool) -> None:
        for ref in self.storage(name)["PBDs"]:
            self.simulator.database.get("PBD", ref)["currently_attached"] = connected

    def share(self, image: Object, vm: Object) -> Object:
        """Put a disk image into another VM, too; return its drive."""
        values = {"VM": vm.ref, "VDI": image.ref, "userdevice": "7", "type": "Disk", "mode": "RW"}
        drive = self.simulator.database.add("VBD", values)
        vm["VBDs"] = [*vm["VBDs"], drive.ref]
        image["VBDs"] = [*image["VBDs"], drive.ref]
        return drive

    def count(self, class_name: str) -> int:
        """Return how many there are of a class."""
        return len(self.all(class_name))

    def counts(self) -> dict[str, int]:
        """Return how many there are of what operations make."""
        return {name: self.count(name) for name in ("VM", "VDI", "VBD", "VIF", "network", "VLAN", "task")}


@contextlib.contextmanager
def running_pool(trust: Trust, simulator: Simulator | None = None, **options: Any) -> Iterator[Pool]:
    """Run a pool until the block ends.

    :param options: of its server
    """
    simulator = simulator or Simulator()
    with running(Server(simulator, server_context(trust.certificate), **options)) as server:
        yield Pool(simulator, server, trust)
