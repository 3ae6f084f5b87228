"""Hooks of guests' disks. CD drives are not disks."""

from typing import Any

from simplestack.entities.disk import Disk, DiskCreate, DiskUpdate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def disk_list(session: Any, guest_id: str) -> list[Disk]:
    """List a guest's disks, in the order of their devices.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def disk_create(session: Any, guest_id: str, disk: DiskCreate) -> Disk:
    """Make an empty disk and attach it; hot when the guest runs.

    :raises EntityNotFound: ``Guest`` or ``Storage``
    :raises Conflict: no free device
    :raises InsufficientStorage: no room in the storage
    """


@hookspec(firstresult=True)
def disk_info(session: Any, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest.

    :raises EntityNotFound: ``Guest``, or ``Disk`` when it is not this guest's
    """


@hookspec(firstresult=True)
def disk_update(session: Any, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk.

    :raises EntityNotFound: ``Guest`` or ``Disk``
    :raises InvalidArguments: a size below the present one
    :raises Conflict: it is in use, and its storage lets it grow only while it is not
    :raises InsufficientStorage: no room in the storage
    """


@hookspec(firstresult=True)
def disk_delete(session: Any, guest_id: str, disk_id: str) -> None:
    """Detach a disk and remove it with its data; hot when the guest runs.

    Done only when the guest has let go of it.

    :raises EntityNotFound: ``Guest`` or ``Disk``
    :raises Busy: the guest does not let go of it
    """
