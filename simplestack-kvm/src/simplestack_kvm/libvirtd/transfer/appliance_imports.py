"""Import the disks of appliances."""

from functools import partial

from simplestack import warn
from simplestack.appliances import (
    Appliance,
    ApplianceDisk,
    ApplianceReader,
    ArchiveReader,
    DiskFile,
    Incoming,
)
from simplestack_kvm.libvirtd.firmware.nvram_files import MAX_BYTES as MAX_NVRAM_BYTES
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource
from simplestack_kvm.libvirtd.transfer.image_imports import DiskImports, check_raw, check_start

#: How many files that are not imported a warning names.
_MAX_NAMED = 5


class ApplianceImport:
    """An appliance that is being read: its descriptor first, then everything else."""

    def __init__(self, archive: ArchiveReader) -> None:
        """Read the descriptor.

        :raises InvalidArguments: the archive does not begin with one, or it cannot be read
        """
        self._reader = ApplianceReader(archive, MAX_NVRAM_BYTES)

    @property
    def appliance(self) -> Appliance:
        """What the descriptor says."""
        return self._reader.appliance

    @property
    def nvram(self) -> bytes | None:
        """The UEFI variables, once they are read."""
        return self._reader.nvram

    def read_disks(self, imports: DiskImports) -> list[VolumeSource]:
        """Read the archive to its end. Return the volumes of all disks in the order of the guest's devices.

        :raises InvalidArguments: a file is missing, damaged, unreadable or not what the descriptor says
        """
        sources = self._reader.read_disks(partial(_read_disk, imports))
        ignored = self._reader.ignored
        if ignored:
            named = ", ".join(map(repr, ignored[:_MAX_NAMED]))
            warn(f"not imported: {len(ignored)} files that are no disks of the guest, such as {named}")
        return [
            imports.add_empty(disk.capacity_bytes, "a disk of the appliance")
            if disk.href is None
            else sources[disk.href]
            for disk in self.appliance.disks
        ]


def _read_disk(imports: DiskImports, disk: ApplianceDisk, file: DiskFile) -> VolumeSource:
    what = f"disk {disk.href!r} of the appliance"
    image = Incoming(file)
    if disk.format == "raw":
        header = check_raw(image, what)
    else:
        told = f"says {disk.format}" if disk.format else "does not tell it"
        header = check_start(image, what, raw_advice=f"The descriptor {told}: export the appliance again")
    return imports.add(image, header, what, file.size_bytes)
