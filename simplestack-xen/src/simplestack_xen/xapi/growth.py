"""Grow disks."""

from simplestack import Conflict, grown_bytes
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import Drive
from simplestack_xen.xapi.session import XenSession

#: XAPI's errors if a disk in use cannot grow. XenServer had no such message from 7.3 until 2026.
_NO_ONLINE_RESIZE = ("MESSAGE_REMOVED", "MESSAGE_METHOD_UNKNOWN", "SR_OPERATION_NOT_SUPPORTED")


def require_known_bytes(drive: Drive, field: str) -> int:
    """Return the current size of a disk to grow.

    :param field: the field of the request with the new size
    :raises Conflict: XAPI does not know the size
    """
    size = drive.image.known_bytes
    if size is None:
        raise Conflict(
            f"`{field}`: the size of disk {drive.record.userdevice} is unknown: "
            "try again when its storage is available"
        )
    return size


def grow(session: XenSession, drive: Drive, size_bytes: int) -> None:
    """Grow a disk.

    :raises InvalidArguments: the disk is larger
    :raises Conflict: its size is unknown; or it is in use, and its storage cannot let it grow then, as few
        versions of XAPI can
    """
    known_bytes = require_known_bytes(drive, "size")
    size_bytes = grown_bytes("size", size_bytes, [known_bytes])
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
            f"disk {drive.record.userdevice} is in use, and its storage cannot grow disks in use "
            f"({failure.details[0]}): stop the guest first"
        ) from None
