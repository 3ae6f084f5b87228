"""Records of guests and networks. They are immutable: a change creates a new record."""

import uuid
from collections.abc import Sequence
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from simplestack import CloudInit, Firmware, GuestState, LockingMode


class Content(Struct, frozen=True):
    """A disk's content: `length` bytes derived from `seed`, see :mod:`simplestack.mock.store.contents`."""

    seed: str = ""
    length: int = 0


NOTHING = Content()


class DiskRecord(Struct, frozen=True, kw_only=True):
    """A disk of a guest."""

    id: str
    name: str
    device: int
    size_bytes: int
    #: Name of the storage that holds it; storages are never renamed.
    storage: str
    content: Content = NOTHING


class InterfaceRecord(Struct, frozen=True, kw_only=True):
    """A network interface of a guest."""

    #: Lower-case, with colons.
    mac: str
    device: int
    #: Name of its network; networks are never renamed.
    network: str
    locking_mode: LockingMode = "network_default"
    ipv4_allowed: list[str] = []
    ipv6_allowed: list[str] = []
    #: bit/s
    ratelimit: int | None = None
    active: bool = True


class Hardware(Struct, frozen=True, kw_only=True):
    """The part of a guest that a snapshot saves and a revert restores."""

    cpus: int
    memory_mib: int
    paravirtualized: bool | None = None
    firmware: Firmware = "bios"
    #: Name of the ISO image in the CD drive.
    iso: str | None = None
    #: By device.
    disks: tuple[DiskRecord, ...] = ()
    #: By device.
    interfaces: tuple[InterfaceRecord, ...] = ()

    @property
    def disk_bytes(self) -> int:
        """The sizes of all disks."""
        return sum(disk.size_bytes for disk in self.disks)

    def new_disk(
        self, guest: str, storage: str, size_bytes: int, name: str | None = None, content: Content = NOTHING
    ) -> DiskRecord:
        """Return a disk for the lowest free device.

        :param guest: the guest's name, from which the disk's is derived if `name` is None
        :param storage: name of the storage
        """
        device = free_device(self.disks)
        return DiskRecord(
            id=str(uuid.uuid4()),
            name=name or f"{guest[:240]} disk {device}",
            device=device,
            size_bytes=size_bytes,
            storage=storage,
            content=content,
        )

    def with_disk(self, disk: DiskRecord) -> Self:
        """Return the hardware with a disk added, or in place of the one with its id."""
        disks = (*(other for other in self.disks if other.id != disk.id), disk)
        return replace(self, disks=tuple(sorted(disks, key=lambda one: one.device)))

    def with_interface(self, interface: InterfaceRecord) -> Self:
        """Return the hardware with an interface added, or in place of the one with its MAC address."""
        interfaces = (*(other for other in self.interfaces if other.mac != interface.mac), interface)
        return replace(self, interfaces=tuple(sorted(interfaces, key=lambda one: one.device)))


class SnapshotRecord(Struct, frozen=True, kw_only=True):
    """A snapshot of a guest."""

    id: str
    name: str
    #: ID of the snapshot that the guest was based on.
    parent: str | None
    #: RFC 3339, UTC
    created: str
    state: GuestState
    hardware: Hardware


class GuestSummary(Struct, frozen=True, kw_only=True):
    """The fields of a guest in lists."""

    id: str
    name: str
    cpus: int
    memory_mib: int
    disk_bytes: int
    paravirtualized: bool | None
    state: GuestState
    host: str | None
    #: IPv4
    address: str | None


class GuestRecord(Struct, frozen=True, kw_only=True):
    """A guest or a template."""

    id: str
    name: str
    hardware: Hardware
    template: bool = False
    state: GuestState = GuestState.STOPPED
    #: Name of the host that runs it, or holds it in memory.
    host: str | None = None
    #: Not copied to clones and exports.
    cloud_init: CloudInit | None = None
    #: Sorted.
    tags: tuple[str, ...] = ()
    #: Oldest first.
    snapshots: tuple[SnapshotRecord, ...] = ()
    #: Id of the snapshot that the guest is based on.
    base: str | None = None

    @property
    def summary(self) -> GuestSummary:
        """The fields for lists."""
        return GuestSummary(
            id=self.id,
            name=self.name,
            cpus=self.hardware.cpus,
            memory_mib=self.hardware.memory_mib,
            disk_bytes=sum(disk.size_bytes for disk in self.hardware.disks),
            paravirtualized=self.hardware.paravirtualized,
            state=self.state,
            host=self.host,
            address=self._address(),
        )

    def _address(self) -> str | None:
        """Return the IP address of a running guest, derived from its first active interface's MAC address."""
        for interface in self.hardware.interfaces:
            if interface.active and self.state is GuestState.STARTED:
                octets = bytes.fromhex(interface.mac.replace(":", ""))
                return f"10.{octets[3]}.{octets[4]}.{octets[5] % 254 + 1}"
        return None


class NetworkRecord(Struct, frozen=True, kw_only=True):
    """A network: one on a physical interface, or a VLAN on that of another network."""

    id: str
    name: str
    bridge: str
    #: Bridge on the physical interface.
    trunk: str
    description: str = ""
    other_config: dict[str, str] = {}
    vlan: int | None = None


def free_device(devices: Sequence[DiskRecord | InterfaceRecord]) -> int:
    """Return the lowest device number that is free."""
    taken = {device.device for device in devices}
    return next(number for number in range(len(taken) + 1) if number not in taken)
