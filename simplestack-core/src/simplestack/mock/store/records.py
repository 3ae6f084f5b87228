"""What the mock keeps of a guest. Nothing in a record changes: a change makes a new one."""

import msgspec
from msgspec import Struct

from simplestack import GuestState, LockingMode


class Content(Struct, frozen=True):
    """What is on a disk: `length` bytes that follow from `seed`: :mod:`simplestack.mock.store.contents`."""

    seed: str = ""
    length: int = 0


NOTHING = Content()


class DiskRecord(Struct, frozen=True, kw_only=True):
    """A disk of a guest."""

    id: str
    name: str
    device: int
    size_bytes: int
    #: Id of the storage that holds it.
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
    """What a snapshot keeps and a revert restores."""

    cpus: int
    memory_mib: int
    paravirtualized: bool | None = None
    iso: str | None = None
    #: By device.
    disks: tuple[DiskRecord, ...] = ()
    #: By device.
    interfaces: tuple[InterfaceRecord, ...] = ()

    @property
    def disk_bytes(self) -> int:
        """The sizes of all disks."""
        return sum(disk.size_bytes for disk in self.disks)


class SnapshotRecord(Struct, frozen=True, kw_only=True):
    """A moment of a guest."""

    id: str
    name: str
    #: Id of the snapshot that the guest was based on then.
    parent: str | None
    #: RFC 3339, UTC
    created: str
    state: GuestState
    hardware: Hardware


class GuestRecord(Struct, frozen=True, kw_only=True):
    """A guest or a template."""

    id: str
    name: str
    hardware: Hardware
    template: bool = False
    state: GuestState = GuestState.STOPPED
    #: Name of the host that runs it, or holds it in memory.
    host: str | None = None
    #: Sorted.
    tags: tuple[str, ...] = ()
    #: Oldest first.
    snapshots: tuple[SnapshotRecord, ...] = ()
    #: Id of the snapshot that the guest is based on.
    base: str | None = None


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


encode = msgspec.json.Encoder().encode
decode_guest = msgspec.json.Decoder(GuestRecord).decode
decode_network = msgspec.json.Decoder(NetworkRecord).decode
