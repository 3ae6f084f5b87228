"""Pools and hosts."""

from msgspec import Struct


class Pool(Struct, frozen=True, kw_only=True):
    """What the connection reaches as a whole: a pool, a cluster, or one host."""

    id: str
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

    id: str
    name: str
    address: str
