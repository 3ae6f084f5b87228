"""Hooks of snapshots. A snapshot id of another guest is not found."""

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
    """Take a snapshot of a guest, in any power state.

    :param name: as the client gave it, or the UTC time
    :raises EntityNotFound: ``Guest``
    :raises InsufficientStorage: no room for it
    """


@hookspec(firstresult=True)
def snapshot_info(session: Any, guest_id: str, snapshot_id: str) -> Snapshot:
    """Show one snapshot of a guest.

    :raises EntityNotFound: ``Guest``, or ``Snapshot`` when it is not this guest's
    """


@hookspec(firstresult=True)
def snapshot_revert(session: Any, guest_id: str, snapshot_id: str) -> Snapshot:
    """Take the guest back to a snapshot: its settings and what is on its disks.

    :raises EntityNotFound: ``Guest`` or ``Snapshot``
    """


@hookspec(firstresult=True)
def snapshot_delete(session: Any, guest_id: str, snapshot_id: str) -> None:
    """Remove a snapshot; those taken after it stay.

    :raises EntityNotFound: ``Guest`` or ``Snapshot``
    """
