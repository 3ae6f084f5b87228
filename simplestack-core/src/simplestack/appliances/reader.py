"""Read appliances: archives of a descriptor and disks, which are read once from start to end."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from simplestack.appliances.archive_reader import BLOCK_BYTES, ArchiveMember, ArchiveReader, is_archive
from simplestack.appliances.descriptor_reader import read_descriptor
from simplestack.appliances.digests import MAX_MANIFEST_BYTES, Manifest
from simplestack.appliances.guest import Appliance, ApplianceDisk
from simplestack.appliances.incoming import Incoming
from simplestack.appliances.inflating import GZIP_MARK, Inflated
from simplestack.appliances.members import chunk_name, names_member, spellings
from simplestack.appliances.xml_input import MAX_DESCRIPTOR_BYTES
from simplestack.errors import InvalidArguments

T = TypeVar("T")

_CHUNK = re.compile(r".+\.[0-9]{9}", re.DOTALL)


def open_archive(body: Incoming, most_bytes: Callable[[], int]) -> ArchiveReader | None:
    """Return the archive that a body is, compressed by gzip or not; None if it is none.

    :param most_bytes: called for a compressed body: how much its content may be
    :raises InvalidArguments: it is something else, compressed
    """
    if body.peek(len(GZIP_MARK)) != GZIP_MARK:
        return ArchiveReader(body) if is_archive(body.peek(BLOCK_BYTES)) else None
    inflated = Incoming(Inflated(body, most_bytes()))
    if not is_archive(inflated.peek(BLOCK_BYTES)):
        raise InvalidArguments("the image is compressed by gzip: decompress it")
    return ArchiveReader(inflated)


class DiskFile:
    """The image of a disk: one file of the archive, or several in a row."""

    def __init__(self, archive: ArchiveReader, disk: ApplianceDisk, member: ArchiveMember) -> None:
        self._archive = archive
        self._disk = disk
        self._chunks = 1
        self._is_over = False
        #: Size of the image; None if unknown.
        self.size_bytes: int | None = disk.file_bytes if disk.chunk_bytes is not None else member.size_bytes
        self.read_bytes: int = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes: fewer only at the end, and ``b""`` after it.

        :raises InvalidArguments: the archive ends too early
        """
        piece = b"" if self._is_over else self._archive.read(size)
        while len(piece) < size and self._go_on():
            piece += self._archive.read(size - len(piece))
        self.read_bytes += len(piece)
        return piece

    def _go_on(self) -> bool:
        """Go on with the next chunk, if it is next in the archive."""
        if self._is_over or self._disk.chunk_bytes is None:
            return False
        member = self._archive.next()
        if member is not None and names_member(chunk_name(self._disk.href or "", self._chunks), member.name):
            self._chunks += 1
            return True
        self._is_over = True
        if member is not None:
            self._archive.return_member(member)
        return False


class ApplianceReader:
    """An appliance that is being read: its descriptor first, then everything else."""

    def __init__(self, archive: ArchiveReader, most_nvram_bytes: int = 0) -> None:
        """Read the descriptor.

        :param most_nvram_bytes: how large the UEFI variables may be; 0 if they are not imported
        :raises InvalidArguments: the archive does not begin with one, or it cannot be read
        """
        self._archive = archive
        first = archive.next()
        if first is None or not first.name.lower().endswith(".ovf"):
            begins = "is empty" if first is None else f"begins with {first.name!r}"
            raise InvalidArguments(
                f"the archive must begin with its OVF descriptor, NAME.ovf, and it {begins}: repack it with "
                "the descriptor first, then the manifest and the disks"
            )
        #: The descriptor as it was sent.
        self.document: bytes = _whole(archive, first, MAX_DESCRIPTOR_BYTES)
        self.appliance: Appliance = read_descriptor(self.document)
        #: The content of the files that `keep` was called for, by name, once they are read.
        self.kept: dict[str, bytes] = {}
        self._most_kept_bytes: dict[str, int] = {}
        #: Name of the file with the UEFI variables, if they are imported.
        self._nvram_href = self.appliance.nvram_href if most_nvram_bytes else None
        if self._nvram_href is not None:
            self.keep(self._nvram_href, most_nvram_bytes)
        #: Names of files that were skipped, once they are read.
        self.ignored: list[str] = []
        self._manifest = Manifest(first.name, self.document, is_own=self.appliance.machine is not None)
        # Looked up and not searched for: an archive may have thousands of files, and hundreds of disks.
        self._disks: dict[str, ApplianceDisk] = {}
        self._chunked: dict[str, str] = {}
        for disk in self.appliance.disks:
            if disk.href is not None:
                begin = disk.href if disk.chunk_bytes is None else chunk_name(disk.href, 0)
                for name in spellings(begin):
                    self._disks.setdefault(name, disk)
                if disk.chunk_bytes is not None:
                    self._chunked |= dict.fromkeys(spellings(disk.href), disk.href)
        archive.digests_of = self._manifest.digests_of

    @property
    def nvram(self) -> bytes | None:
        """The UEFI variables, once they are read."""
        return None if self._nvram_href is None else self.kept.get(self._nvram_href)

    def keep(self, href: str, most_bytes: int) -> None:
        """Keep the content of a further file in memory, when the archive is read.

        :param href: its name in the descriptor
        :param most_bytes: how large it may be
        """
        self._most_kept_bytes[href] = most_bytes

    def read_disks(self, take: Callable[[ApplianceDisk, DiskFile], T]) -> dict[str, T]:
        """Read the archive to its end. Return what the disks became, by the name of their file.

        :param take: called with each disk that has a file, in the order of the archive; reads the file to
            its end
        :raises InvalidArguments: a file is missing, damaged, unreadable or not what the descriptor says
        """
        taken: dict[str, T] = {}
        while (member := self._archive.next()) is not None:
            disk = self._disk_of(member)
            if disk is not None and disk.href is not None:
                if disk.href in taken:
                    raise InvalidArguments(f"the archive has disk {disk.href!r} twice")
                file = DiskFile(self._archive, disk, member)
                taken[disk.href] = take(disk, file)
                if disk.file_bytes not in (None, file.read_bytes):
                    raise InvalidArguments(
                        f"disk {disk.href!r} of the appliance has {file.read_bytes} bytes, not "
                        f"{disk.file_bytes} as its descriptor says: send all of it"
                    )
            else:
                self._read_other(member)
        self._check_complete(taken)
        self._manifest.check()
        return taken

    def _disk_of(self, member: ArchiveMember) -> ApplianceDisk | None:
        """Return the disk whose image begins with a file; None of a file that is no disk."""
        disk = self._disks.get(member.name)
        if disk is None and _CHUNK.fullmatch(member.name):
            href = self._chunked.get(member.name.rpartition(".")[0])
            if href is not None:
                raise InvalidArguments(
                    f"the archive does not have the chunks of {href!r} in the order of their numbers"
                )
        return disk

    def _read_other(self, member: ArchiveMember) -> None:
        """Read what is no disk: the manifest, files to keep, and what is not imported."""
        href = next((each for each in self._most_kept_bytes if names_member(each, member.name)), None)
        if href is not None:
            self.kept[href] = _whole(self._archive, member, self._most_kept_bytes[href])
        elif member.name.lower().endswith(".mf"):
            self._manifest.set(_whole(self._archive, member, MAX_MANIFEST_BYTES))
        elif not member.name.lower().endswith(".cert"):
            self.ignored.append(member.name)

    def _check_complete(self, taken: Mapping[str, object]) -> None:
        for disk in self.appliance.disks:
            if disk.href is not None and disk.href not in taken:
                name = disk.href if disk.chunk_bytes is None else chunk_name(disk.href, 0)
                raise InvalidArguments(f"the archive lacks {name!r}, a disk that its descriptor names")
        if self._nvram_href is not None and self.nvram is None:
            raise InvalidArguments(
                f"the archive lacks {self._nvram_href!r}, the UEFI variables in its descriptor"
            )


def _whole(archive: ArchiveReader, member: ArchiveMember, most_bytes: int) -> bytes:
    if member.size_bytes > most_bytes:
        raise InvalidArguments(f"{member.name!r} in the archive has more than {most_bytes} bytes")
    return archive.read(member.size_bytes)
