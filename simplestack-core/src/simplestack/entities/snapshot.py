"""Snapshots of guests."""

from msgspec import UNSET, Struct, UnsetType

from simplestack.entities.limits import Name


class Snapshot(Struct, frozen=True, kw_only=True):
    """A moment of a guest that it can go back to."""

    #: Outlives sessions and is safe in a URL.
    id: str
    #: What people call it.
    name: str
    #: The guest's power state at that moment.
    state: str | None = None
    #: Names from the first snapshot down to this one, joined by ``/``.
    path: str | None = None
    #: RFC 3339, UTC.
    created: str | None = None


class SnapshotCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new snapshot; without a name it gets the UTC time."""

    #: What people will call it; the UTC time when absent.
    name: Name | UnsetType = UNSET
