"""Copy guests, each disk in full."""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable

from simplestack import Busy, Conflict, EntityNotFound, GuestState, InvalidArguments, is_uuid
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.copies.copy_xml import disks_to_copy, make_copy
from simplestack_kvm.libvirtd.firmware.nvram import find_nvram, read_nvram, write_nvram
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource
from simplestack_kvm.libvirtd.guests.domains import document_of, find_domain, require_guest_state
from simplestack_kvm.libvirtd.guests.naming import check_name, define_guest
from simplestack_kvm.libvirtd.guests.records import DiskRecord
from simplestack_kvm.libvirtd.guests.templates import make_guest
from simplestack_kvm.libvirtd.images.sources import CheckedImage, check_image, known_format
from simplestack_kvm.libvirtd.storage.inventory import file_identity
from simplestack_kvm.libvirtd.storage.volumes import copy_volume, source_of, volume_of
from simplestack_kvm.sdk import libvirt

_CLONE = "clone"


def find_origin(session: KvmSession, id_or_name: str) -> "libvirt.virDomain":
    """Find the guest to copy.

    :raises EntityNotFound: ``Guest``
    """
    if is_uuid(id_or_name) or not id_or_name.isprintable():
        return find_domain(session, id_or_name)
    try:
        return session.connection.lookupByName(id_or_name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            raise EntityNotFound("Guest", id_or_name) from None
        raise


def copy_guest(
    session: KvmSession,
    made: Leftovers,
    domain: "libvirt.virDomain",
    name: str,
    *,
    pool: "libvirt.virStoragePool | None" = None,
    change: Callable[[ET.Element, str], None] | None = None,
) -> "libvirt.virDomain":
    """Copy a stopped guest without its snapshots.

    :param pool: the storage for the copies of its disks; None for the storage that each is in
    :param change: changes the copy's description, given its UUID
    :raises InvalidState: the guest is not stopped, or was started meanwhile
    :raises InvalidArguments: a name that libvirt cannot keep
    :raises Conflict: another guest has the name; a disk is in no active storage, or cannot be copied
    :raises Busy: a disk changed meanwhile
    :raises NotImplementedError: the guest has something that a copy cannot have, such as a device of the host
    :raises HypervisorTimeout: a folder of the host does not respond
    """
    require_guest_state(domain, _CLONE, GuestState.STOPPED)
    check_name(session, name)
    document = document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE)
    disks = [(disk, find_disk(session, disk, "clone")) for disk in disks_to_copy(document)]
    before = [file_identity(volume) for _, volume in disks]
    variables = find_nvram(session, document)
    copy_id = str(uuid.uuid4())
    sources = {disk.target: _copy(session, made, copy_id, disk, volume, pool=pool) for disk, volume in disks}
    content = None if variables is None else read_nvram(session, variables)
    # QEMU may have written to one disk after another one was copied, and the guest may be off again, or may
    # have been reverted to a snapshot.
    require_guest_state(domain, _CLONE, GuestState.STOPPED)
    if [file_identity(volume) for _, volume in disks] != before:
        raise Busy("the disks of the guest changed while they were copied: try again")
    make_copy(document, copy_id, name, sources)
    make_guest(document)
    if variables is not None:
        write_nvram(session, made, document, content)
    if change is not None:
        change(document, copy_id)
    made.add_domain(copy_id, name)
    return define_guest(session, ET.tostring(document, encoding="unicode"), copy_id, name)


def find_disk(session: KvmSession, disk: DiskRecord, attempt: str) -> "libvirt.virStorageVol":
    """Return the volume of a disk that is to be copied.

    :param attempt: what is tried, such as ``clone``
    :raises Conflict: the disk is in no active storage
    """
    volume = volume_of(session, disk)
    if volume is None:
        raise Conflict(
            f"cannot {attempt} the guest: disk {disk.target} is not in an active storage; create a storage "
            "for its folder"
        )
    return volume


def check_disk(
    session: KvmSession, disk: DiskRecord, volume: "libvirt.virStorageVol", attempt: str
) -> CheckedImage:
    """Check that a disk has the format that its guest knows, and refers to no file outside of the storages.

    :param attempt: what is tried, such as ``clone``
    :raises Conflict: it is not so, or the disk cannot be copied
    :raises Busy: libvirt does not know the file's present format yet
    """
    try:
        checked = check_image(session, volume.name(), volume)
    except InvalidArguments as error:
        # Nothing in the request is wrong: it is the guest's disk that cannot be copied.
        raise Conflict(f"cannot {attempt} disk {disk.target} of the guest: {error.message}") from None
    found = known_format(volume)
    if disk.format != ("raw" if found == "iso" else found):
        raise Conflict(
            f"cannot {attempt} the guest: disk {disk.target} is {disk.format}, but its content looks like "
            f"{found}"
        )
    return checked


def _copy(
    session: KvmSession,
    made: Leftovers,
    copy_id: str,
    disk: DiskRecord,
    volume: "libvirt.virStorageVol",
    *,
    pool: "libvirt.virStoragePool | None",
) -> VolumeSource:
    checked = check_disk(session, disk, volume, "clone")
    copy = copy_volume(made, pool or volume.storagePoolLookupByVolume(), copy_id, volume)
    checked.check_again()
    return source_of(copy)
