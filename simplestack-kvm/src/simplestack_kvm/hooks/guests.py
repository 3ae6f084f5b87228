"""List, show, clone and delete guests."""

import xml.etree.ElementTree as ET

from simplestack import CloudInit, Guest, GuestState, HypervisorError, hookimpl
from simplestack_kvm.entities import guest_entity, guest_entity_of_stats, is_paravirtualized
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.copies.cloning import copy_guest
from simplestack_kvm.libvirtd.disks.cloud_init import add_drive, own_image
from simplestack_kvm.libvirtd.disks.ownership import own_volumes, past_disks
from simplestack_kvm.libvirtd.firmware.nvram import delete_nvram
from simplestack_kvm.libvirtd.guests.domains import end_remnant, find_domain, require_guest_state, state_of
from simplestack_kvm.libvirtd.guests.records import DomainRecord, disk_records, domain_record
from simplestack_kvm.libvirtd.guests.removal import DELETION, undefine
from simplestack_kvm.libvirtd.guests.templates import forget_template
from simplestack_kvm.libvirtd.listing import Row, list_guests
from simplestack_kvm.libvirtd.networks.addresses import AddressBook
from simplestack_kvm.libvirtd.storage.sizes import disk_sizes
from simplestack_kvm.sdk import libvirt


@hookimpl
def guest_list(session: KvmSession, fields: frozenset[str]) -> list[Guest]:
    """List all domains but templates; see :mod:`simplestack_kvm.libvirtd.listing`."""
    host = session.connection.getHostname() if "host" in fields else ""
    return [_listed(row, host) for row in list_guests(session, fields)]


@hookimpl
def guest_info(session: KvmSession, guest_id: str) -> Guest:
    """Show one domain."""
    return show_guest(session, find_domain(session, guest_id))


@hookimpl
def guest_clone(session: KvmSession, guest_id: str, name: str, cloud_init: CloudInit | None) -> Guest:
    """Copy a stopped guest without its snapshots, each disk in full. Media and read-only disks are shared."""
    domain = find_domain(session, guest_id)
    with Leftovers(session) as made:

        def change(document: ET.Element, _copy_id: str) -> None:
            if cloud_init is not None:
                is_virtio = is_paravirtualized(disk.target for disk in disk_records(document)) is not False
                add_drive(session, made, document, cloud_init, paravirtualized=is_virtio)

        return show_guest(session, copy_guest(session, made, domain, name, change=change))


@hookimpl
def guest_delete(session: KvmSession, guest_id: str) -> None:
    """Undefine a domain, then delete its own volumes, UEFI variables and data for cloud-init.

    What stays, with a warning: volumes that somebody else uses, or may use; ISO images; disks in no active
    pool. What stays silently, since it was never the guest's own: media, read-only, shareable and transient
    disks, and the backing files of its volumes.

    :raises InvalidState: the guest runs; also if somebody starts it meanwhile, and then nothing is lost
    :raises HypervisorError: a volume could not be deleted; the guest is gone
    """
    domain = find_domain(session, guest_id)
    require_guest_state(domain, DELETION, GuestState.STOPPED)
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    document = parse_document(text)
    record = domain_record(document)
    image = own_image(session, document)
    own = own_volumes(session, record.uuid, [*record.disks, *past_disks(domain, record), *image])
    end_remnant(domain)
    undefine(session, domain, record.uuid, text)
    left = own.delete()
    delete_nvram(session, document)
    forget_template(session, record.uuid)
    if left:
        raise HypervisorError(
            f"the guest is gone, but not its volumes {', '.join(left)}: delete them by hand"
        )


def show_guest(session: KvmSession, domain: "libvirt.virDomain") -> Guest:
    """Return the entity of a domain. Values that its guest or its storages do not report in time are None."""
    state = state_of(domain)
    record = _record(domain, 0)
    host = session.connection.getHostname() if state != GuestState.STOPPED else ""
    # The handle knows whether the domain ran when it was found; that takes no round trip.
    ip = AddressBook(session).address(domain, record) if domain.ID() != -1 else None
    return guest_entity(record, state, host, disk_sizes(session, domain, record.disks), ip)


def _listed(row: Row, host: str) -> Guest:
    """Return the entity of a row of the list."""
    sizes = row.sizes
    if sizes is None and row.record is not None:
        sizes = [None] * len(row.record.disks)
    if row.record is not None and row.stats is None:
        return guest_entity(row.record, row.state, host, sizes or (), row.ip)
    disks = None if row.record is None else row.record.disks
    return guest_entity_of_stats(
        row.stats or {},
        disks,
        sizes or (),
        uuid=row.uuid,
        name=row.domain.name(),
        state=row.state,
        host=host,
    )


def _record(domain: "libvirt.virDomain", flags: int) -> DomainRecord:
    return domain_record(parse_document(domain.XMLDesc(flags)))
