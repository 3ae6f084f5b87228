"""Disks of guests."""

from msgspec import UNSET, Struct, UnsetType

from simplestack.entities.limits import Name, SizeGiB


class Disk(Struct, frozen=True, kw_only=True):
    """A virtual disk that is attached to a guest."""

    #: Unique within its guest.
    id: str
    #: What people call it; where nobody named it, what the hypervisor calls it.
    name: str
    #: Position of the device in the guest.
    number: str
    #: GiB; null while it is unknown, for example because the storage does not respond.
    size: float | None
    #: Where the hypervisor keeps it: VDI uuid, datastore path, volume path.
    extra_info: str | None = None


class DiskCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new, empty disk."""

    #: GiB
    size: SizeGiB
    #: The hypervisor makes one up when absent.
    name: Name | None = None
    #: Id or name of the storage that holds it; the hypervisor chooses when absent.
    storage_id: Name | None = None


class DiskUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a disk. A disk only grows."""

    #: The new name.
    name: Name | UnsetType = UNSET
    #: GiB
    size: SizeGiB | UnsetType = UNSET
