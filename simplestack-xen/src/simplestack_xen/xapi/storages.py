"""Storage repositories, and which of them new disks go to."""

from typing import NamedTuple

from simplestack import Conflict, InvalidArguments
from simplestack_xen.xapi.lookups import by_name, by_uuid, only
from simplestack_xen.xapi.records import PbdRecord, PoolRecord, SrRecord
from simplestack_xen.xapi.session import XenSession


class Sr(NamedTuple):
    """A storage repository."""

    ref: str
    record: SrRecord


def find_sr(session: XenSession, id_or_name: str) -> Sr:
    """Find a storage repository.

    :raises EntityNotFound: ``Storage``
    :raises Conflict: several have the name
    """
    found = by_uuid(session, SrRecord, "SR", id_or_name)
    if found is None:
        found = only(by_name(session, SrRecord, "SR", id_or_name), "Storage", id_or_name)
    return Sr(*found)


def find_disk_sr(session: XenSession, id_or_name: str | None) -> Sr:
    """Find the storage repository for new disks: the one named, the default one, or the one with most room.

    Of those with room the ones that all hosts share come first: a guest can run anywhere on them.

    :raises EntityNotFound: ``Storage``
    :raises InvalidArguments: it holds ISO images
    :raises Conflict: none was named, and there is none to choose
    """
    wanted = id_or_name or session.settings.default_storage
    if wanted is not None:
        sr = find_sr(session, wanted)
        if not sr.record.takes_disks:
            raise InvalidArguments(
                f"storage {sr.record.name_label!r} is for ISO images or removable drives: name one for disks"
            )
        return sr
    api = session.api
    pools = api.read_all(PoolRecord, "pool")
    connections = api.read_all(PbdRecord, "PBD")
    connected = {pbd.SR for pbd in connections.values() if pbd.currently_attached}
    found = api.read_all(SrRecord, "SR")
    usable = {ref: Sr(ref, sr) for ref, sr in found.items() if ref in connected and sr.takes_disks}
    for pool in pools.values():
        if pool.default_SR in usable:
            return usable[pool.default_SR]
    if not usable:
        raise Conflict("the pool has no storage for disks that is connected to a host: connect one")
    return max(usable.values(), key=lambda sr: (sr.record.shared, sr.record.free_bytes))
