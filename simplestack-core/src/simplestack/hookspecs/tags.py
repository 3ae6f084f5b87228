"""List, add and remove tags of guests."""

from typing import Any

from simplestack.markers import hookspec


@hookspec(firstresult=True)
def tag_list(session: Any, guest_id: str) -> list[str]:
    """List a guest's tags, sorted.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def tag_create(session: Any, guest_id: str, name: str) -> list[str]:
    """Add a tag to a guest. This succeeds also if the guest already has the tag.

    :returns: all tags of the guest, sorted
    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def tag_delete(session: Any, guest_id: str, name: str) -> None:
    """Remove a tag from a guest.

    :raises EntityNotFound: ``Guest``, or ``Tag`` if the guest does not have it
    """
