"""Images that clients upload: appliances and bare disks, as guests with disks to be read."""

from collections.abc import Callable
from typing import Protocol

from msgspec import UNSET

from simplestack import GuestImport, InvalidArguments, warn
from simplestack.appliances import (
    Announced,
    Appliance,
    ApplianceDisk,
    ApplianceInterface,
    ApplianceReader,
    DiskFile,
    Incoming,
    Source,
    descriptor_text,
    open_archive,
    write_descriptor,
)
from simplestack_vmware.vsphere.transfer.nvram import MAX_NVRAM_BYTES
from simplestack_vmware.vsphere.transfer.vmdk import check_vmdk

_WHAT = "the image"
_EXAMPLE = "`?name=web&memory=1024`"
_DISK_NAME = "disk-1.vmdk"
#: How many files that are not imported a warning names.
_MAX_NAMED = 5

#: Takes a disk and its image, with the size of the image if that is known.
Take = Callable[[ApplianceDisk, Source, int | None], None]


class Image(Protocol):
    """An image that is being read."""

    @property
    def appliance(self) -> Appliance:
        """The guest that it describes."""
        ...

    @property
    def document(self) -> str:
        """The OVF descriptor."""
        ...

    def read_disks(self, take: Take, nvram_href: str | None) -> bytes | None:
        """Read the image to its end.

        :param nvram_href: name of the file with the UEFI variables; None if they are not imported
        :return: the UEFI variables, if the image has them
        """
        ...


def open_image(stream: Source, size: int | None, wanted: GuestImport, most_bytes: Callable[[], int]) -> Image:
    """Open an image, as far as it describes its guest.

    :param most_bytes: called for a compressed image: how much its content may be
    :raises InvalidArguments: it is something else, or nothing describes its guest
    """
    body = Incoming(stream if size is None else Announced(stream, size, "the body"))
    archive = open_archive(body, most_bytes)
    if archive is None:
        return BareDisk(body, size, wanted)
    return Packed(ApplianceReader(archive))


class Packed:
    """An appliance."""

    def __init__(self, reader: ApplianceReader) -> None:
        self._reader = reader
        self.appliance = reader.appliance
        self.document = descriptor_text(reader.document)
        for disk in self.appliance.disks:
            if disk.format not in (None, "vmdk"):
                raise InvalidArguments(
                    f"disk {disk.href!r} of the appliance is a {disk.format} image, and vSphere imports only "
                    "stream-optimized VMDKs: unpack the appliance, convert the disk (`qemu-img convert -O "
                    "vmdk -o subformat=streamOptimized DISK disk.vmdk`), and send disk.vmdk with the guest's "
                    f"description in the query ({_EXAMPLE})"
                )

    def read_disks(self, take: Take, nvram_href: str | None) -> bytes | None:
        """Read the archive to its end, and return the UEFI variables.

        :raises InvalidArguments: a file is missing, damaged, or not what the descriptor says
        """

        def take_file(disk: ApplianceDisk, file: DiskFile) -> None:
            take(disk, file, file.size_bytes)

        if nvram_href is not None:
            self._reader.keep(nvram_href, MAX_NVRAM_BYTES)
        self._reader.read_disks(take_file)
        ignored = self._reader.ignored
        if ignored:
            named = ", ".join(map(repr, ignored[:_MAX_NAMED]))
            warn(f"not imported: {len(ignored)} files that are no disks of the guest, such as {named}")
        return None if nvram_href is None else self._reader.kept.get(nvram_href)


class BareDisk:
    """The image of a disk, as a guest with one disk that the query describes."""

    def __init__(self, body: Incoming, size: int | None, wanted: GuestImport) -> None:
        self._body = body
        self._size = size
        capacity_bytes = check_vmdk(body, _WHAT)
        if wanted.name is UNSET or wanted.memory is UNSET:
            raise InvalidArguments(
                f"{_WHAT} is that of a disk, which does not describe its guest: describe it in the query "
                f"({_EXAMPLE})"
            )
        disk = ApplianceDisk(
            href=_DISK_NAME,
            capacity_bytes=capacity_bytes,
            file_bytes=size,
            format="vmdk",
            bus="scsi",
            controller="virtualscsi",
        )
        self.appliance = Appliance(
            name=wanted.name,
            memory_mib=wanted.memory,
            cpus=1,
            disks=(disk,),
            interfaces=tuple(ApplianceInterface(network=name, model="vmxnet3") for name in wanted.network),
        )
        self.document = descriptor_text(write_descriptor(self.appliance))

    def read_disks(self, take: Take, _nvram_href: str | None) -> None:
        """Read the image to its end."""
        take(self.appliance.disks[0], self._body, self._size)
