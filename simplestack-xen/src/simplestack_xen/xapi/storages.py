"""Find storage repositories, and choose one for new disks."""

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
    :raises Conflict: several have this name
    """
    sr = by_uuid(session, SrRecord, "SR", id_or_name)
    if sr is None:
        sr = only(by_name(session, SrRecord, "SR", id_or_name), "Storage", id_or_name)
    return Sr(*sr)


def find_disk_sr(session: XenSession, id_or_name: str | None) -> Sr:
    """Return the repository for new disks: the named one, the default, or the one with the most free space.

    Shared repositories are preferred, so that the guest can run on all hosts.

    :raises EntityNotFound: ``Storage``
    :raises InvalidArguments: the named repository has ISO images
    :raises Conflict: none is named, and there is none for disks
    """
    wanted = id_or_name or session.settings.default_storage
    if wanted is not None:
        sr = find_sr(session, wanted)
        if not sr.record.takes_disks:
            raise InvalidArguments(
                f"storage {sr.record.name_label!r} is for ISO images or removable drives: use one for disks"
            )
        return sr
    api = session.api
    pools = api.read_all(PoolRecord, "pool")
    connections = api.read_all(PbdRecord, "PBD")
    connected = {pbd.SR for pbd in connections.values() if pbd.currently_attached}
    repositories = api.read_all(SrRecord, "SR")
    usable = {ref: Sr(ref, sr) for ref, sr in repositories.items() if ref in connected and sr.takes_disks}
    for pool in pools.values():
        if pool.default_SR in usable:
            return usable[pool.default_SR]
    if not usable:
        raise Conflict("the pool has no connected storage for disks: connect one to a host")
    return max(usable.values(), key=lambda sr: (sr.record.shared, sr.record.free_bytes))
