"""Addresses of running guests: libvirt's own DHCP leases, the guest agent, the host's ARP table."""

import ipaddress
import logging
import time
from collections.abc import Iterable
from typing import Any

from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import DomainRecord
from simplestack_kvm.libvirtd.networks.agents import agent_addresses
from simplestack_kvm.sdk import libvirt

#: Time limit for agents in one request: each agent that does not respond takes seconds.
AGENTS_SECONDS = 4.0

_log = logging.getLogger(__name__)


class AddressBook:
    """The addresses of the running guests of one request: each network's leases are read once."""

    def __init__(self, session: KvmSession) -> None:
        self._session = session
        self._connection = session.connection
        self._leases: dict[str, dict[str, list[str]]] = {}
        self._agents_end: float | None = None

    def address(self, domain: "libvirt.virDomain", record: DomainRecord) -> str | None:
        """Return a guest's first address: IPv4 before IPv6; None where none is known."""
        return self.address_without_agent(domain, record) or self.address_by_agent(domain, record)

    def address_without_agent(self, domain: "libvirt.virDomain", record: DomainRecord) -> str | None:
        """Return the address that the host knows. This never waits for a guest.

        The host's ARP table is asked only where no agent knows better.
        """
        for mac, network in record.interfaces:
            address = _first(self._leases_of(network).get(mac, ())) if network else None
            if address is not None:
                return address
        return None if record.agent_connected else self._in_arp_table(domain, record)

    def address_by_agent(self, domain: "libvirt.virDomain", record: DomainRecord) -> str | None:
        """Return the address from the guest's agent, else from the ARP table; None without an agent."""
        if not record.agent_connected or not record.interfaces or self._session.abandoned.is_set():
            return None
        now = time.monotonic()
        if self._agents_end is None:
            self._agents_end = now + AGENTS_SECONDS
        if now < self._agents_end:
            address = _first(agent_addresses(self._session, domain))
            if address is not None or self._session.abandoned.is_set():
                return address
        return self._in_arp_table(domain, record)

    def _leases_of(self, network: str) -> dict[str, list[str]]:
        if network not in self._leases:
            try:
                result: Any = self._connection.networkLookupByName(network).DHCPLeases()  # annotated as str
                leases: list[dict[str, Any]] = result
            except libvirt.libvirtError as error:
                if not has_reason(error):
                    raise
                # Foreign networks: without DHCP, or gone while their guests run. Other sources may know.
                _log.debug("no leases of network %s: %s", network, error)
                leases = []
            leases.sort(key=lambda lease: int(lease.get("expirytime") or 0), reverse=True)
            by_mac: dict[str, list[str]] = {}
            for lease in leases:
                by_mac.setdefault(str(lease.get("mac") or "").lower(), []).append(str(lease["ipaddr"]))
            self._leases[network] = by_mac
        return self._leases[network]

    def _in_arp_table(self, domain: "libvirt.virDomain", record: DomainRecord) -> str | None:
        if not record.interfaces:
            return None
        source = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
        try:
            interfaces: Any = domain.interfaceAddresses(source)  # annotated as str
        except libvirt.libvirtError as error:
            if not has_reason(error):
                raise
            # The guest has just stopped, or the host's kernel does not allow it: the address is unknown.
            _log.debug("no addresses of guest %s: %s", domain.UUIDString(), error)
            return None
        addresses = [entry["addr"] for interface in interfaces.values() for entry in interface["addrs"] or ()]
        return _first(addresses)


def _first(addresses: Iterable[str]) -> str | None:
    """Return the first IPv4 address, or else IPv6 address, that others can reach."""
    usable = []
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:  # a guest may say anything
            continue
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
            continue  # a zone such as `%eth0` means something inside the guest only
        if not (
            address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
        ):
            usable.append(address)
    usable.sort(key=lambda address: address.version)
    return str(usable[0]) if usable else None
