"""Create guests. A failed creation leaves nothing behind."""

import uuid

from simplestack import (
    Guest,
    GuestCreate,
    gib_to_bytes,
    hookimpl,
)
from simplestack_kvm.errors import needing_parts
from simplestack_kvm.hooks.guests import show_guest
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.domain_xml import Plan, VolumeSource, build_domain, host_kind
from simplestack_kvm.libvirtd.drives import find_iso
from simplestack_kvm.libvirtd.image_sources import check_image
from simplestack_kvm.libvirtd.leftovers import Leftovers
from simplestack_kvm.libvirtd.lookups import find_network
from simplestack_kvm.libvirtd.naming import check_name, define_guest
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.libvirtd.storages import choose_pool
from simplestack_kvm.libvirtd.volumes import copy_volume, find_volume, make_volume, source_of


@hookimpl
def guest_create(session: KvmSession, guest: GuestCreate) -> Guest:
    """Create a guest from a full copy of an image, from empty disks, or from both.

    ``paravirtualized`` (the default) gives it virtio devices; without it they are SATA (or IDE) and e1000.

    :raises InvalidArguments: a name that libvirt cannot keep
    :raises NotImplementedError: from a template
    """
    if guest.template is not None:
        raise NotImplementedError(
            "this hypervisor's guests are not made from templates: name an `image`, a volume in a storage"
        )
    check_name(session, guest.name)
    networks = [find_network(session, wanted.network).name() for wanted in guest.network_interfaces]
    iso = None
    if guest.iso is not None:
        iso = find_iso(session, guest.iso, choose_pool(session, guest.storage))
    host = host_kind(parse_document(session.connection.getCapabilities()), session.settings.virtualization)
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
        )
        made.add_domain(guest_id, guest.name)
        domain = define_guest(session, build_domain(plan, host), guest_id, guest.name)
        if guest.start:
            with needing_parts("start the new guest"):
                domain.create()
        return show_guest(session, domain)


def _disks(
    session: KvmSession, guest: GuestCreate, guest_id: str, made: Leftovers
) -> list[tuple[VolumeSource, str | None]]:
    """Create the volumes. All pools and the image are looked up before the first is created."""
    disks: list[tuple[VolumeSource, str | None]] = []
    if guest.image is None and not guest.disks:
        return disks
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
