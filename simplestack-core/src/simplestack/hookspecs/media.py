"""Hooks of the CD drive."""

from typing import Any

from simplestack.entities.media import Media
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def media_info(session: Any, guest_id: str) -> Media:
    """Show what is in a guest's CD drive.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def media_mount(session: Any, guest_id: str, name: str) -> None:
    """Put an ISO image into the CD drive, in place of what is there; make the drive where there is none.

    :param name: the image's name, as ``media_info`` shows it
    :raises EntityNotFound: ``Guest`` or ``ISO``
    """


@hookspec(firstresult=True)
def media_unmount(session: Any, guest_id: str) -> None:
    """Empty the CD drive; an empty or missing one is no error.

    :raises EntityNotFound: ``Guest``
    """
