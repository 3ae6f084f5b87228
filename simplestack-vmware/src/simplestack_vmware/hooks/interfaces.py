"""Network interfaces of guests. Their ID is the MAC address."""

from msgspec import UNSET

from simplestack import (
    EntityNotFound,
    GuestState,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    hookimpl,
    warn,
)
from simplestack_vmware.entities import interface_entity
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.versions import is_at_least
from simplestack_vmware.vsphere.inventory.devices import interfaces
from simplestack_vmware.vsphere.inventory.records import (
    NETWORKS,
    NetworkRecord,
    VmDevices,
    VmHardware,
)
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_NETWORKS
from simplestack_vmware.vsphere.networks.addresses import require_usable_mac
from simplestack_vmware.vsphere.networks.cards import (
    changed_card,
    find_card,
    rate_mbit,
    removed_card,
    require_free_card,
    with_mac,
)
from simplestack_vmware.vsphere.networks.new_cards import card_backing, new_card
from simplestack_vmware.vsphere.networks.reachable import NETWORK_KINDS, TO_ITS_HOSTS_NETWORKS, HostNetworks
from simplestack_vmware.vsphere.sessions.lookups import find_guest, find_guest_with, require_not_template
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_NEW_CARD_KEY = -201
#: The version of the API with which rate limits of interfaces came.
_RATES_SINCE = "6.0"


@hookimpl
def network_interface_list(session: VmwareSession, guest_id: str) -> list[NetworkInterface]:
    """List a guest's network interfaces, of all types of cards."""
    return list(_shown(session, guest_id).values())


@hookimpl
def network_interface_info(session: VmwareSession, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one network interface of a guest."""
    return _named(session, guest_id, interface_id)


@hookimpl
def network_interface_create(
    session: VmwareSession, guest_id: str, interface: NetworkInterfaceCreate
) -> NetworkInterface:
    """Add a vmxnet3 interface, connected, to a network of the guest's host.

    :raises InvalidArguments: no interface can have the MAC address
    :raises Conflict: another guest has the MAC address, or the guest has ten interfaces
    :raises Busy: others change the guest at the same time
    """
    vm, others = find_guest_with(session, guest_id, VmDevices, TO_ITS_HOSTS_NETWORKS, NETWORK_KINDS)
    require_not_template(vm, "add a network interface to")
    mac = None if interface.mac is None else interface.mac.lower()
    require_free_card(vm)
    networks = HostNetworks(session, others)
    network = networks.find(interface.network)
    added = new_card(network, networks.switch_uuids, _NEW_CARD_KEY, paravirtualized=True)
    if mac is not None:
        require_usable_mac(session, mac)
    reconfigure(session, vm, [with_mac(added, mac)])
    if mac is not None:
        with Undo() as undo:
            undo.do(f"removing interface {mac}", network_interface_delete, session, vm.id, mac)
            require_usable_mac(session, mac, besides=vm.ref)  # another guest may have got it meanwhile
    before = {card.key for card in interfaces(vm.devices)}
    # Nobody changed the guest before, so its card has the first free key; others may have added more since.
    shown = _shown(session, vm.id).items()
    made = {key: entity for key, entity in shown if key not in before and mac in (None, entity.mac)}
    if not made:
        raise EntityNotFound("NetworkInterface", mac or "new")  # somebody has just removed it
    return made[min(made)]


@hookimpl
def network_interface_update(
    session: VmwareSession, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> NetworkInterface:
    """Change an interface, also while the guest runs. Its type, address, shares and reservation stay.

    :raises InvalidArguments: the rate limit is not a whole number of Mbit/s
    :raises NotImplementedError: vSphere has no locking modes
    :raises Busy: others change the guest at the same time
    """
    _reject_locking(changes)
    limit = None if changes.ratelimit is UNSET else rate_mbit(int(changes.ratelimit or 0))
    if limit is not None and not is_at_least(session.api.stub.version, _RATES_SINCE):
        raise NotImplementedError("`ratelimit` needs vSphere 6.0 or later")
    vm, others = find_guest_with(session, guest_id, VmDevices, TO_ITS_HOSTS_NETWORKS, NETWORK_KINDS)
    require_not_template(vm, "change a network interface of")
    card, networks = find_card(vm, interface_id), HostNetworks(session, others)
    backing, switch_uuid = None, None if card.backing.port is None else card.backing.port.switch_uuid
    if changes.network is not UNSET:
        network = networks.find(changes.network)
        backing, switch_uuid = card_backing(network, networks.switch_uuids), networks.switch_uuid(network)
    active = None if changes.active is UNSET else changes.active
    reconfigure(session, vm, changed_card(card, backing, active=active, limit_mbit=limit))
    shown = _named(session, vm.id, interface_id)
    if shown.ratelimit is not None and not networks.enforces_rates(switch_uuid):
        warn(
            "the rate limit was stored, but has no effect: vSphere enforces it only on distributed switches "
            "with Network I/O Control"
        )
    return shown


@hookimpl
def network_interface_delete(session: VmwareSession, guest_id: str, interface_id: str) -> None:
    """Remove an interface, also while the guest runs.

    :raises Busy: others change the guest at the same time
    """
    vm = find_guest(session, guest_id, VmDevices)
    require_not_template(vm, "remove a network interface of")
    reconfigure(session, vm, removed_card(find_card(vm, interface_id)))


def _shown(session: VmwareSession, guest_id: str) -> dict[int, NetworkInterface]:
    """Return a guest's network interfaces by the keys of their devices, in device order."""
    vm, others = find_guest_with(session, guest_id, VmHardware, [TO_THEIR_NETWORKS], NETWORKS)
    networks = [record for record in others if isinstance(record, NetworkRecord)]
    is_on = vm.state == GuestState.STARTED
    return {card.key: interface_entity(card, networks, is_on=is_on) for card in interfaces(vm.devices)}


def _named(session: VmwareSession, guest_id: str, interface_id: str) -> NetworkInterface:
    for interface in _shown(session, guest_id).values():
        if interface.id == interface_id.lower():
            return interface
    raise EntityNotFound("NetworkInterface", interface_id)


def _reject_locking(changes: NetworkInterfaceUpdate) -> None:
    if (changes.locking_mode, changes.ipv4_allowed, changes.ipv6_allowed) != (UNSET, UNSET, UNSET):
        raise NotImplementedError(
            "vSphere cannot restrict the addresses of an interface: leave out `locking_mode`, `ipv4_allowed` "
            "and `ipv6_allowed`, and use the rules of the network, such as those of NSX"
        )
