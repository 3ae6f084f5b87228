"""Snapshots of guests."""

from msgspec import UNSET, Struct, UnsetType

from simplestack.entities.limits import Name


class Snapshot(Struct, frozen=True, kw_only=True):
    """A snapshot of a guest."""

    #: ID of the snapshot. Stable and URL-safe.
    id: str
    #: Display name.
    name: str
    #: The guest's power state when the snapshot was taken.
    state: str | None = None
    #: Names of the snapshots from the first one to this one, joined by ``/``.
    path: str | None = None
    #: Time of the snapshot in RFC 3339, UTC.
    created: str | None = None


class SnapshotCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new snapshot."""

    #: Display name. Default: the UTC time.
    name: Name | UnsetType = UNSET
