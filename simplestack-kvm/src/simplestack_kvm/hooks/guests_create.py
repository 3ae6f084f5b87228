"""Create guests. A failed creation leaves nothing behind."""

import uuid
import xml.etree.ElementTree as ET

from simplestack import (
    Guest,
    GuestCreate,
    gib_to_bytes,
    hookimpl,
)
from simplestack_kvm.entities import is_paravirtualized
from simplestack_kvm.errors import needing_parts
from simplestack_kvm.hooks.guests import show_guest
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.lookups import find_network
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.copies.cloning import copy_guest, find_origin
from simplestack_kvm.libvirtd.copies.copy_xml import add_disk, insert_iso, replace_interfaces
from simplestack_kvm.libvirtd.disks.cloud_init import add_drive
from simplestack_kvm.libvirtd.disks.drives import find_iso
from simplestack_kvm.libvirtd.firmware.firmware import firmware_of, require_uefi
from simplestack_kvm.libvirtd.firmware.nvram import write_nvram
from simplestack_kvm.libvirtd.guests.disk_names import set_name
from simplestack_kvm.libvirtd.guests.domain_xml import Plan, VolumeSource, build_domain, host_kind
from simplestack_kvm.libvirtd.guests.domains import document_of
from simplestack_kvm.libvirtd.guests.hardware import plan_cpus, plan_memory
from simplestack_kvm.libvirtd.guests.naming import check_characters, check_name, define_guest
from simplestack_kvm.libvirtd.guests.records import disk_records
from simplestack_kvm.libvirtd.images.sources import check_image
from simplestack_kvm.libvirtd.storage.storages import choose_pool
from simplestack_kvm.libvirtd.storage.volumes import copy_volume, find_volume, make_volume, source_of
from simplestack_kvm.sdk import libvirt


@hookimpl
def guest_create(session: KvmSession, guest: GuestCreate) -> Guest:
    """Create a guest from a full copy of an image or of another guest, from empty disks, or from both.

    ``paravirtualized`` (the default) gives it virtio devices; without it they are SATA (or IDE) and e1000.

    :raises InvalidArguments: a name that libvirt cannot keep
    :raises NotImplementedError: the ``template`` has other devices than ``paravirtualized`` says, or another
        ``firmware``; or the host has no UEFI firmware
    """
    for disk in guest.disks:
        check_characters(disk.name, "disk")
    if guest.template is not None:
        return _copy(session, guest, guest.template)
    check_name(session, guest.name)
    networks = [find_network(session, wanted.network).name() for wanted in guest.network_interfaces]
    iso = _iso(session, guest)
    host = host_kind(parse_document(session.connection.getCapabilities()), session.settings.virtualization)
    if guest.firmware == "uefi":
        require_uefi(session, host)
    guest_id = str(uuid.uuid4())
    with Leftovers(session) as made:
        plan = Plan(
            uuid=guest_id,
            name=guest.name,
            memory_mib=guest.memory or 0,
            cpus=guest.cpus or 1,
            paravirtualized=guest.paravirtualized is not False,
            disks=_disks(session, guest, guest_id, made),
            iso=iso,
            networks=networks,
            firmware=guest.firmware or "bios",
        )
        document = build_domain(plan, host)
        if guest.cloud_init is not None:
            add_drive(
                *(session, made, document, guest.cloud_init),
                pool=choose_pool(session, guest.storage),
                paravirtualized=plan.paravirtualized,
            )
        if guest.firmware == "uefi":
            write_nvram(session, made, document, None)
        made.add_domain(guest_id, guest.name)
        text = ET.tostring(document, encoding="unicode")
        domain = define_guest(session, text, guest_id, guest.name)
        _start(domain, guest)
        return show_guest(session, domain)


def _copy(session: KvmSession, guest: GuestCreate, template: str) -> Guest:
    """Create a guest from another one. All that the request names is looked up before it is created."""
    origin = find_origin(session, template)
    document = document_of(origin)
    is_virtio = _check_kind(guest, document)
    networks = [find_network(session, wanted.network).name() for wanted in guest.network_interfaces]
    iso = _iso(session, guest)
    pool = None if guest.storage is None else choose_pool(session, guest.storage)
    pools = [choose_pool(session, disk.storage or guest.storage) for disk in guest.disks]
    names: dict[str, str] = {}
    with Leftovers(session) as made:

        def change(document: ET.Element, guest_id: str) -> None:
            for disk, disk_pool in zip(guest.disks, pools, strict=True):
                volume = make_volume(made, disk_pool, guest_id, gib_to_bytes(disk.size))
                target = add_disk(document, source_of(volume))
                if disk.name is not None:
                    names[target] = disk.name
            if networks:
                replace_interfaces(document, networks)
            if iso is not None:
                insert_iso(document, iso)
            if guest.cloud_init is not None:
                add_drive(session, made, document, guest.cloud_init, pool=pool, paravirtualized=is_virtio)

        domain = copy_guest(session, made, origin, guest.name, pool=pool, change=change)
        for target, name in names.items():
            set_name(domain, target, name)
        if guest.memory is not None:
            plan_memory(domain, guest.memory).apply()
        if guest.cpus is not None:
            plan_cpus(domain, guest.cpus).apply()
        _start(domain, guest)
        return show_guest(session, domain)


def _check_kind(guest: GuestCreate, document: ET.Element) -> bool:
    """Return whether a template has paravirtual devices.

    :raises NotImplementedError: the request wants another kind of guest than the template is
    """
    current = is_paravirtualized(disk.target for disk in disk_records(document))
    kinds = {
        "paravirtualized": (guest.paravirtualized, current),
        "firmware": (guest.firmware, firmware_of(document)),
    }
    for name, (wanted, found) in kinds.items():
        if wanted not in (None, found):
            raise NotImplementedError(
                f"`{name}` cannot differ from that of the `template` on this hypervisor: leave it out"
            )
    return current is not False


def _iso(session: KvmSession, guest: GuestCreate) -> VolumeSource | None:
    if guest.iso is None:
        return None
    return find_iso(session, guest.iso, choose_pool(session, guest.storage))


def _start(domain: "libvirt.virDomain", guest: GuestCreate) -> None:
    if guest.start:
        with needing_parts("start the new guest"):
            domain.create()


def _disks(
    session: KvmSession, guest: GuestCreate, guest_id: str, made: Leftovers
) -> list[tuple[VolumeSource, str | None]]:
    """Create the volumes. All pools and the image are looked up before the first is created."""
    disks: list[tuple[VolumeSource, str | None]] = []
    if guest.storage is None and guest.image is None and not guest.disks:
        return disks  # a storage that is named must be there, also without disks
    default = choose_pool(session, guest.storage)
    image = None if guest.image is None else find_volume(session, guest.image, "Image", default)
    pools = [choose_pool(session, disk.storage) if disk.storage else default for disk in guest.disks]
    if image is not None:
        checked = check_image(session, guest.image or "", image)
        volume = copy_volume(made, default, guest_id, image)
        checked.check_again()
        disks.append((source_of(volume), None))
    for disk, pool in zip(guest.disks, pools, strict=True):
        volume = make_volume(made, pool, guest_id, gib_to_bytes(disk.size))
        disks.append((source_of(volume), disk.name))
    return disks
