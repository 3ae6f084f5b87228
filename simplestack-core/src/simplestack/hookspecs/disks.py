"""List, add, rename, grow and delete the disks of guests. CD drives are not disks."""

from typing import Any

from simplestack.entities.disk import Disk, DiskCreate, DiskUpdate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def disk_list(session: Any, guest_id: str) -> list[Disk]:
    """List a guest's disks in device order.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def disk_create(session: Any, guest_id: str, disk: DiskCreate) -> Disk:
    """Create an empty disk and attach it. A running guest gets it without a restart.

    :raises EntityNotFound: ``Guest`` or ``Storage``
    :raises Conflict: the guest has no free device
    :raises InsufficientStorage: the storage does not have enough free space
    """


@hookspec(firstresult=True)
def disk_info(session: Any, guest_id: str, disk_id: str) -> Disk:
    """Show one disk of a guest.

    :raises EntityNotFound: ``Guest``, or ``Disk`` if it does not belong to this guest
    """


@hookspec(firstresult=True)
def disk_update(session: Any, guest_id: str, disk_id: str, changes: DiskUpdate) -> Disk:
    """Rename or grow a disk.

    :raises EntityNotFound: ``Guest`` or ``Disk``
    :raises InvalidArguments: `size` is smaller than the current size
    :raises Conflict: the disk is in use, and its storage can only grow disks that are not
    :raises InsufficientStorage: the storage does not have enough free space
    """


@hookspec(firstresult=True)
def disk_delete(session: Any, guest_id: str, disk_id: str) -> None:
    """Detach a disk and delete it with its data, also while the guest runs.

    The response comes after the guest has released the disk.

    :raises EntityNotFound: ``Guest`` or ``Disk``
    :raises Busy: the guest does not release the disk
    """
