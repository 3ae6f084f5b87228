"""The CD drive."""

from msgspec import Struct

from simplestack.entities.limits import NameOrEmpty


class Media(Struct, frozen=True, kw_only=True):
    """What is in the drive."""

    #: Name of the ISO image; null when the drive is empty or there is none.
    name: str | None


class MediaRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to put into the drive."""

    #: Name of the ISO image; null or an empty string ejects.
    name: NameOrEmpty | None
