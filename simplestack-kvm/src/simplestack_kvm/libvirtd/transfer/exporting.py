"""Export guests: check and describe a stopped guest, then stream its disks.

A disk is sent as it is in its storage, if that is all there is to it. A disk that is based on others, has
snapshots or a format of other programs is copied first, into a volume of its own beside it, since libvirt
reads images only as files. A copy's name begins with ``export-``; it is removed when it has been sent.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from simplestack import Busy, Conflict, Export, GuestState, InsufficientStorage, gib, warn
from simplestack.appliances import (
    ApplianceDisk,
    ArchiveStream,
    ImageFormat,
    NewMember,
    archive_bytes,
    archive_chunks,
    write_descriptor,
)
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.copies.cloning import check_disk, find_disk
from simplestack_kvm.libvirtd.copies.copy_xml import host_parts
from simplestack_kvm.libvirtd.disks.cloud_init import remove_drive
from simplestack_kvm.libvirtd.firmware.nvram import find_nvram, read_nvram
from simplestack_kvm.libvirtd.guests.domains import document_of, require_guest_state
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_elements, disk_names, disk_records
from simplestack_kvm.libvirtd.guests.tags import read_tags
from simplestack_kvm.libvirtd.images.headers import UnusableImage
from simplestack_kvm.libvirtd.images.snapshots import image_snapshots
from simplestack_kvm.libvirtd.images.sources import CheckedImage, known_format
from simplestack_kvm.libvirtd.storage.downloads import download
from simplestack_kvm.libvirtd.storage.inventory import file_identity
from simplestack_kvm.libvirtd.storage.storages import available_bytes
from simplestack_kvm.libvirtd.storage.volumes import copy_volume_for_export
from simplestack_kvm.libvirtd.transfer.appliance_records import (
    appliance_of,
    bus_of,
    controller_of,
    filters_of_others,
)
from simplestack_kvm.sdk import libvirt

_EXPORT = "export"
_NVRAM_NAME = "nvram.fd"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A disk, and its volume as it was when it was found."""

    element: ET.Element
    disk: DiskRecord
    volume: "libvirt.virStorageVol"
    identity: tuple[str, ...]
    #: None for a raw disk, in which nothing is looked for.
    checked: CheckedImage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Image:
    """What is sent of a disk."""

    volume: "libvirt.virStorageVol"
    format: ImageFormat
    #: Removes the volume, if it is a copy.
    made: Leftovers


def export_guest(session: KvmSession, domain: "libvirt.virDomain") -> Export:
    """Return the archive of a stopped guest. All that can be rejected is rejected here.

    :raises InvalidState: the guest is not stopped
    :raises Conflict: a disk is in no active storage, or cannot be copied
    :raises Busy: a disk changes meanwhile
    :raises InsufficientStorage: there is no room for the copy of a disk that must be copied
    :raises NotImplementedError: a disk is in the network or encrypted
    """
    require_guest_state(domain, _EXPORT, GuestState.STOPPED)
    document = document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE)
    remove_drive(document)
    sources = _sources(session, document)
    nvram_path = find_nvram(session, document)
    check = partial(_require_unchanged, domain, sources)
    with ExitStack() as stack:
        images = [_image(domain, source, stack.enter_context(Leftovers(session))) for source in sources]
        nvram = None if nvram_path is None else read_nvram(session, nvram_path)
        names = disk_names(document)
        disks = [
            _described(document, source, image, names.get(source.disk.target), number)
            for number, (source, image) in enumerate(zip(sources, images, strict=True), 1)
        ]
        appliance = appliance_of(
            document,
            tags=read_tags(domain),
            disks=disks,
            nvram_href=None if nvram is None else _NVRAM_NAME,
        )
        members = [
            NewMember(
                name=disk.href or "",
                size_bytes=disk.file_bytes or 0,
                content=partial(_content, session, image, disk.file_bytes or 0, check),
            )
            for disk, image in zip(disks, images, strict=True)
        ]
        if nvram is not None:
            members.append(NewMember(name=_NVRAM_NAME, size_bytes=len(nvram), content=partial(iter, [nvram])))
        check()
        _warn_of_missing(document)
        descriptor = write_descriptor(appliance)
        chunks = ArchiveStream(archive_chunks(descriptor, members), partial(_discard, images))
        return Export(chunks, archive_bytes(descriptor, members))


def _discard(images: Sequence[_Image]) -> None:
    for image in images:
        image.made.discard()


def _sources(session: KvmSession, document: ET.Element) -> list[_Source]:
    """Find the disks of a guest, and check them all before one is copied."""
    sources = []
    for element, disk in zip(disk_elements(document), disk_records(document), strict=True):
        cannot = f"disk {disk.target} of the guest cannot be exported"
        if disk.path is None and disk.volume is None:
            raise NotImplementedError(f"{cannot}: it is neither a file nor a block device of the host")
        if element.find("encryption") is not None or element.find("source/encryption") is not None:
            raise NotImplementedError(f"{cannot}: it is encrypted, and its key stays on the host")
        volume = find_disk(session, disk, "export")
        try:
            known_format(volume)
        except UnusableImage as error:
            raise NotImplementedError(f"{cannot}: it {error}") from None
        identity = file_identity(volume)
        checked = None if disk.format == "raw" else check_disk(session, disk, volume, "export")
        sources.append(_Source(element=element, disk=disk, volume=volume, identity=identity, checked=checked))
    return sources


def _image(domain: "libvirt.virDomain", source: _Source, made: Leftovers) -> _Image:
    """Return what is sent of a disk: its volume, or a copy."""
    volume, checked = source.volume, source.checked
    if checked is None:
        return _Image(volume=volume, format="raw", made=made)
    if source.disk.format == "qcow2" and len(checked.volumes) == 1 and not _has_snapshots(source):
        return _Image(volume=volume, format="qcow2", made=made)
    pool = volume.storagePoolLookupByVolume()
    sizes: list[Any] = [link.info() for link in checked.volumes]  # the binding's own annotation says str
    needed_bytes = min(sizes[0][1], sum(allocation for _kind, _capacity, allocation in sizes))
    room_bytes = available_bytes(pool)
    if needed_bytes > room_bytes:
        raise InsufficientStorage(
            f"disk {source.disk.target} must be copied to be exported: storage {pool.name()} has "
            f"{gib(room_bytes):.3g} GiB left, and the copy needs {gib(needed_bytes):.3g} GiB: free some space"
        )
    copy = copy_volume_for_export(made, pool, domain.UUIDString(), volume)
    checked.check_again()
    return _Image(volume=copy, format="qcow2", made=made)


def _has_snapshots(source: _Source) -> bool:
    """Tell whether there are snapshots in an image: they hold what the guest has deleted since."""
    try:
        return bool(image_snapshots(source.volume))
    except UnusableImage as error:
        raise Conflict(f"cannot export the guest: disk {source.disk.target} {error}") from None


def _described(
    document: ET.Element, source: _Source, image: _Image, name: str | None, number: int
) -> ApplianceDisk:
    volume = parse_document(image.volume.XMLDesc())
    capacity_bytes = int(volume.findtext("capacity", "0"))
    file_bytes = int(volume.findtext("physical", str(capacity_bytes)))
    allocation_bytes = int(volume.findtext("allocation", str(file_bytes)))
    is_raw = image.format == "raw"
    return ApplianceDisk(
        href=f"disk-{number}.{image.format}",
        # What libvirt says of the capacity of a raw disk may come from what its guest wrote into it.
        capacity_bytes=file_bytes if is_raw else capacity_bytes,
        file_bytes=file_bytes,
        populated_bytes=min(allocation_bytes, file_bytes if is_raw else capacity_bytes),
        format=image.format,
        bus=bus_of(source.disk),
        controller=controller_of(document, source.element),
        name=name,
    )


def _content(
    session: KvmSession, image: _Image, size_bytes: int, check: Callable[[], None]
) -> Iterator[bytes]:
    try:
        yield from download(session, image.volume, size_bytes)
        check()
    finally:
        image.made.discard()


def _require_unchanged(domain: "libvirt.virDomain", sources: Sequence[_Source]) -> None:
    """Check that the guest is off, and that its disks are as they were when they were found.

    QEMU may have written to one disk after another one was read, and the guest may be off again.
    """
    require_guest_state(domain, _EXPORT, GuestState.STOPPED)
    if any(file_identity(source.volume) != source.identity for source in sources):
        raise Busy("the disks of the guest changed while they were exported: try again")


def _warn_of_missing(document: ET.Element) -> None:
    for what in host_parts(document):
        warn(f"the export does not have {what}, which the guest has")
    for mac in filters_of_others(document):
        warn(f"the export does not have the network filter of interface {mac}, which Simplestack did not set")
