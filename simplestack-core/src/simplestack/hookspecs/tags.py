"""Hooks of tags."""

from typing import Any

from simplestack.markers import hookspec


@hookspec(firstresult=True)
def tag_list(session: Any, guest_id: str) -> list[str]:
    """List a guest's tags, sorted.

    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def tag_create(session: Any, guest_id: str, name: str) -> list[str]:
    """Put a tag on a guest; one that is there already is no error.

    :returns: all the guest's tags, sorted
    :raises EntityNotFound: ``Guest``
    """


@hookspec(firstresult=True)
def tag_delete(session: Any, guest_id: str, name: str) -> None:
    """Take a tag off a guest.

    :raises EntityNotFound: ``Guest``, or ``Tag`` when the guest has no such tag
    """
