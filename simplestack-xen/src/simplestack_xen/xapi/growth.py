"""Disks only grow: how far one may, and how it does."""

from simplestack import Conflict, InvalidArguments, gib
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import Drive
from simplestack_xen.xapi.session import XenSession

#: What XAPI says where a disk in use cannot grow: the message was gone from XenServer 7.3 until 2026.
_NO_ONLINE_RESIZE = ("MESSAGE_REMOVED", "MESSAGE_METHOD_UNKNOWN", "SR_OPERATION_NOT_SUPPORTED")


def require_known_bytes(drive: Drive, field: str) -> int:
    """Return the size of a disk that is to grow.

    :param field: the field of the request that says how far
    :raises Conflict: XAPI does not know the size, so the disk might shrink
    """
    size = drive.image.known_bytes
    if size is None:
        raise Conflict(
            f"{field}: the size of disk {drive.record.userdevice} is unknown, and disks only grow: "
            "try again when its storage is available"
        )
    return size


def grow(session: XenSession, drive: Drive, size_bytes: int) -> None:
    """Let a disk have a size.

    :raises InvalidArguments: it has more
    :raises Conflict: its size is unknown; or it is in use, and its storage cannot let it grow then, as few
        versions of XAPI can
    """
    known_bytes = require_known_bytes(drive, "size")
    if size_bytes < known_bytes:
        raise InvalidArguments(
            f"size: disk {drive.record.userdevice} has {gib(known_bytes):g} GiB and only grows, "
            f"{gib(size_bytes):g} GiB is less"
        )
    if size_bytes == known_bytes:
        return
    if not drive.record.currently_attached:
        session.tasks.run.VDI.resize(drive.record.VDI, size_bytes)
        return
    try:
        session.tasks.run.VDI.resize_online(drive.record.VDI, size_bytes)
    except XenAPI.Failure as failure:
        if failure.details[0] not in _NO_ONLINE_RESIZE:
            raise
        raise Conflict(
            f"disk {drive.record.userdevice} is in use, and its storage cannot let it grow then "
            f"({failure.details[0]}): shut the guest down first"
        ) from None
