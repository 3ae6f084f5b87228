"""Storages: storage repositories, datastores, storage pools."""

from msgspec import Struct


class Storage(Struct, frozen=True, kw_only=True):
    """A place that holds disks. All sizes are in GiB, and null while they are unknown."""

    #: Outlives sessions and is safe in a URL.
    id: str
    #: What people call it.
    name: str
    #: The hypervisor's own word: ``nfs``, ``lvm``, ``dir``, ``iso``, ...
    type: str
    #: Physically used.
    used_space: float | None
    #: Promised to disks; more than ``used_space`` where disks are sparse.
    allocated_space: float | None
    #: All that it can hold.
    size: float | None
