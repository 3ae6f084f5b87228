"""Data for cloud-init: an ISO image in a CD drive of its own, besides the one that clients use.

The image has secrets, so it is the guest's alone. The metadata of the guest names its pool and volume, and
the volume's name begins with the guest's UUID. Only an image that both are true of is deleted with the guest.
"""

import posixpath
import xml.etree.ElementTree as ET

from simplestack import CloudInit, nocloud_image
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domain_xml import (
    cdrom_element,
    devices_of,
    free_target,
    host_kind_of,
    plain_bus,
    taken_targets,
)
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_records, place_of
from simplestack_kvm.libvirtd.storage.storages import choose_pool
from simplestack_kvm.libvirtd.storage.volumes import (
    is_image_name,
    look_up_volume,
    medium_of,
    store_iso,
    volume_of,
)
from simplestack_kvm.sdk import libvirt

#: Our part of a domain's metadata: the pool and the volume of the image.
_DRIVE = "urn:simplestack:kvm:cloud-init"
_MARK = f"{{{_DRIVE}}}drive"

# setMetadata adds a prefix of its own (its key) and fails where the document has the same one.
ET.register_namespace("cloudinit", _DRIVE)


def add_drive(
    session: KvmSession,
    made: Leftovers,
    document: ET.Element,
    data: CloudInit,
    *,
    pool: "libvirt.virStoragePool | None" = None,
    paravirtualized: bool,
) -> None:
    """Make the image for a new guest, and add a drive with it to the guest's description.

    :param document: the description, with the guest's UUID
    :param pool: the storage for the image; None for that of the guest's first disk, or the default one
    :param paravirtualized: whether the guest has drivers for virtio
    """
    guest_id = document.findtext("uuid", "")
    content = nocloud_image(guest_id, data)
    pool = pool or _pool_of(session, document) or choose_pool(session, None)
    volume = store_iso(session, made, pool, guest_id, content)
    bus = "scsi" if paravirtualized else plain_bus(host_kind_of(document))
    drive = cdrom_element(medium_of(volume), free_target(bus, taken_targets(document)), bus)
    if paravirtualized:
        _add_controller(document, drive)
    devices_of(document).append(drive)
    metadata = document.find("metadata")
    if metadata is None:
        metadata = ET.SubElement(document, "metadata")
    ET.SubElement(metadata, _MARK, pool=pool.name(), volume=volume.name())


def remove_drive(document: ET.Element) -> None:
    """Remove the drive with the image from a description, and the mark."""
    for device in document.findall("devices/disk"):
        if is_drive(document, device):
            devices_of(document).remove(device)
    metadata = document.find("metadata")
    if metadata is not None:
        for mark in metadata.findall(_MARK):
            metadata.remove(mark)


def is_drive(document: ET.Element, device: ET.Element) -> bool:
    """Return whether a ``<disk>`` is the drive with the image, which is not for clients."""
    place = place_of(device.find("source"))
    name = place[1] if isinstance(place, tuple) else posixpath.basename(place or "")
    return name in [mark[1] for mark in _marks(document)]


def own_image(session: KvmSession, document: ET.Element) -> list[DiskRecord]:
    """Return the image that was made for a guest, as if it was a disk of the guest.

    :param document: the guest's definition
    """
    guest_id = document.findtext("uuid", "").strip().lower()
    disks = []
    for pool, name in _marks(document):
        if name.startswith(f"{guest_id}-"):
            volume = look_up_volume(session, None, (pool, name))
            disks.append(
                DiskRecord(
                    target="for cloud-init",
                    bus="",
                    path=None if volume is None else volume.path(),
                    volume=(pool, name) if volume is None else None,
                    source=f"{pool}/{name}",
                    name=name,
                    own=True,
                )
            )
    return disks


def _marks(document: ET.Element) -> list[tuple[str, str]]:
    """Return the pools and the names of the images that the metadata names."""
    marks = [
        (mark.get("pool", ""), mark.get("volume", "")) for mark in document.iterfind(f"metadata/{_MARK}")
    ]
    return [(pool, name) for pool, name in marks if is_image_name(name)]


def _pool_of(session: KvmSession, document: ET.Element) -> "libvirt.virStoragePool | None":
    for disk in disk_records(document):
        volume = volume_of(session, disk)
        if volume is not None:
            return volume.storagePoolLookupByVolume()
    return None


def _add_controller(document: ET.Element, drive: ET.Element) -> None:
    """Give the drive a virtio controller of its own: a spare one, or a new one.

    Kernels for clouds, such as Debian's, have no drivers for SATA and IDE.
    """
    index = _spare_controller(document)
    if index is None:
        index = _new_controller(document)
    ET.SubElement(drive, "address", type="drive", controller=index, bus="0", target="0", unit="0")


def _spare_controller(document: ET.Element) -> str | None:
    """Return the index of a virtio controller without drives: a copy has that of the original's data."""
    addresses = [
        disk.find("address")
        for disk in document.iterfind("devices/disk")
        if disk.find("target[@bus='scsi']") is not None
    ]
    if None in addresses:
        return None  # libvirt will choose one
    taken = {None if address is None else address.get("controller") for address in addresses}
    found = document.iterfind("devices/controller[@type='scsi'][@model='virtio-scsi']")
    return next((index for each in found if (index := each.get("index")) not in taken), None)


def _new_controller(document: ET.Element) -> str:
    devices = devices_of(document)
    taken = {each.get("index", "") for each in devices.iterfind("controller[@type='scsi']")}
    index = next(str(number) for number in range(len(taken) + 1) if str(number) not in taken)
    ET.SubElement(devices, "controller", type="scsi", index=index, model="virtio-scsi")
    ports = devices.findall("controller[@type='pci'][@model='pcie-root-port']")
    if ports:  # it takes one that was spare
        last = max(int(port.get("index", "0")) for port in devices.iterfind("controller[@type='pci']"))
        ET.SubElement(devices, "controller", type="pci", index=str(last + 1), model="pcie-root-port")
    return index
