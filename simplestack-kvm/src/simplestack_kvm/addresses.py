"""Addresses of running guests: libvirt's own DHCP leases, the guest agent, the host's ARP table."""

import ipaddress
import logging
import time
from collections.abc import Iterable
from typing import Any

from simplestack_kvm.faults import has_reason
from simplestack_kvm.records import DomainRecord
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession

#: A hung agent costs a time-out of libvirt's. After so long no more are asked in one request.
AGENTS_SECONDS = 6.0

_log = logging.getLogger(__name__)


class AddressBook:
    """The addresses of the running guests of one request: each network's leases are read once."""

    def __init__(self, session: KvmSession) -> None:
        self._connection = session.connection
        self._leases: dict[str, dict[str, list[str]]] = {}
        self._agents_end = time.monotonic() + AGENTS_SECONDS

    def address(self, domain: "libvirt.virDomain", record: DomainRecord) -> str | None:
        """Return a guest's first address: IPv4 before IPv6; None where none is known."""
        for mac, network in record.interfaces:
            address = _first(self._leases_of(network).get(mac, ())) if network else None
            if address is not None:
                return address
        if not record.interfaces:
            return None
        if record.agent_connected and time.monotonic() < self._agents_end:
            address = self._asked(domain, libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
            if address is not None:
                return address
        return self._asked(domain, libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)

    def _leases_of(self, network: str) -> dict[str, list[str]]:
        if network not in self._leases:
            try:
                found: Any = self._connection.networkLookupByName(network).DHCPLeases()  # annotated as str
                leases: list[dict[str, Any]] = found
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

    def _asked(self, domain: "libvirt.virDomain", source: int) -> str | None:
        try:
            interfaces: Any = domain.interfaceAddresses(source)  # annotated as str
        except libvirt.libvirtError as error:
            if not has_reason(error):
                raise
            # The agent is silent, or the guest has just stopped: its address is not known, that is all.
            _log.debug("no addresses of guest %s: %s", domain.UUIDString(), error)
            return None
        found = [entry["addr"] for interface in interfaces.values() for entry in interface["addrs"] or ()]
        return _first(found)


def _first(addresses: Iterable[str]) -> str | None:
    """Return the first IPv4 address, or else IPv6 address, that others can reach."""
    usable = []
    for text in addresses:
        address = ipaddress.ip_address(text)
        if not (address.is_loopback or address.is_link_local):
            usable.append(address)
    usable.sort(key=lambda address: address.version)
    return str(usable[0]) if usable else None
