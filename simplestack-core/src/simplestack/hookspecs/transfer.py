"""Hooks of image streams."""

from typing import Any

from simplestack.entities.guest import Guest
from simplestack.entities.transfer import Export, ImportStream
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_import(session: Any, stream: ImportStream, size: int | None, storage_id: str | None) -> Guest:
    """Make a guest from an image in the format that :func:`guest_export` writes.

    When it fails half-way, all that was made is removed again.

    Plugins: read the stream piece by piece, never as a whole.

    :param stream: the client's bytes
    :param size: how many there are; None when the client does not say (a chunked body)
    :param storage_id: id or name of the storage for its disks; None lets the plugin choose
    :returns: the new guest
    :raises EntityNotFound: ``Storage``
    :raises InvalidArguments: not an image that this hypervisor can read
    :raises LengthRequired: this hypervisor cannot take a body of unknown length
    :raises InsufficientStorage: no room for it
    """


@hookspec(firstresult=True)
def guest_export(session: Any, guest_id: str) -> Export:
    """Stream a guest's image, in a format that :func:`guest_import` reads.

    Plugins: the session stays with the stream until its chunks are exhausted or closed.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest is running and the hypervisor cannot export it so
    """
