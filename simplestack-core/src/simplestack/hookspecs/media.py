"""Insert ISO images into the CD drives of guests, and eject them."""

from typing import Any

from simplestack.entities.media import Media
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def media_info(session: Any, guest_id: str) -> Media:
    """Show which ISO image is in a guest's CD drive.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def media_mount(session: Any, guest_id: str, name: str) -> None:
    """Insert an ISO image into the CD drive, instead of the current one. A guest without a CD drive gets one.

    :param name: the image's name, as ``media_info`` shows it
    :raises EntityNotFound: ``Guest`` or ``ISO``
    """


@hookspec(firstresult=True)
def media_unmount(session: Any, guest_id: str) -> None:
    """Eject the ISO image. This succeeds also if the drive is empty or the guest has none.

    :raises EntityNotFound: ``Guest``
    """
