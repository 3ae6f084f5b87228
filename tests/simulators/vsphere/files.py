"""The files of datastores: ``[datastore] folder/name``."""

import re
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct, field
from pyVmomi import vim

Kind = Literal["folder", "vmx", "disk", "iso", "other"]
_PATH = re.compile(r"\[([^\]]+)\] ?(.*)\Z", re.DOTALL)


class File(Struct):
    """A file in a datastore."""

    kind: Kind
    #: What it takes up.
    size_bytes: int = 0
    #: Of a disk: what a guest sees.
    capacity_bytes: int = 0
    #: Of a disk: whether it is thin-provisioned.
    is_thin: bool = False
    #: What it contains; None if nobody needs to know.
    content: bytes | None = None
    #: Of a vmx: the `vim.vm.ConfigInfo` of a VM that was unregistered, or whose file was copied.
    configuration: Any = None
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: Of a disk: pieces of 64 KiB, each compressed by zlib, by number; what is not there is zeros.
    grains: dict[int, bytes] = {}


class Files:
    """The files of all datastores. Whoever changes them holds the database's lock."""

    def __init__(self) -> None:
        #: By datastore ID, then by path without the datastore's name.
        self._files: dict[str, dict[str, File]] = {}
        self._capacities: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def add_datastore(self, datastore: str, capacity: int) -> None:
        """Begin a datastore, by its ID.

        :param capacity: in bytes
        """
        self._files[datastore] = {}
        self._capacities[datastore] = capacity
        self._used[datastore] = 0

    def capacity(self, datastore: str) -> int:
        """Return how many bytes a datastore has."""
        return self._capacities[datastore]

    def free(self, datastore: str) -> int:
        """Return how many bytes of a datastore are free."""
        return self._capacities[datastore] - self._used[datastore]

    def add(self, datastore: str, path: str, file: File) -> File:
        """Write a file.

        :raises FileAlreadyExists: there is one already
        :raises NoDiskSpace: the datastore is too full
        """
        if path in self._files[datastore]:
            raise vim.fault.FileAlreadyExists(file=path)
        if file.size_bytes > self.free(datastore):
            raise vim.fault.NoDiskSpace(file=path, datastore=datastore)
        self._files[datastore][path] = file
        self._used[datastore] += file.size_bytes
        return file

    def find(self, datastore: str, path: str) -> File | None:
        """Return a file, if it is there."""
        return self._files[datastore].get(path)

    def get(self, datastore: str, path: str) -> File:
        """Return a file.

        :raises FileNotFound: it is not there
        """
        found = self.find(datastore, path)
        if found is None:
            raise vim.fault.FileNotFound(file=path)
        return found

    def remove(self, datastore: str, path: str) -> None:
        """Remove a file.

        :raises FileNotFound: it is not there
        """
        self._used[datastore] -= self.get(datastore, path).size_bytes
        del self._files[datastore][path]

    def resize(self, datastore: str, path: str, size_bytes: int) -> None:
        """Set what a file takes up.

        :raises NoDiskSpace: the datastore is too full
        """
        found = self.get(datastore, path)
        growth = size_bytes - found.size_bytes
        if growth > self.free(datastore):
            raise vim.fault.NoDiskSpace(file=path, datastore=datastore)
        found.size_bytes = size_bytes
        self._used[datastore] += growth

    def uncommitted(self, datastore: str) -> int:
        """Return how many bytes the disks of a datastore may still grow."""
        files = self._files[datastore].values()
        return sum(max(0, each.capacity_bytes - each.size_bytes) for each in files)

    def has_folder(self, datastore: str, path: str) -> bool:
        """Return whether there is a folder: one that was made, or one with files in it."""
        own = self._files[datastore].get(path)
        if not path or (own is not None and own.kind == "folder"):
            return True
        return any(each.startswith(f"{path}/") for each in self._files[datastore])

    def tree(self, datastore: str, path: str) -> dict[str, File]:
        """Return a file, or a folder with all that is in it, by path."""
        start = f"{path}/" if path else ""
        files = self._files[datastore].items()
        return {each: file for each, file in files if each == path or each.startswith(start)}

    def all(self, datastore: str) -> dict[str, File]:
        """Return the files of a datastore by path."""
        return dict(self._files[datastore])


def split_path(path: str) -> tuple[str, str]:
    """Split ``[datastore] folder/name`` into the datastore's name and the path in it.

    :raises InvalidDatastorePath: it is no such path
    """
    found = _PATH.match(path)
    if found is None:
        raise vim.fault.InvalidDatastorePath(datastorePath=path)
    return found[1], found[2]
