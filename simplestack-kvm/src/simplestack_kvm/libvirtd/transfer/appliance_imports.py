"""Read appliances: archives of a descriptor and disks, which are read once from start to end."""

import re
from collections.abc import Mapping

from simplestack import InvalidArguments, warn
from simplestack.appliances import (
    MAX_DESCRIPTOR_BYTES,
    MAX_MANIFEST_BYTES,
    Appliance,
    ApplianceDisk,
    ArchiveMember,
    ArchiveReader,
    Incoming,
    Manifest,
    chunk_name,
    names_member,
    read_descriptor,
    spellings,
)
from simplestack_kvm.libvirtd.firmware.nvram_files import MAX_BYTES as MAX_NVRAM_BYTES
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource
from simplestack_kvm.libvirtd.transfer.image_imports import DiskImports, check_raw, check_start

#: How many files that are not imported a warning names.
_MAX_NAMED = 5
_CHUNK = re.compile(r".+\.[0-9]{9}", re.DOTALL)


class ApplianceImport:
    """An appliance that is being read: its descriptor first, then everything else."""

    def __init__(self, archive: ArchiveReader) -> None:
        """Read the descriptor.

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
        document = _whole(archive, first, MAX_DESCRIPTOR_BYTES)
        self.appliance: Appliance = read_descriptor(document)
        #: The UEFI variables, once they are read.
        self.nvram: bytes | None = None
        self._manifest = Manifest(first.name, document, is_own=self.appliance.machine is not None)
        self._ignored: list[str] = []
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

    def read_disks(self, imports: DiskImports) -> list[VolumeSource]:
        """Read the archive to its end. Return the volumes of all disks in the order of the guest's devices.

        :raises InvalidArguments: a file is missing, damaged, unreadable or not what the descriptor says
        """
        sources: dict[str, VolumeSource] = {}
        while (member := self._archive.next()) is not None:
            disk = self._disk_of(member)
            if disk is not None and disk.href is not None:
                if disk.href in sources:
                    raise InvalidArguments(f"the archive has disk {disk.href!r} twice")
                sources[disk.href] = self._read_disk(imports, disk, member)
            else:
                self._read_other(member)
        self._check_complete(sources)
        self._manifest.check()
        if self._ignored:
            named = ", ".join(map(repr, self._ignored[:_MAX_NAMED]))
            warn(f"not imported: {len(self._ignored)} files that are no disks of the guest, such as {named}")
        return [
            imports.add_empty(disk.capacity_bytes, "a disk of the appliance")
            if disk.href is None
            else sources[disk.href]
            for disk in self.appliance.disks
        ]

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

    def _read_disk(self, imports: DiskImports, disk: ApplianceDisk, member: ArchiveMember) -> VolumeSource:
        what = f"disk {disk.href!r} of the appliance"
        size_bytes = disk.file_bytes if disk.chunk_bytes is not None else member.size_bytes
        file = _File(self._archive, disk)
        image = Incoming(file)
        if disk.format == "raw":
            header = check_raw(image, what)
        else:
            told = f"says {disk.format}" if disk.format else "does not tell it"
            header = check_start(image, what, raw_advice=f"The descriptor {told}: export the appliance again")
        source = imports.add(image, header, what, size_bytes)
        if disk.file_bytes not in (None, file.read_bytes):
            raise InvalidArguments(
                f"{what} has {file.read_bytes} bytes, not {disk.file_bytes} as its descriptor says: send all "
                "of it"
            )
        return source

    def _read_other(self, member: ArchiveMember) -> None:
        """Read what is no disk: the manifest, UEFI variables, and what is not imported."""
        if self.appliance.nvram_href is not None and names_member(self.appliance.nvram_href, member.name):
            self.nvram = _whole(self._archive, member, MAX_NVRAM_BYTES)
        elif member.name.lower().endswith(".mf"):
            self._manifest.set(_whole(self._archive, member, MAX_MANIFEST_BYTES))
        elif not member.name.lower().endswith(".cert"):
            self._ignored.append(member.name)

    def _check_complete(self, sources: Mapping[str, VolumeSource]) -> None:
        for disk in self.appliance.disks:
            if disk.href is not None and disk.href not in sources:
                name = disk.href if disk.chunk_bytes is None else chunk_name(disk.href, 0)
                raise InvalidArguments(f"the archive lacks {name!r}, a disk that its descriptor names")
        if self.appliance.nvram_href is not None and self.nvram is None:
            raise InvalidArguments(
                f"the archive lacks {self.appliance.nvram_href!r}, the UEFI variables in its descriptor"
            )


class _File:
    """The image of a disk: one file of the archive, or several in a row."""

    def __init__(self, archive: ArchiveReader, disk: ApplianceDisk) -> None:
        self._archive = archive
        self._disk = disk
        self._chunks = 1
        self._is_over = False
        self.read_bytes = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes: fewer only at the end, and ``b""`` after it."""
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


def _whole(archive: ArchiveReader, member: ArchiveMember, most_bytes: int) -> bytes:
    if member.size_bytes > most_bytes:
        raise InvalidArguments(f"{member.name!r} in the archive has more than {most_bytes} bytes")
    return archive.read(member.size_bytes)
