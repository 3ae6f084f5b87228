"""Changes of a guest's network interfaces, as vSphere's specs."""

from typing import TYPE_CHECKING, Any

from simplestack import Conflict, EntityNotFound, InvalidArguments
from simplestack_vmware.sdk import VmomiSupport, vim
from simplestack_vmware.vsphere.inventory.devices import Allocation, Connectable, Device, interfaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simplestack_vmware.vsphere.inventory.records import VmHardware

    Backing = vim.vm.device.VirtualDevice.BackingInfo
    Change = vim.vm.device.VirtualDeviceSpec

#: The most network interfaces that a guest can have.
_MAX_CARDS = 10
BITS_IN_MBIT = 1_000_000
UNLIMITED_MBIT = -1


def find_card(vm: "VmHardware", mac: str) -> Device:
    """Find a network interface of a guest by its MAC address, in any case.

    :raises EntityNotFound: ``NetworkInterface``
    :raises Conflict: several interfaces of the guest have it
    """
    found = [card for card in interfaces(vm.devices) if (card.mac or "").lower() == mac.lower()]
    if not found:
        raise EntityNotFound("NetworkInterface", mac)
    if len(found) > 1:
        names = " and ".join(card.description.label or str(card.key) for card in found)
        raise Conflict(f"{names} of guest {vm.name!r} have the same MAC address: change one in vSphere")
    return found[0]


def require_free_card(vm: "VmHardware") -> None:
    """Check that a guest can have another network interface.

    :raises Conflict: it has as many as vSphere allows
    """
    if len(interfaces(vm.devices)) >= _MAX_CARDS:
        raise Conflict(
            f"guest {vm.name!r} has {_MAX_CARDS} network interfaces, which is vSphere's limit: delete one "
            "first"
        )


def with_mac(change: "Change", mac: str | None) -> "Change":
    """Give a new network interface a MAC address; None lets vSphere choose it."""
    if mac is not None:
        card: Any = change.device
        card.addressType, card.macAddress = "manual", mac
    return change


def changed_card(
    card: Device, backing: "Backing | None", *, active: bool | None, limit_mbit: int | None
) -> "list[Change]":
    """Return the changes of a network interface. What is None stays as it is.

    :param backing: of another network
    :param limit_mbit: `UNLIMITED_MBIT` for none
    """
    if backing is None and active is None and limit_mbit is None:
        return []
    device = _device(card)
    # vSphere chooses another address for a card that is sent without one.
    device.macAddress, device.addressType = card.mac, card.address_type
    device.backing = backing
    if active is not None:
        guest_control = (card.connectable or Connectable()).allow_guest_control
        device.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=active, connected=active, allowGuestControl=guest_control
        )
    if limit_mbit is not None:
        before = card.allocation or Allocation()
        device.resourceAllocation = vim.vm.device.VirtualEthernetCard.ResourceAllocation(
            limit=limit_mbit,
            reservation=before.reservation,
            share=vim.SharesInfo(shares=before.share.shares, level=before.share.level),
        )
    return [vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)]


def removed_card(card: Device) -> "Sequence[Change]":
    """Return the changes that remove a network interface."""
    return [vim.vm.device.VirtualDeviceSpec(operation="remove", device=_device(card))]


def rate_mbit(rate_bits: int) -> int:
    """Return a rate limit in Mbit/s; `UNLIMITED_MBIT` for 0.

    :param rate_bits: in bit/s
    :raises InvalidArguments: it is not a whole number of Mbit/s
    """
    mbit, rest = divmod(rate_bits, BITS_IN_MBIT)
    if rest:
        rates = [str(each * BITS_IN_MBIT) for each in (mbit, mbit + 1) if each]
        raise InvalidArguments(
            f"`ratelimit`: {rate_bits} bit/s is not a whole number of Mbit/s, as vSphere needs: use "
            f"{' or '.join(rates)}"
        )
    return mbit or UNLIMITED_MBIT


def _device(card: Device) -> Any:
    """Return a device of the card's own type at the card's place, to edit or to remove.

    :raises Conflict: pyvmomi does not know the type
    """
    try:
        kind = VmomiSupport.GetWsdlType("urn:vim25", card.type_name)
    except KeyError:
        raise Conflict(
            f"interface {card.mac} is a {card.type_name}, which the service's pyvmomi does not know: "
            "upgrade it"
        ) from None
    return kind(key=card.key, controllerKey=card.controller_key, unitNumber=card.unit_number)
