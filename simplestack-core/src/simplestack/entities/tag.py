"""Tags of guests."""

from msgspec import Struct

from simplestack.entities.limits import PathName


class TagCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new tag of a guest."""

    #: The tag.
    name: PathName
