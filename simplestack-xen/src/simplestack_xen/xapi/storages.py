"""Find storage repositories, and choose one for new disks."""

from collections.abc import Iterable
from typing import NamedTuple

from simplestack import Conflict, InvalidArguments
from simplestack_xen.xapi.drives import disks
from simplestack_xen.xapi.lookups import by_name, by_uuid, only
from simplestack_xen.xapi.records import PbdRecord, PoolRecord, SrRecord, VmRecord
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
    :raises InvalidArguments: it holds ISO images
    :raises Conflict: no host is connected to it; or none was named, and there is none to choose
    """
    wanted = id_or_name or session.settings.default_storage
    if wanted is not None:
        return checked(session, find_sr(session, wanted))
    api = session.api
    for pool in api.read_all(PoolRecord, "pool").values():
        default = api.read_some(SrRecord, "SR", [pool.default_SR])
        for ref, record in default.items():
            return checked(session, Sr(ref, record), "the pool's default storage")
    connections = api.read_all(PbdRecord, "PBD")
    connected = {pbd.SR for pbd in connections.values() if pbd.currently_attached}
    repositories = api.read_all(SrRecord, "SR")
    usable = [Sr(ref, sr) for ref, sr in repositories.items() if ref in connected and sr.takes_disks]
    if not usable:
        raise Conflict("the pool has no storage for disks that is connected to a host: connect one")
    return max(usable, key=lambda sr: (sr.record.shared, sr.record.free_bytes))


def sr_beside(session: XenSession, vm: VmRecord) -> Sr:
    """Return the repository for a VM's next disk: that of its first disk, unless the settings name one.

    :raises Conflict: no host is connected to it
    """
    if session.settings.default_storage is None:
        for drive in disks(session, vm)[:1]:
            record = session.api.read(SrRecord, "SR.get_record", drive.image.SR)
            if record.takes_disks:
                return checked(session, Sr(drive.image.SR, record))
    return find_disk_sr(session, None)


def checked(session: XenSession, sr: Sr, what: str = "storage") -> Sr:
    """Return a storage repository that new disks can go to.

    :param what: words for it in messages, such as ``the pool's default storage``
    :raises InvalidArguments: it holds ISO images
    :raises Conflict: no host is connected to it
    """
    if not sr.record.takes_disks:
        raise InvalidArguments(
            f"{what} {sr.record.name_label!r} holds ISO images or removable drives, no disks: choose another "
            "storage"
        )
    if not _is_connected(session, sr.record):
        raise Conflict(
            f"{what} {sr.record.name_label!r} is not connected to any host: connect it, or name another one"
        )
    return sr


def require_connected(session: XenSession, refs: Iterable[str], attempt: str) -> None:
    """Check that hosts are connected to storage repositories, before anything is done that needs them.

    :param attempt: what was tried, such as ``delete guest 'web'``
    :raises Conflict: no host is connected to one of them
    """
    for sr in session.api.read_some(SrRecord, "SR", refs).values():
        if not _is_connected(session, sr):
            raise Conflict(
                f"cannot {attempt}: its storage {sr.name_label!r} is not connected to any host; "
                "connect it first"
            )


def _is_connected(session: XenSession, sr: SrRecord) -> bool:
    """Return whether a host is connected to a storage repository: a round trip until one is."""
    plugs = (session.api.read_if_there(PbdRecord, "PBD", ref) for ref in sr.PBDs)
    return any(plug is not None and plug.currently_attached for plug in plugs)
