"""Import and export guests as images."""

from typing import Any

from simplestack.entities.guest import Guest
from simplestack.entities.transfer import Export, ImportStream
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_import(session: Any, stream: ImportStream, size: int | None, storage_id: str | None) -> Guest:
    """Create a guest from an image in the format that :func:`guest_export` writes.

    If the import fails, everything that it created is removed.

    Plugins: read the stream in pieces; an image does not fit into memory.

    :param stream: the bytes of the image
    :param size: the number of bytes; None if the client does not announce it (a chunked body)
    :param storage_id: ID or name of the storage for the disks; None lets the plugin choose
    :returns: the new guest
    :raises EntityNotFound: ``Storage``
    :raises InvalidArguments: the body is not an image that this hypervisor can read
    :raises LengthRequired: this hypervisor cannot read a body of unknown length
    :raises InsufficientStorage: the storage does not have enough free space
    """


@hookspec(firstresult=True)
def guest_export(session: Any, guest_id: str) -> Export:
    """Download a guest as an image that :func:`guest_import` can read.

    Plugins: core keeps the session for the stream until its chunks are exhausted or closed.

    :raises EntityNotFound: ``Guest``
    :raises InvalidState: the guest is running, and the hypervisor cannot export running guests
    """
