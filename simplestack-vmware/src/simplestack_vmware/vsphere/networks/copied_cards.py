"""Network interfaces of copies of guests. Their MAC addresses are other ones than those of the originals."""

from typing import TYPE_CHECKING, Any

from simplestack import Conflict
from simplestack_vmware.sdk import VmomiSupport, vim
from simplestack_vmware.vsphere.inventory.devices import Device

if TYPE_CHECKING:
    Change = vim.vm.device.VirtualDeviceSpec

_MANUAL = "manual"


def renewed_cards(cards: list[Device], address_type: str = "assigned") -> "list[Change]":
    """Return the changes of a clone's cards: vCenter copies MAC addresses that people have chosen.

    :param address_type: of the new addresses: ``assigned`` by vCenter, ``generated`` by a lone host
    """
    changes = []
    for card in (each for each in cards if each.address_type == _MANUAL):
        device = _kind_of(card)(
            key=card.key,
            controllerKey=card.controller_key,
            unitNumber=card.unit_number,
            backing=_backing_of(card),
            addressType=address_type,
            macAddress="",
        )
        changes.append(vim.vm.device.VirtualDeviceSpec(operation="edit", device=device))
    return changes


def copied_card(card: Device, key: int) -> "Change":
    """Return the change that adds a card like another one.

    :param key: negative, and the card's alone among the changes
    :raises Conflict: its network is not known
    """
    backing = _backing_of(card)
    if backing is None:
        raise Conflict(f"interface {card.mac} has no network that vSphere shows: give it one first")
    starts_connected = card.connectable is None or card.connectable.start_connected
    device = _kind_of(card)(
        key=key,
        backing=backing,
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=starts_connected, allowGuestControl=True, connected=starts_connected
        ),
        wakeOnLanEnabled=True,
    )
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=device)


def removed_cards(cards: list[Device]) -> "list[Change]":
    """Return the changes that remove cards."""
    return [
        vim.vm.device.VirtualDeviceSpec(
            operation="remove",
            device=_kind_of(card)(
                key=card.key, controllerKey=card.controller_key, unitNumber=card.unit_number
            ),
        )
        for card in cards
    ]


def _kind_of(card: Device) -> Any:
    """Return pyvmomi's class of a card.

    :raises Conflict: pyvmomi does not know the type
    """
    try:
        return VmomiSupport.GetWsdlType("urn:vim25", card.type_name)
    except KeyError:
        raise Conflict(
            f"interface {card.mac} is a {card.type_name}, which the service's pyvmomi does not know: "
            "upgrade it"
        ) from None


def _backing_of(card: Device) -> "vim.vm.device.VirtualDevice.BackingInfo | None":
    """Return the network of a card as vSphere takes it; None if it is of a type that is not known here."""
    backing, kinds = card.backing, vim.vm.device.VirtualEthernetCard
    if backing.port is not None:
        port = vim.dvs.PortConnection(
            switchUuid=backing.port.switch_uuid, portgroupKey=backing.port.portgroup_key
        )
        return kinds.DistributedVirtualPortBackingInfo(port=port)
    if backing.opaque_id is not None:
        return kinds.OpaqueNetworkBackingInfo(
            opaqueNetworkId=backing.opaque_id, opaqueNetworkType=backing.opaque_kind or ""
        )
    if backing.device_name is not None:
        return kinds.NetworkBackingInfo(deviceName=backing.device_name)
    return None
