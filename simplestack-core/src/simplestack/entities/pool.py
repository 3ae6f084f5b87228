"""Pools and hosts."""

from msgspec import Struct


class Pool(Struct, frozen=True, kw_only=True):
    """A pool, a cluster or a single host."""

    #: ID of the pool. Stable and URL-safe.
    id: str
    #: The same as ``id``.
    uuid: str
    #: Address of the pool master.
    master: str
    #: Memory in MiB that hosts and guests use.
    used_memory: int
    #: Total memory in MiB.
    total_memory: int
    #: Versions of the hypervisor's software, at least ``version``.
    software_info: dict[str, str]


class Host(Struct, frozen=True, kw_only=True):
    """A machine that runs guests."""

    #: ID of the host. Stable and URL-safe.
    id: str
    #: Display name.
    name: str
    #: Network address of the host within the pool.
    address: str
