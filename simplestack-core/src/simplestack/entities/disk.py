"""Disks of guests."""

from msgspec import UNSET, Struct, UnsetType

from simplestack.entities.limits import Name, SizeGiB


class Disk(Struct, frozen=True, kw_only=True):
    """A virtual disk that is attached to a guest."""

    #: ID of the disk, unique within its guest. Stable and URL-safe.
    id: str
    #: Display name; if nobody has set one, the hypervisor's own name of the disk.
    name: str
    #: Position of the device in the guest.
    number: str
    #: Size in GiB; null if it is unknown, for example because the storage does not respond.
    size: float | None
    #: Where the hypervisor keeps the disk: VDI UUID, datastore path, volume path or storage.
    extra_info: str | None = None


class DiskCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new, empty disk."""

    #: Size in GiB.
    size: SizeGiB
    #: Display name. Default: the hypervisor chooses.
    name: Name | None = None
    #: ID or name of the storage. Default: the hypervisor chooses.
    storage_id: Name | None = None


class DiskUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a disk. Omitted fields keep their values."""

    #: New display name.
    name: Name | UnsetType = UNSET
    #: New size in GiB. It must not be smaller than the current size.
    size: SizeGiB | UnsetType = UNSET
