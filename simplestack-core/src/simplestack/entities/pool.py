"""Pools and hosts."""

from msgspec import Struct


class Pool(Struct, frozen=True, kw_only=True):
    """What the connection reaches as a whole: a pool, a cluster, or one host."""

    #: Outlives sessions.
    id: str
    #: The same as ``id``.
    uuid: str
    #: Address of the pool's master.
    master: str
    #: MiB
    used_memory: int
    #: MiB
    total_memory: int
    #: At least ``version``.
    software_info: dict[str, str]


class Host(Struct, frozen=True, kw_only=True):
    """A machine that runs guests."""

    #: Outlives sessions and is safe in a URL.
    id: str
    #: What people call it.
    name: str
    #: Where the pool reaches it.
    address: str
