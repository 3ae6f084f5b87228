"""Hooks of guests: what they are. Their power, disks and so on have modules of their own."""

from typing import Any

from simplestack.entities.guest import Guest, GuestCreate, GuestUpdate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_list(session: Any, fields: frozenset[str]) -> list[Guest]:
    """List all guests: full entities, without templates, snapshots and control domains.

    Plugins: one guest that is in an odd state must not fail the whole list.

    :param fields: members the client asked for. All members where it asked for none in particular. What is
        not in it need not be found out, where that saves a round trip: the member's default will do.
    """


@hookspec(firstresult=True)
def guest_info(session: Any, guest_id: str) -> Guest:
    """Show one guest.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def guest_create(session: Any, guest: GuestCreate) -> Guest:
    """Make a guest: from a template, from an image, or with empty disks; ``start`` starts it at once.

    When any step fails, everything that was made before it is removed again.

    :returns: the new guest
    :raises EntityNotFound: ``Guest`` (the template), ``Image``, ``Storage``, ``Network`` or ``ISO``
    :raises Conflict: the name is taken, or a name in the request is ambiguous
    :raises InsufficientStorage: no room for the disks
    """


@hookspec(firstresult=True)
def guest_update(session: Any, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a guest. What the body does not name stays. Everything that can be refused is refused first.

    :returns: the guest after the change
    :raises EntityNotFound: ``Guest``
    :raises Conflict: the name is taken
    :raises InvalidArguments: ``hdd`` below the sum of the disks, or without any disk
    :raises InvalidState: a change that this power state does not allow
    :raises InsufficientStorage: no room for the disk to grow
    """


@hookspec(firstresult=True)
def guest_delete(session: Any, guest_id: str) -> None:
    """Remove a stopped guest for good, with its own disks and its snapshots.

    ISO images, and disks that another guest uses too, stay. The guest goes before its disks, so that a
    refusal by the hypervisor does not leave a guest stripped of them.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest is not stopped
    """


@hookspec(firstresult=True)
def guest_clone(session: Any, guest_id: str, name: str) -> Guest:
    """Make an independent copy of a stopped guest: new id, new MAC addresses, disks of its own.

    :returns: the copy
    :raises EntityNotFound: ``Guest``
    :raises Conflict: the name is taken
    :raises InvalidState: the guest is not stopped and the hypervisor needs it to be
    :raises InsufficientStorage: no room for the copy's disks
    """
