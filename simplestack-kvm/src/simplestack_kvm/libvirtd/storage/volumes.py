"""Find, create, copy and delete volumes in storage pools."""

import io
import logging
import re
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from simplestack import Conflict, EntityNotFound, InsufficientStorage, gib
from simplestack_kvm.errors import has_reason, is_locked, is_without_folder
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource
from simplestack_kvm.libvirtd.guests.records import DiskRecord
from simplestack_kvm.libvirtd.storage.storages import active_pools, available_bytes, gone_codes, refresh_pools
from simplestack_kvm.libvirtd.storage.uploads import upload
from simplestack_kvm.sdk import libvirt

#: Pools whose volumes are files, and so can be qcow2. The others' volumes are block devices: raw.
FILE_POOLS = frozenset({"dir", "fs", "netfs"})

_SECTOR_BYTES = 512
#: Ends the names of volumes that are made as qcow2.
_QCOW2_SUFFIX = ".qcow2"
#: Ends the names of ISO images that are made for guests.
_ISO_SUFFIX = ".iso"
#: Ends the names of uploaded images that are still to be converted.
_UPLOAD_SUFFIX = ".upload"
#: Begins the names of the copies that are made for exports, where a guest's ID does elsewhere.
_EXPORT_PREFIX = "export-"
#: Begins the names of all volumes that are made for a guest.
_MADE = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}-[0-9a-f]+"
#: The names of ISO images that are made for guests.
_IMAGE_NAME = re.compile(rf"{_MADE}\{_ISO_SUFFIX}")
#: The names of volumes that are there only while a guest is imported or exported.
_PASSING_NAME = re.compile(rf"{_MADE}\{_UPLOAD_SUFFIX}|{_EXPORT_PREFIX}{_MADE}(?:\{_QCOW2_SUFFIX})?")

_log = logging.getLogger(__name__)


def find_volume(
    session: KvmSession, name: str, entity: str, preferred: "libvirt.virStoragePool | None"
) -> "libvirt.virStorageVol":
    """Find a volume by name: in the preferred pool if there is one, then in all active ones.

    libvirt does not see by itself what is copied into a pool by other means, so pools are refreshed before
    a volume counts as missing. What is one guest's alone is never found: data for cloud-init, and images that
    are being imported or exported.

    :param entity: what the client calls it: ``Image`` or ``ISO``
    :raises EntityNotFound: `entity`
    :raises Conflict: several pools have one
    """
    if is_image_name(name) or _PASSING_NAME.fullmatch(name):
        raise EntityNotFound(entity, name)
    pools = active_pools(session)
    for refresh in (False, True):
        if refresh:
            refresh_pools(pools)
        volumes = _named([] if preferred is None else [preferred], name) or _named(pools, name)
        if len(volumes) > 1:
            where = ", ".join(sorted(volume.storagePoolLookupByVolume().name() for volume in volumes))
            how = "rename one of them" if preferred is None else "set `storage`"
            raise Conflict(f"{entity} {name!r} is ambiguous: it is in the storages {where}; {how}")
        if volumes:
            return volumes[0]
    raise EntityNotFound(entity, name)


def is_image_name(name: str) -> bool:
    """Return whether a volume has the name of an image for cloud-init that Simplestack has made."""
    return _IMAGE_NAME.fullmatch(name) is not None


def make_volume(
    made: Leftovers,
    pool: "libvirt.virStoragePool",
    guest_id: str,
    size_bytes: int,
    user: "libvirt.virDomain | None" = None,
) -> "libvirt.virStorageVol":
    """Make an empty volume for a guest.

    :param user: the guest, where it exists already
    :raises InsufficientStorage: a pool without sparse volumes has no room
    :raises Conflict: the pool has vanished
    """
    name, text = _new_volume(pool, guest_id, size_bytes)
    made.add_volume(pool, name, user)
    with _vanished_is_conflict(pool):
        return pool.createXML(text)


def make_staging_volume(
    made: Leftovers, pool: "libvirt.virStoragePool", guest_id: str, image_format: str
) -> "libvirt.virStorageVol":
    """Make a volume for an image that is uploaded to be converted. libvirt takes it for this format.

    libvirt finds out the format of an uploaded image by itself, but not while a volume is being copied into
    the pool. The volume is as small as possible: an upload overwrites only its start.

    :param pool: one of `FILE_POOLS`
    :raises Conflict: the pool has vanished
    """
    name = f"{_new_name(guest_id)}{_UPLOAD_SUFFIX}"
    volume = ET.Element("volume")
    ET.SubElement(volume, "name").text = name
    size_bytes = 0 if image_format == "raw" else _SECTOR_BYTES
    ET.SubElement(volume, "capacity", unit="bytes").text = str(size_bytes)
    ET.SubElement(volume, "allocation", unit="bytes").text = "0"
    ET.SubElement(ET.SubElement(volume, "target"), "format", type=image_format)
    made.add_volume(pool, name)
    with _vanished_is_conflict(pool):
        return pool.createXML(ET.tostring(volume, encoding="unicode"))


def copy_volume_for_export(
    made: Leftovers, pool: "libvirt.virStoragePool", guest_id: str, image: "libvirt.virStorageVol"
) -> "libvirt.virStorageVol":
    """Copy the disk of a guest, to be exported; see :func:`copy_volume`."""
    return copy_volume(made, pool, f"{_EXPORT_PREFIX}{guest_id}", image)


def copy_volume(
    made: Leftovers,
    pool: "libvirt.virStoragePool",
    guest_id: str,
    image: "libvirt.virStorageVol",
    size_bytes: int | None = None,
) -> "libvirt.virStorageVol":
    """Copy a volume for a guest, in full: what happens to the image later does not matter.

    :param size_bytes: the size of the disk in the image, where libvirt may not know it
    :raises InsufficientStorage: there is less room than the image occupies
    :raises Conflict: a running guest uses the image, or the pool has vanished
    """
    with _vanished_is_conflict(pool):
        room_bytes = available_bytes(pool)
    _kind, capacity_bytes, allocation_bytes = _volume_info(image)
    if allocation_bytes > room_bytes:
        raise InsufficientStorage(
            f"storage {pool.name()} has {gib(room_bytes):.3g} GiB left, and image {image.name()} needs "
            f"{gib(allocation_bytes):.3g} GiB: free some space, or name another storage"
        )
    name, text = _new_volume(pool, guest_id, capacity_bytes if size_bytes is None else size_bytes)
    made.add_volume(pool, name)
    try:
        with _vanished_is_conflict(pool):
            return pool.createXMLFrom(text, image)
    except libvirt.libvirtError as error:
        if is_locked(error):
            raise Conflict(
                f"image {image.name()!r} is in use by a running guest: stop that guest, or use another image"
            ) from None
        raise


def store_iso(
    session: KvmSession, made: Leftovers, pool: "libvirt.virStoragePool", guest_id: str, content: bytes
) -> "libvirt.virStorageVol":
    """Make a volume with an ISO image for a guest. libvirt lets only root and QEMU read it.

    :raises InsufficientStorage: the pool has no room
    :raises Conflict: the pool has vanished
    """
    volume = ET.Element("volume")
    name = f"{_new_name(guest_id)}{_ISO_SUFFIX}"
    ET.SubElement(volume, "name").text = name
    ET.SubElement(volume, "capacity", unit="bytes").text = str(len(content))
    made.add_volume(pool, name)
    with _vanished_is_conflict(pool):
        stored = pool.createXML(ET.tostring(volume, encoding="unicode"))
        upload(session, stored, io.BytesIO(content), most_bytes=len(content))
        return stored


def source_of(volume: "libvirt.virStorageVol") -> VolumeSource:
    """Return how a domain refers to a volume that was made for it, in the format that it was made in.

    The volume's name tells it. What libvirt says is what the content looks like, which does not count.
    """
    image_format = "qcow2" if volume.name().endswith(_QCOW2_SUFFIX) else "raw"
    return VolumeSource(path=volume.path(), block=is_block(volume), format=image_format)


def medium_of(volume: "libvirt.virStorageVol") -> VolumeSource:
    """Return how a domain refers to the volume in its CD drive: as it is, whatever its content looks like."""
    return VolumeSource(path=volume.path(), block=is_block(volume), format="raw")


def volume_of(session: KvmSession, disk: DiskRecord) -> "libvirt.virStorageVol | None":
    """Return the volume that a disk is; None for a disk that is in no active pool."""
    return look_up_volume(session, disk.path, disk.volume)


def look_up_volume(
    session: KvmSession, path: str | None, pool_and_name: tuple[str, str] | None
) -> "libvirt.virStorageVol | None":
    """Return the volume of a path, or of a pool's name and its own; None where no active pool has it."""
    connection = session.connection
    try:
        if pool_and_name is not None:
            pool, name = pool_and_name
            return connection.storagePoolLookupByName(pool).storageVolLookupByName(name)
        return None if path is None else connection.storageVolLookupByPath(path)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (
            libvirt.VIR_ERR_NO_STORAGE_VOL,
            libvirt.VIR_ERR_NO_STORAGE_POOL,
            libvirt.VIR_ERR_OPERATION_INVALID,  # the pool is not active
        ):
            return None
        raise


def is_block(volume: "libvirt.virStorageVol") -> bool:
    """Tell whether a volume is a block device."""
    return _volume_info(volume)[0] == libvirt.VIR_STORAGE_VOL_BLOCK


def has_files(pool: "libvirt.virStoragePool") -> bool:
    """Tell whether the volumes of a pool are files, which can have any format.

    :raises Conflict: the pool has vanished
    """
    with _vanished_is_conflict(pool):
        return parse_document(pool.XMLDesc()).get("type") in FILE_POOLS


def _volume_info(volume: "libvirt.virStorageVol") -> tuple[int, int, int]:
    info: Any = volume.info()  # the binding's own annotation says str
    return info[0], info[1], info[2]


def _named(pools: Sequence["libvirt.virStoragePool"], name: str) -> list["libvirt.virStorageVol"]:
    volumes = []
    for pool in pools:
        try:
            volumes.append(pool.storageVolLookupByName(name))
        except libvirt.libvirtError as error:
            # libvirt gives up a pool whose folder has vanished: what it had is in no storage now.
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_STORAGE_VOL, *gone_codes()):
                raise
    return volumes


@contextmanager
def _vanished_is_conflict(pool: "libvirt.virStoragePool") -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        if has_reason(error) and (error.get_error_code() in gone_codes() or is_without_folder(error)):
            raise Conflict(
                f"cannot write to storage {pool.name()}: it is no longer active, or its folder has "
                "vanished; name another `storage`"
            ) from None
        raise


def _new_name(guest_id: str) -> str:
    """Return a name that tells what guest a volume was made for."""
    return f"{guest_id}-{secrets.token_hex(4)}"


def _new_volume(pool: "libvirt.virStoragePool", guest_id: str, size_bytes: int) -> tuple[str, str]:
    """Return a new volume's name and description. The name is ours: no name from outside meets a path."""
    is_file = has_files(pool)
    volume = ET.Element("volume")
    name = _new_name(guest_id) + (_QCOW2_SUFFIX if is_file else "")
    ET.SubElement(volume, "name").text = name
    ET.SubElement(volume, "capacity", unit="bytes").text = str(size_bytes)
    if is_file:
        ET.SubElement(volume, "allocation", unit="bytes").text = "0"
        target = ET.SubElement(volume, "target")
        ET.SubElement(target, "format", type="qcow2")
        # libvirt's default, 0.10, cannot grow once it has snapshots.
        ET.SubElement(target, "compat").text = "1.1"
    return name, ET.tostring(volume, encoding="unicode")
