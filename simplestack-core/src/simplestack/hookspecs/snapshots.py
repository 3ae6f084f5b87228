"""List, take, revert to and delete snapshots of guests."""

from typing import Any

from simplestack.entities.snapshot import Snapshot
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def snapshot_list(session: Any, guest_id: str) -> list[Snapshot]:
    """List a guest's snapshots, oldest first.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def snapshot_create(session: Any, guest_id: str, name: str) -> Snapshot:
    """Take a snapshot of a guest. The guest may be in any power state.

    :param name: the name from the request, or the UTC time
    :raises EntityNotFound: ``Guest``
    :raises InsufficientStorage: the storage does not have enough free space
    """


@hookspec(firstresult=True)
def snapshot_info(session: Any, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest.

    :raises EntityNotFound: ``Guest``, or ``Snapshot`` if it does not belong to this guest
    """


@hookspec(firstresult=True)
def snapshot_revert(session: Any, guest_id: str, snapshot_id: str) -> Snapshot:
    """Restore a guest's settings and disks from a snapshot.

    :raises EntityNotFound: ``Guest`` or ``Snapshot``
    """


@hookspec(firstresult=True)
def snapshot_delete(session: Any, guest_id: str, snapshot_id: str) -> None:
    """Delete a snapshot. Later snapshots are kept.

    :raises EntityNotFound: ``Guest`` or ``Snapshot``
    """
