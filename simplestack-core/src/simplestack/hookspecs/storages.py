"""Show the storages of disks and ISO images."""

from typing import Any

from simplestack.entities.storage import Storage
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def storage_list(session: Any) -> list[Storage]:
    """List the active storages for disks and ISO images.

    Sizes are in GiB, not rounded.
    """


@hookspec(firstresult=True)
def storage_info(session: Any, storage_id: str) -> Storage:
    """Show one storage.

    :raises EntityNotFound: ``Storage``
    """
