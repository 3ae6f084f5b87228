"""Connect the interfaces of an appliance to networks of this host, with addresses that are free here."""

from simplestack import EntityNotFound, InvalidArguments, warn
from simplestack.appliances import Appliance
from simplestack_kvm.libvirtd.connection.lookups import find_network
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.descriptions import describe_guests
from simplestack_kvm.libvirtd.networks.interface_records import mac_of
from simplestack_kvm.libvirtd.networks.interfaces import new_mac
from simplestack_kvm.libvirtd.networks.locking import is_on_open_vswitch
from simplestack_kvm.libvirtd.transfer.appliance_xml import Port
from simplestack_kvm.sdk import libvirt


def find_ports(session: KvmSession, appliance: Appliance) -> list[Port]:
    """Find the networks of an appliance's interfaces, and choose their addresses.

    An interface keeps its address if no other guest of this host has it.

    :raises InvalidArguments: the host has no such network
    :raises NotImplementedError: an interface that is locked would be on Open vSwitch
    """
    if not appliance.interfaces:
        return []
    networks = [_network(session, each.network) for each in appliance.interfaces]
    for interface, network in zip(appliance.interfaces, networks, strict=True):
        # libvirt would accept it, and not start the guest.
        if interface.locking_mode is not None and is_on_open_vswitch(session, network):
            raise NotImplementedError(
                f"the appliance has an interface whose `locking_mode` is {interface.locking_mode}, and "
                f"libvirt cannot filter on Open vSwitch, where network {network!r} is: name the networks of "
                "all interfaces in the query (`?network=NAME`), which leaves their locks out"
            )
    taken, is_complete = _addresses(session)
    ports = []
    for interface, network in zip(appliance.interfaces, networks, strict=True):
        mac = interface.mac
        if mac is None or mac in taken or not is_complete:
            mac = new_mac()
            if interface.mac is not None:
                reason = (
                    "another interface has it" if is_complete else "there was no time to check who has it"
                )
                warn(f"the interface with the MAC address {interface.mac} gets another one, since {reason}")
        taken.add(mac)
        ports.append(Port(interface=interface, network=network, mac=mac))
    return ports


def _network(session: KvmSession, name: str | None) -> str:
    try:
        return find_network(session, name or "").name()
    except EntityNotFound:
        known = session.connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
        here = ", ".join(sorted(network.name() for network in known)) or "none"
        raise InvalidArguments(
            f"the appliance has an interface on network {name!r}, which this host does not have: name the "
            f"network of each interface in the query (`?network=NAME&network=NAME`). Active networks: {here}"
        ) from None


def _addresses(session: KvmSession) -> tuple[set[str], bool]:
    """Return the addresses of all guests, and whether there was time to ask all of them."""
    guests, is_complete = describe_guests(session)
    documents = (document for guest in guests for document in guest.documents)
    return {
        mac_of(each) for document in documents for each in document.iterfind("devices/interface")
    }, is_complete
