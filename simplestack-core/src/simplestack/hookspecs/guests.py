"""List, create, change, clone and delete guests."""

from typing import Any

from simplestack.entities.cloud_init import CloudInit
from simplestack.entities.guest import Guest, GuestCreate, GuestUpdate
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_list(session: Any, fields: frozenset[str]) -> list[Guest]:
    """List all guests, without templates, snapshots and control domains. Items have all fields.

    Plugins: a guest in an unexpected state must not fail the whole list.

    :param fields: the fields that the client asked for; all fields if it did not choose. Return the default
        of any other field when that saves a round trip.
    """


@hookspec(firstresult=True)
def guest_info(session: Any, guest_id: str) -> Guest:
    """Show one guest.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def guest_create(session: Any, guest: GuestCreate) -> Guest:
    """Create a guest from a template, from an image, or with empty disks. ``start`` starts it at once.

    ``user_data``, ``network_config``, ``hostname`` and ``ssh_keys`` are for cloud-init in the guest, as its
    data source NoCloud has them. ``hostname`` and ``ssh_keys`` are metadata (``local-hostname`` and
    ``public-keys``), so they can be sent with or without ``user_data``. What a template was created with is
    not copied. A field that the hypervisor does not support is rejected with 501.

    If a step fails, everything that was created before it is removed.

    Plugins: core rejects ``firmware`` and the fields for cloud-init unless ``optional_fields`` of the
    description lists them for ``guest_create``. :attr:`~simplestack.GuestCreate.cloud_init` has those for
    cloud-init. User data and network configuration are secrets: keep them out of messages and logs, delete
    them with the guest, and leave them out of exports.

    :returns: the new guest
    :raises EntityNotFound: ``Guest`` (the template), ``Image``, ``Storage``, ``Network`` or ``ISO``
    :raises Conflict: another guest has this name, or a name in the request is ambiguous
    :raises InsufficientStorage: the storage does not have enough free space for the disks
    """


@hookspec(firstresult=True)
def guest_update(session: Any, guest_id: str, changes: GuestUpdate) -> Guest:
    """Change a guest. Fields that the request omits keep their values.

    As much as possible is checked before anything is changed.

    :returns: the guest after the change
    :raises EntityNotFound: ``Guest``
    :raises Conflict: another guest has this name
    :raises InvalidArguments: ``hdd`` is smaller than the sum of the disks, or the guest has no disk
    :raises InvalidState: the guest's power state does not allow this change
    :raises InsufficientStorage: the storage does not have enough free space for the disk to grow
    """


@hookspec(firstresult=True)
def guest_delete(session: Any, guest_id: str) -> None:
    """Permanently delete a stopped guest with its own disks and its snapshots.

    ISO images and disks that another guest also uses are kept. The guest is deleted before its disks: if the
    hypervisor rejects the deletion, the guest still has them.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest is not stopped
    """


@hookspec(firstresult=True)
def guest_clone(session: Any, guest_id: str, name: str, cloud_init: CloudInit | None) -> Guest:
    """Create an independent copy of a stopped guest, with a new ID, new MAC addresses and its own disks.

    The data for cloud-init that the guest was created with is not copied: ``user_data``,
    ``network_config``, ``hostname`` and ``ssh_keys`` are for the copy alone. A field that the hypervisor does
    not support is rejected with 501.

    Plugins: core rejects fields for cloud-init unless ``optional_fields`` of the description lists them for
    ``guest_clone``.

    :param cloud_init: data for cloud-init in the copy; None if the client sent none
    :returns: the copy
    :raises EntityNotFound: ``Guest``
    :raises Conflict: another guest has this name
    :raises InvalidState: the guest is not stopped, and the hypervisor can only clone stopped guests
    :raises InsufficientStorage: the storage does not have enough free space for the copy's disks
    """
