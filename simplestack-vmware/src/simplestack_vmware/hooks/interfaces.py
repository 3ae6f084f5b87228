"""Network interfaces of guests. Their ID is the MAC address."""

from simplestack import EntityNotFound, GuestState, NetworkInterface, hookimpl
from simplestack_vmware.entities import interface_entity
from simplestack_vmware.vsphere.inventory.devices import interfaces
from simplestack_vmware.vsphere.inventory.records import NetworkRecord, PortGroupRecord, VmHardware
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_NETWORKS
from simplestack_vmware.vsphere.sessions.lookups import find_guest_with
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def network_interface_list(session: VmwareSession, guest_id: str) -> list[NetworkInterface]:
    """List a guest's network interfaces, of all types of cards."""
    vm, others = find_guest_with(
        session, guest_id, VmHardware, [TO_THEIR_NETWORKS], [NetworkRecord, PortGroupRecord]
    )
    networks = [record for record in others if isinstance(record, NetworkRecord)]
    is_on = vm.state == GuestState.STARTED
    return [interface_entity(card, networks, is_on=is_on) for card in interfaces(vm.devices)]


@hookimpl
def network_interface_info(session: VmwareSession, guest_id: str, interface_id: str) -> NetworkInterface:
    """Show one network interface of a guest."""
    for interface in network_interface_list(session, guest_id):
        if interface.id == interface_id.lower():
            return interface
    raise EntityNotFound("NetworkInterface", interface_id)
