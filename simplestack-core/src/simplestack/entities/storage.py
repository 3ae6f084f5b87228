"""Storages: storage repositories, datastores, storage pools."""

from msgspec import Struct


class Storage(Struct, frozen=True, kw_only=True):
    """A storage for disks or ISO images. Sizes are in GiB, and null if they are unknown."""

    #: ID of the storage. Stable and URL-safe.
    id: str
    #: Display name.
    name: str
    #: The hypervisor's type of storage: ``nfs``, ``lvm``, ``dir``, ``iso``, ...
    type: str
    #: Physically used space in GiB.
    used_space: float | None
    #: Sum of the disks' virtual sizes in GiB; larger than ``used_space`` if disks are sparse.
    allocated_space: float | None
    #: Capacity in GiB.
    size: float | None
