"""Read the files and the disks in an OVF descriptor."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simplestack.appliances import terms
from simplestack.appliances.guest import ApplianceDisk, Bus, ImageFormat
from simplestack.appliances.hardware_reader import Item, read_controllers
from simplestack.appliances.members import check_href
from simplestack.appliances.units import size_bytes
from simplestack.appliances.xml_input import attribute, children, integer, invalid
from simplestack.entities.limits import GIB

MAX_DISK_BYTES = 64 * 1024 * GIB
_MAX_FILES = 1000
_MAX_DISKS = 256
#: oVirt's words for the bus and the format of a disk.
_INTERFACES: Mapping[str, Bus] = {
    "virtio": "virtio",
    "virtio_scsi": "scsi",
    "ide": "ide",
    "sata": "sata",
}
_VOLUME_FORMATS: Mapping[str, ImageFormat] = {"cow": "qcow2", "raw": "raw"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRecord:
    """A file of the archive."""

    href: str
    size_bytes: int | None
    chunk_bytes: int | None
    compression: str | None


def read_files(references: ET.Element | None) -> dict[str, FileRecord]:
    """Return the files by their IDs.

    :raises InvalidArguments: a name is not that of a member, or a size is none
    """
    files: dict[str, FileRecord] = {}
    for element in children(references, "File"):
        if len(files) >= _MAX_FILES:
            raise invalid(f"names more than {_MAX_FILES} files")
        file_id = attribute(element, "id")
        if file_id is None or file_id in files:
            raise invalid(f"has a file without an ID of its own: {file_id!r}")
        size, chunk = attribute(element, "size"), attribute(element, "chunkSize")
        files[file_id] = FileRecord(
            href=check_href(attribute(element, "href") or ""),
            size_bytes=None if size is None else integer(size, "a file of the size", 0, MAX_DISK_BYTES),
            chunk_bytes=None if chunk is None else integer(chunk, "`chunkSize`", 1, MAX_DISK_BYTES),
            compression=attribute(element, "compression"),
        )
    if len({file.href for file in files.values()}) < len(files):
        raise invalid("has two IDs for the same file")
    return files


def read_disks(
    items: Iterable[Item],
    section: ET.Element | None,
    files: Mapping[str, FileRecord],
    names: Mapping[str, str],
) -> list[ApplianceDisk]:
    """Return the guest's disks in the order of their items.

    :param section: where the disks' sizes are
    :param names: what clients call disks, by the IDs of these
    :raises InvalidArguments: a disk is missing, cannot be read, or is there twice
    """
    items = list(items)
    described = {attribute(element, "diskId") or "": element for element in children(section, "Disk")}
    controllers = read_controllers(items)
    disks: dict[str, ApplianceDisk] = {}
    hrefs: set[str] = set()
    for item in items:
        if item.kind not in (terms.DISK, terms.LOGICAL_DISK):
            continue
        resource = item.text("HostResource") or ""
        disk_id = resource.rpartition("/")[2]
        if disk_id not in described or "/file/" in resource:
            raise invalid(f"has a disk that its `DiskSection` does not have: {resource[:80]!r}")
        if disk_id in disks or len(disks) >= _MAX_DISKS:
            raise invalid(f"has disk {disk_id[:80]!r} twice, or more than {_MAX_DISKS} disks")
        bus, model = controllers.get(item.text("Parent") or "", (None, None))
        disk = _disk(described[disk_id], files, bus, model, names.get(disk_id))
        if disk.href in hrefs:
            raise invalid(f"has file {disk.href!r} as two disks")
        if disk.href is not None:
            hrefs.add(disk.href)
        disks[disk_id] = disk
    return list(disks.values())


def _disk(
    element: ET.Element,
    files: Mapping[str, FileRecord],
    bus: Bus | None,
    model: str | None,
    name: str | None,
) -> ApplianceDisk:
    label = f"disk {(attribute(element, 'diskId') or '')[:80]!r}"
    reference = attribute(element, "fileRef")
    if reference is not None and reference not in files:
        raise invalid(f"does not list the file of {label}: {reference[:80]!r}")
    if attribute(element, "parentRef"):
        raise invalid(f"has {label} as changes of another disk: export the guest without snapshots")
    file = None if reference is None else files[reference]
    if file is not None and file.compression not in (None, "", "identity"):
        raise invalid(f"has {label} with compression {file.compression[:80]!r}: decompress it first")
    unit = attribute(element, "capacityAllocationUnits")
    populated = attribute(element, "populatedSize")
    return ApplianceDisk(
        href=None if file is None else file.href,
        capacity_bytes=size_bytes(
            attribute(element, "capacity") or "", unit, f"{label} with a `capacity`", MAX_DISK_BYTES
        ),
        file_bytes=None if file is None else file.size_bytes,
        populated_bytes=None
        if populated is None
        else integer(populated, "`populatedSize`", 0, MAX_DISK_BYTES),
        format=_format(element),
        bus=bus or _INTERFACES.get((attribute(element, "disk-interface") or "").lower()),
        controller=model,
        name=name,
        chunk_bytes=None if file is None else file.chunk_bytes,
    )


def _format(element: ET.Element) -> ImageFormat | None:
    word = _VOLUME_FORMATS.get((attribute(element, "volume-format") or "").lower())
    if word is not None:
        return word
    uri = (attribute(element, "format") or "").lower()
    return next((name for mark, name in terms.FORMAT_MARKS.items() if mark in uri), None)
