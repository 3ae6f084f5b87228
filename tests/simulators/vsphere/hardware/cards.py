"""Network cards."""

import itertools
import re
from typing import Any

from pyVmomi import vim

from simulators.vsphere.hardware.drives import connect
from simulators.vsphere.hardware.placement import label
from simulators.vsphere.hardware.plan import Plan
from simulators.vsphere.inventory.devices import cards_of
from simulators.vsphere.inventory.usage import addresses_of, ports_of

Card = vim.vm.device.VirtualEthernetCard
_MAX_CARDS, _FIRST_KEY, _FIRST_UNIT, _PCI_KEY = 10, 4_000, 7, 100
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}\Z", re.IGNORECASE)

#: What VMware generates: only 00:50:56:00:00:00 to 00:50:56:3f:ff:ff is left for manual addresses.
_RESERVED = re.compile(r"00:50:56:[4-9a-f]|00:0c:29:")
#: What a server generates itself.
_VCENTER_RANGE = re.compile(r"00:50:56:[89ab][0-9a-f](:[0-9a-f]{2}){2}\Z")
_ESXI_RANGE = re.compile(r"00:0c:29(:[0-9a-f]{2}){3}\Z")


def add_card(plan: Plan, index: int, card: Any) -> None:
    """Add a network card."""
    cards = plan.of_kind(Card)
    if len(cards) >= _MAX_CARDS:
        raise vim.fault.TooManyDevices
    taken = {each.key for each in cards}
    number = next(each for each in range(_MAX_CARDS) if _FIRST_KEY + each not in taken)
    card.deviceInfo = vim.Description(label=label(plan, Card, "Network adapter"), summary="")
    card.key, card.controllerKey, card.unitNumber = _FIRST_KEY + number, _PCI_KEY, _FIRST_UNIT + number
    _set_backing(plan, index, card, card.backing)
    _set_address(plan, index, card, card)
    connect(plan, card, card.connectable)
    plan.find(_PCI_KEY).device.append(card.key)
    plan.devices.append(card)


def edit_card(plan: Plan, index: int, card: Any, wanted: Any) -> None:
    """Change a network card: its network, address, and whether it is connected.

    :param card: as it is
    """
    if wanted.backing is not None:
        _set_backing(plan, index, card, wanted.backing)
    kind, address = wanted.addressType or card.addressType, (wanted.macAddress or card.macAddress).lower()
    if (kind, address) != (card.addressType, card.macAddress):
        plan.need_off()
        _set_address(plan, index, card, wanted)
    connect(plan, card, wanted.connectable or card.connectable)
    card.resourceAllocation = wanted.resourceAllocation or card.resourceAllocation
    if wanted.wakeOnLanEnabled is not None:
        card.wakeOnLanEnabled = wanted.wakeOnLanEnabled


def give_addresses(plan: Plan) -> None:
    """Generate addresses for the cards of a clone, but for those that have manual ones."""
    for card in plan.of_kind(Card):
        if card.addressType != "manual":
            _generate(plan, card)


def check_addresses(config: Any) -> None:
    """Check that no manual address of a VM that is to start is one that VMware generates.

    :raises GenericVmConfigFault: one is, and ``ethernet0.checkMACAddress`` is not FALSE
    """
    options = {option.key: str(option.value).lower() for option in config.extraConfig}
    for card in (each for each in cards_of(config) if each.addressType == "manual"):
        is_checked = options.get(f"ethernet{card.key - _FIRST_KEY}.checkMACAddress") != "false"
        if is_checked and _RESERVED.match(card.macAddress):
            reason = f"{card.macAddress} is not an allowed static Ethernet address. It conflicts with VMware"
            raise vim.fault.GenericVmConfigFault(reason=f"{reason} reserved MACs for other usage.")


def _set_backing(plan: Plan, index: int, card: Any, backing: Any) -> None:
    network = None
    if isinstance(backing, Card.NetworkBackingInfo):
        network = plan.network(vim.Network, "name", backing.deviceName)
        backing.network = None if network is None else network.ref
    elif isinstance(backing, Card.DistributedVirtualPortBackingInfo):
        network = _port_group(plan, backing.port)
    elif isinstance(backing, Card.OpaqueNetworkBackingInfo):
        network = plan.network(vim.OpaqueNetwork, "summary.opaqueNetworkId", backing.opaqueNetworkId)
        if network is not None and network["summary"].opaqueNetworkType != backing.opaqueNetworkType:
            network = None
    if network is None:
        raise vim.fault.InvalidDeviceBacking(deviceIndex=index)
    card.backing = backing
    card.deviceInfo.summary = network["name"]


def _port_group(plan: Plan, port: Any) -> Any:
    group = plan.network(vim.dvs.DistributedVirtualPortgroup, "key", port.portgroupKey or "")
    if group is None or group["config"].uplink:
        return None
    switch = plan.simulator.database.get(group["config.distributedVirtualSwitch"])
    if switch["uuid"] != port.switchUuid:
        return None
    port.portKey = port.portKey or _free_port(plan, group)
    return group


def _free_port(plan: Plan, group: Any) -> str:
    ports = [getattr(card.backing, "port", None) for card in cards_of(plan.config)]
    taken = {(port.portgroupKey, port.portKey) for port in ports if port is not None}
    taken = taken.union(*map(ports_of, plan.simulator.database.all(vim.VirtualMachine)))
    return next(key for key in map(str, itertools.count(1)) if (group.id, key) not in taken)


def _set_address(plan: Plan, index: int, card: Any, wanted: Any) -> None:
    """Set a manual address, which other cards may have too, or generate one.

    Another one is generated than that which is wanted, unless it is one that no other card has, of the
    range that the server generates.
    """
    if wanted.addressType == "manual" or (wanted.macAddress and not wanted.addressType):
        address = (wanted.macAddress or "").lower()
        if not _MAC.match(address) or int(address[:2], 16) & 1 or address == "00:00:00:00:00:00":
            raise vim.fault.InvalidDeviceSpec(deviceIndex=index)
        card.addressType, card.macAddress = "manual", address
    elif wanted.addressType in (None, "", "assigned", "generated"):
        _generate(plan, card, (wanted.macAddress or "").lower())
    else:
        raise vim.fault.InvalidDeviceSpec(deviceIndex=index)


def _generate(plan: Plan, card: Any, wanted: str = "") -> None:
    is_vcenter = plan.simulator.product.is_vcenter
    prefix = "00:50:56:b" if is_vcenter else "00:0c:29:f"
    own = _VCENTER_RANGE if is_vcenter else _ESXI_RANGE
    card.addressType = "assigned" if is_vcenter else "generated"
    taken = {each.macAddress for each in cards_of(plan.config) if each is not card}
    taken = taken.union(*map(addresses_of, plan.simulator.database.all(vim.VirtualMachine)))
    if own.match(wanted) and wanted not in taken:
        card.macAddress = wanted
        return
    digits = (f"{number:05x}" for number in range(16**5))
    addresses = (f"{prefix}{each[0]}:{each[1:3]}:{each[3:]}" for each in digits)
    card.macAddress = next(address for address in addresses if address not in taken)
