"""Guests: list and show them. Create, change and delete have modules of their own."""

from simplestack import Guest, GuestState, hookimpl
from simplestack_kvm.libvirtd.addresses import AddressBook
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.domains import find_domain, state_of
from simplestack_kvm.libvirtd.listing import list_guests
from simplestack_kvm.libvirtd.records import DomainRecord, domain_record, guest_entity
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.libvirtd.sizes import disk_sizes
from simplestack_kvm.sdk import libvirt


@hookimpl
def guest_list(session: KvmSession, fields: frozenset[str]) -> list[Guest]:
    """List all domains; see :mod:`simplestack_kvm.libvirtd.listing`."""
    return list_guests(session, fields)


@hookimpl
def guest_info(session: KvmSession, guest_id: str) -> Guest:
    """Show one domain."""
    return show_guest(session, find_domain(session, guest_id))


def show_guest(session: KvmSession, domain: "libvirt.virDomain") -> Guest:
    """Return the whole entity of a domain. What the guest or its storages do not tell in time is None."""
    state = state_of(domain)
    record = _record(domain, 0)
    host = session.connection.getHostname() if state != GuestState.STOPPED else ""
    # The handle knows whether the domain ran when it was found; that takes no round trip.
    ip = AddressBook(session).address(domain, record) if domain.ID() != -1 else None
    return guest_entity(record, state, host, disk_sizes(session, domain, record.disks), ip)


def _record(domain: "libvirt.virDomain", flags: int) -> DomainRecord:
    return domain_record(parse_document(domain.XMLDesc(flags)))
