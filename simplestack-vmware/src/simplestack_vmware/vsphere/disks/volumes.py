"""Where files are: on which storage, whatever its name, and at which path."""

import re
from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Protocol

from msgspec import field

from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import Named

_BELOW_VOLUMES = re.compile(r"(?:\[\]\s*|ds://)?/vmfs/volumes/([^/]+)/(.*)", re.DOTALL)
_BELOW_NAME = re.compile(r"\[([^\]]*)\](.*)", re.DOTALL)


class FileBacking(Protocol):
    """The file of a disk."""

    @property
    def file_name(self) -> str | None:
        """Its path, with the datastore's name."""

    @property
    def datastore(self) -> Ref | None:
        """The datastore."""

    @property
    def object_id(self) -> str | None:
        """On storages of objects, such as vSAN: the same for all paths of the file."""


class Datastore(Named, frozen=True, kw_only=True):
    """A datastore with the storage that it is."""

    TYPE: ClassVar[str] = "Datastore"

    url: str = field(name="summary.url", default="")


class Place(NamedTuple):
    """Where a file is."""

    #: The storage; None if it is not known.
    volume: str | None
    path: str

    def may_be(self, other: "Place") -> bool:
        """Return whether two places may be the same."""
        return self.path == other.path and may_be_same(self.volume, other.volume)


class Volumes:
    """The storages of the datastores.

    The names of datastores are only unique in their datacenter, and a storage that two datacenters use is a
    datastore in each, perhaps with two names. Its URL is the same.
    """

    def __init__(self, datastores: Iterable[Datastore]) -> None:
        self._by_ref: dict[str, str | None] = {}
        self._by_name: dict[str, set[str | None]] = {}
        for each in datastores:
            volume = _volume(each.url)
            self._by_ref[each.ref.value] = volume
            self._by_name.setdefault(each.stored_name, set()).add(volume)

    def of(self, datastore: Ref) -> str | None:
        """Return the storage of a datastore; None if it is not known."""
        return self._by_ref.get(datastore.value)

    def place(self, backing: FileBacking) -> Place:
        """Return where the file of a disk is."""
        name = backing.file_name or ""
        below = _BELOW_VOLUMES.fullmatch(name)
        if below is not None:
            known = below[1] if below[1] in self._by_ref.values() else self._named(below[1])
            return Place(known, _plain(below[2]))
        below = _BELOW_NAME.fullmatch(name)
        if below is None:
            return Place(None, _plain(name))
        return Place(
            self._named(below[1]) if backing.datastore is None else self.of(backing.datastore),
            _plain(below[2]),
        )

    def _named(self, name: str) -> str | None:
        """Return the storage of a name; None if it is none's or several have it."""
        found = self._by_name.get(name, set())
        return next(iter(found)) if len(found) == 1 else None


def may_be_same(volume: str | None, other: str | None) -> bool:
    """Return whether two storages may be the same. One that is not known may be any."""
    return volume is None or other is None or volume == other


def _volume(url: str) -> str | None:
    found = re.fullmatch(r"ds:///vmfs/volumes/([^/]+)/?", url)
    return found[1] if found is not None else url or None


def _plain(path: str) -> str:
    """Return a path without empty parts and without ways up."""
    parts: list[str] = []
    for part in path.strip().split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
