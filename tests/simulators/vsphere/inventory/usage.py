"""What VMs use that no other VM should: addresses, ports and disks.

Configurations that nobody has read yet are not made for it: 10,000 of them would take seconds.
"""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import all_file_names
from simulators.vsphere.inventory.devices import FIRST_PORT, cards_of
from simulators.vsphere.inventory.guests import Guest, UnreadConfig

Group = vim.dvs.DistributedVirtualPortgroup


def addresses_of(vm: Object) -> set[str]:
    """Return the MAC addresses of a VM's cards."""
    guest = _unread(vm)
    return {card.macAddress for card in _cards(vm)} if guest is None else set(guest.macs)


def ports_of(vm: Object) -> set[tuple[str, str]]:
    """Return the ports of distributed port groups that a VM's cards have, by the groups' keys."""
    guest = _unread(vm)
    if guest is not None:
        return {(each["key"], FIRST_PORT) for each in guest.networks if issubclass(each.kind, Group)}
    ports = [getattr(card.backing, "port", None) for card in _cards(vm)]
    return {(port.portgroupKey, port.portKey) for port in ports if port is not None}


def disk_names_of(vm: Object) -> set[str]:
    """Return the names of the files of a VM's disks, and of those that they are based on."""
    guest = _unread(vm)
    if guest is not None:
        return set(guest.disk_names)
    return set() if vm["config"] is None else all_file_names([vm["config"]])


def _cards(vm: Object) -> list[Any]:
    """Return the cards of a VM; none if it is orphaned, so that nobody knows them."""
    return [] if vm["config"] is None else cards_of(vm["config"])


def _unread(vm: Object) -> Guest | None:
    """Return what a VM is made of if nobody has read its configuration."""
    config = vm.values["config"]
    return config.guest if isinstance(config, UnreadConfig) else None
