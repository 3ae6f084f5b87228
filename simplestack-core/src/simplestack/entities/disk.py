"""Disks of guests."""

from msgspec import UNSET, Struct, UnsetType

from simplestack.entities.limits import Name, SizeGiB


class Disk(Struct, frozen=True, kw_only=True):
    """A virtual disk that is attached to a guest."""

    #: Unique within its guest.
    id: str
    name: str
    #: Position of the device in the guest.
    number: str
    #: GiB
    size: float
    #: Where the hypervisor keeps it: VDI uuid, datastore path, volume path.
    extra_info: str | None = None


class DiskCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new, empty disk."""

    #: GiB
    size: SizeGiB
    name: Name | None = None
    storage_id: Name | None = None


class DiskUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a disk. A disk only grows."""

    name: Name | UnsetType = UNSET
    #: GiB
    size: SizeGiB | UnsetType = UNSET
