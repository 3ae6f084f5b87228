"""The CD drive."""

from msgspec import Struct

from simplestack.entities.limits import NameOrEmpty


class Media(Struct, frozen=True, kw_only=True):
    """The contents of a guest's CD drive."""

    #: Name of the ISO image; null if the drive is empty or the guest has none.
    name: str | None


class MediaRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ISO image to insert or eject."""

    #: Name of the ISO image to insert. Null or an empty string ejects the current one.
    name: NameOrEmpty | None
