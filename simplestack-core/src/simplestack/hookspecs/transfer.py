"""Import and export guests as images."""

from typing import Any

from simplestack.entities.guest import Guest, GuestImport
from simplestack.entities.transfer import Export, ImportStream
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def guest_import(
    session: Any,
    stream: ImportStream,
    size: int | None,
    storage_id: str | None,
    description: GuestImport | None,
) -> Guest:
    """Create a guest from an image in the format that :func:`guest_export` writes.

    The query parameters describe the guest. They override what the image says. An image that describes no
    guest, such as a bare disk, needs ``name`` and ``memory``. A parameter that the hypervisor does not
    support is rejected with 501.

    Plugins: core rejects query parameters unless ``optional_fields`` of the description lists them for
    ``guest_import``. ``network`` replaces all interfaces of the image.

    If the import fails, everything that it created is removed.

    Plugins: read the stream in pieces; an image does not fit into memory.

    :param stream: the bytes of the image
    :param size: the number of bytes; None if the client does not announce it (a chunked body)
    :param storage_id: ID or name of the storage for the disks; None lets the plugin choose
    :param description: the query parameters; None if the client sent none
    :returns: the new guest
    :raises EntityNotFound: ``Storage``, or ``Network`` in the query
    :raises Conflict: another guest has the name in the query
    :raises InvalidArguments: the body is not an image that this hypervisor can read, or it describes no
        guest and the query lacks the name or the memory
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
