"""New network interfaces of guests."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from simplestack import Conflict
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import (
    NetworkRecord,
    OpaqueNetworkRecord,
    PortGroupRecord,
)

if TYPE_CHECKING:
    Change = vim.vm.device.VirtualDeviceSpec


def new_card(
    network: NetworkRecord, switch_uuids: Mapping[Ref, str], key: int, *, paravirtualized: bool
) -> "Change":
    """Return the change that adds a card, with a MAC address that vSphere chooses.

    :param switch_uuids: UUIDs of distributed switches
    :param key: negative, and the card's alone among the changes
    :param paravirtualized: vmxnet3, else e1000e
    :raises NotImplementedError: the network is of a type that is not known here
    :raises Conflict: the user may not read its switch or its summary
    """
    kind = vim.vm.device.VirtualVmxnet3 if paravirtualized else vim.vm.device.VirtualE1000e
    device = kind(
        key=key,
        backing=card_backing(network, switch_uuids),
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=True, allowGuestControl=True, connected=True
        ),
        wakeOnLanEnabled=True,
    )
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=device)


def card_backing(
    network: NetworkRecord, switch_uuids: Mapping[Ref, str]
) -> "vim.vm.device.VirtualDevice.BackingInfo":
    """Return what a card in a network is connected to."""
    card = vim.vm.device.VirtualEthernetCard
    if isinstance(network, PortGroupRecord):
        switch = None if network.switch is None else switch_uuids.get(network.switch)
        if not switch:
            raise Conflict(
                f"the user may not read the switch of network {network.name!r}: choose another network, or "
                "allow it in vSphere"
            )
        port = vim.dvs.PortConnection(switchUuid=switch, portgroupKey=network.key)
        return card.DistributedVirtualPortBackingInfo(port=port)
    if isinstance(network, OpaqueNetworkRecord):
        if not network.opaque.id:
            raise Conflict(f"the user may not read the summary of network {network.name!r}")
        return card.OpaqueNetworkBackingInfo(
            opaqueNetworkId=network.opaque.id, opaqueNetworkType=network.opaque.kind
        )
    if network.ref.type != "Network":
        raise NotImplementedError(
            f"network {network.name!r} is not on a switch of vSphere's own: choose another network"
        )
    return card.NetworkBackingInfo(deviceName=network.stored_name)
