"""MAC addresses in descriptors of guests: a guest that is imported keeps those that are free."""

from typing import Any

from simplestack import warn
from simplestack.appliances import Appliance
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.devices import interfaces
from simplestack_vmware.vsphere.inventory.records import VmDevices
from simplestack_vmware.vsphere.networks.addresses import usable_macs
from simplestack_vmware.vsphere.networks.copied_cards import renewed_cards
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.import_specs import cards_of


def keep_macs(session: VmwareSession, config: Any, appliance: Appliance) -> bool:
    """Let the network cards keep the addresses in a descriptor that are free. A warning names the others.

    :return: whether a card keeps one
    """
    cards = cards_of(config)
    macs = [interface.mac for interface in appliance.interfaces]
    if len(cards) != len(macs):
        return False
    usable = usable_macs(session, [mac for mac in macs if mac is not None])
    given: set[str] = set()
    for card, mac in zip(cards, macs, strict=True):
        card.macAddress, card.addressType = None, "generated"
        if mac in usable and mac not in given:
            card.macAddress, card.addressType = mac, "manual"
            given.add(mac)
        elif mac is not None:
            _warn(mac)
    return bool(given)


def renew_taken_macs(session: VmwareSession, vm: Ref) -> None:
    """Give the cards of a new VM other addresses if other VMs have got theirs meanwhile.

    Such as two imports of the same image at the same time.

    :raises Busy: others change the VM at the same time
    """
    made = session.reader.read_one(VmDevices, vm)
    cards = (
        [] if made is None else [card for card in interfaces(made.devices) if card.address_type == "manual"]
    )
    usable = usable_macs(session, [(card.mac or "").lower() for card in cards], besides=vm)
    taken = [card for card in cards if (card.mac or "").lower() not in usable]
    if made is not None and taken:
        kind = "assigned" if session.api.is_vcenter else "generated"
        reconfigure(session, made, renewed_cards(taken, kind))
        for card in taken:
            _warn(card.mac or "")


def _warn(mac: str) -> None:
    warn(f"an interface gets a new MAC address, since others have {mac}, or VMware generates it")
