"""Network interfaces of guests: XAPI's VIFs."""

from collections.abc import Iterable

from simplestack import Conflict, EntityNotFound
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.lookups import Network, Vm
from simplestack_xen.xapi.plugging import remove
from simplestack_xen.xapi.records import VifRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

#: Attempts: two clients may get the same free device.
_DEVICE_ATTEMPTS = 8


def interfaces_of(session: XenSession, vm: Vm) -> dict[str, VifRecord]:
    """Return a VM's interfaces by reference, in the order of their devices."""
    vifs = session.api.read_some(VifRecord, "VIF", vm.record.VIFs)
    return dict(sorted(vifs.items(), key=lambda item: item[1].position))


def find_interface(session: XenSession, vm: Vm, interface_id: str) -> tuple[str, VifRecord]:
    """Find an interface of a VM by its MAC address.

    :raises EntityNotFound: ``NetworkInterface``
    :raises Conflict: several have this address, which XAPI allows
    """
    vifs = interfaces_of(session, vm).items()
    matching = [(ref, vif) for ref, vif in vifs if vif.MAC.lower() == interface_id.lower()]
    if not matching:
        raise EntityNotFound("NetworkInterface", interface_id)
    if len(matching) > 1:
        devices = ", ".join(vif.device for _, vif in matching)
        raise Conflict(
            f"several interfaces of the guest have the address {interface_id} (devices {devices}): "
            "give them different ones with XenAPI's own tools first"
        )
    return matching[0]


def replace_interfaces(session: XenSession, undo: Undo, vm: Vm, networks: Iterable[Network]) -> None:
    """Give a new VM an interface on each of these networks, in place of those that it has."""
    for ref in vm.record.VIFs:
        session.xenapi.VIF.destroy(ref)
    for network in networks:
        create_interface(session, undo, vm.ref, network)


def create_interface(session: XenSession, undo: Undo, vm: str, network: Network, mac: str = "") -> str:
    """Add a network interface to a VM, and return its reference.

    :param mac: MAC address; empty lets XAPI generate one
    :raises Conflict: no device is free
    """
    api = session.api
    for _ in range(_DEVICE_ATTEMPTS):
        free = api.read(list[str], "VM.get_allowed_VIF_devices", vm)
        if not free:
            break
        values = {
            "VM": vm,
            "network": network.ref,
            "device": min(free, key=int),
            "MAC": mac,
            "MTU": network.record.MTU,
            "other_config": {},
            "qos_algorithm_type": "",
            "qos_algorithm_params": {},
        }
        try:
            ref = str(session.xenapi.VIF.create(values))
        except XenAPI.Failure as failure:
            if failure.details[0] != "DEVICE_ALREADY_EXISTS":
                raise
            continue
        undo.do("VIF.destroy", remove, session, "VIF", ref)
        return ref
    raise Conflict("the guest has no free device for another network interface: delete one first")
