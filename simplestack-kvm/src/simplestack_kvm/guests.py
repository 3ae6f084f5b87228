"""Guests: list and show them. Create, change and delete have modules of their own."""

import logging
from collections.abc import Mapping
from typing import Any

from simplestack import Guest, GuestState, HypervisorError, hookimpl
from simplestack_kvm.addresses import AddressBook
from simplestack_kvm.documents import parse_document
from simplestack_kvm.domains import find_domain, state_of
from simplestack_kvm.faults import has_reason
from simplestack_kvm.records import (
    DomainRecord,
    domain_record,
    guest_entity,
    guest_entity_of_stats,
    state_of_code,
    tells_all,
)
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession
from simplestack_kvm.volumes import disk_sizes

_log = logging.getLogger(__name__)

#: Members that the cheapest statistics answer.
_CHEAP_FIELDS = frozenset({"id", "name", "state", "host"})


@hookimpl
def guest_list(session: KvmSession, fields: frozenset[str]) -> list[Guest]:
    """List all domains.

    Those that are off cost five round trips together, however many they are, but for those with a CD, a
    floppy, or a disk that is not virtio's or has no file: these cost two or three more each. Those that run
    cost one each, and with ``hdd`` two more for each disk: statistics of QEMU's take ten times as long.
    """
    connection = session.connection
    states = {
        domain.UUIDString(): (domain, stats)
        for domain, stats in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)
    }
    listing = _Listing(session, fields)
    guests = []
    for uuid, (domain, stats) in states.items():
        guest = listing.guest(uuid, domain, int(stats.get("state.state", libvirt.VIR_DOMAIN_NOSTATE)))
        if guest is not None:
            guests.append(guest)
    return guests


@hookimpl
def guest_info(session: KvmSession, guest_id: str) -> Guest:
    """Show one domain."""
    return show_guest(session, find_domain(session, guest_id))


def show_guest(session: KvmSession, domain: "libvirt.virDomain") -> Guest:
    """Return the whole entity of a domain."""
    state = state_of(domain)
    record = _record(domain, 0)
    active = domain.ID() != -1
    return guest_entity(
        record,
        state,
        session.connection.getHostname() if state != GuestState.STOPPED else "",
        disk_sizes(session, domain, record.disks, active=active),
        AddressBook(session).address(domain, record) if active else None,
    )


class _Listing:
    """What the entities of one list have in common."""

    def __init__(self, session: KvmSession, fields: frozenset[str]) -> None:
        connection = session.connection
        self._session = session
        self._fields = fields
        self._host = connection.getHostname() if "host" in fields else ""
        self._details = not fields <= _CHEAP_FIELDS
        self._addresses = AddressBook(session)
        self._saved: set[str] = set()
        if not fields.isdisjoint(("state", "host")):
            flags = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
            self._saved = {domain.UUIDString() for domain in connection.listAllDomains(flags)}
        self._off: dict[str, Mapping[str, Any]] = {}
        if self._details:
            wanted = libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON
            if not fields.isdisjoint(("hdd", "paravirtualized")):
                wanted |= libvirt.VIR_DOMAIN_STATS_BLOCK
            inactive = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE
            self._off = {
                domain.UUIDString(): stats for domain, stats in connection.getAllDomainStats(wanted, inactive)
            }

    def guest(self, uuid: str, domain: "libvirt.virDomain", code: int) -> Guest | None:
        """Describe a domain; None for one that is gone meanwhile."""
        state = state_of_code(code, saved=uuid in self._saved)
        stats = self._off.get(uuid)
        if not self._details or (
            stats is not None and code == libvirt.VIR_DOMAIN_SHUTOFF and tells_all(stats)
        ):
            return guest_entity_of_stats(uuid, domain.name(), stats or {}, state, self._host)
        try:
            return self._described(domain, state)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            if not has_reason(error):
                raise
            _log.warning("guest %s is listed without details", uuid, exc_info=True)
        except (HypervisorError, ValueError):
            _log.warning("guest %s is listed without details", uuid, exc_info=True)
        return guest_entity_of_stats(uuid, domain.name(), stats or {}, state, self._host)

    def _described(self, domain: "libvirt.virDomain", state: GuestState) -> Guest:
        record = _record(domain, 0)
        active = domain.ID() != -1
        sizes: list[int | None] = []
        if "hdd" in self._fields:
            sizes = disk_sizes(self._session, domain, record.disks, active=active)
        address = self._addresses.address(domain, record) if active and "ip" in self._fields else None
        return guest_entity(record, state, self._host, sizes, address)


def _record(domain: "libvirt.virDomain", flags: int) -> DomainRecord:
    return domain_record(parse_document(domain.XMLDesc(flags)))
