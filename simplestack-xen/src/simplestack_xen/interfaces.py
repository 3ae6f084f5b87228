"""Guests' network interfaces. Their id is the MAC address."""

import ipaddress
from typing import Any

from msgspec import UNSET

from simplestack import (
    Conflict,
    EntityNotFound,
    InvalidArguments,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    hookimpl,
)
from simplestack_xen.entities import BITS_IN_KIB, UNPLUGGED_KEY, XenNetworkInterface, interface_entity
from simplestack_xen.failures import XapiFailure
from simplestack_xen.lookups import Network, Vm, find_guest, find_network
from simplestack_xen.records import NetworkRecord, VifRecord
from simplestack_xen.session import XenSession
from simplestack_xen.undo import Undo

#: Two clients may be told of the same free device.
_DEVICE_ATTEMPTS = 8


@hookimpl
def network_interface_list(session: XenSession, guest_id: str) -> list[XenNetworkInterface]:
    """List a guest's network interfaces: four round trips, or three."""
    vm = find_guest(session, guest_id)
    found = _of_guest(session, vm)
    networks = session.api.read_some(NetworkRecord, "network", {vif.network for vif in found.values()})
    return [_entity(vm, vif, networks.get(vif.network)) for vif in found.values()]


@hookimpl
def network_interface_info(session: XenSession, guest_id: str, interface_id: str) -> XenNetworkInterface:
    """Show one network interface of a guest."""
    vm = find_guest(session, guest_id)
    ref, _ = _find(session, vm, interface_id)
    return _show(session, vm, ref)


@hookimpl
def network_interface_create(
    session: XenSession, guest_id: str, interface: NetworkInterfaceCreate
) -> XenNetworkInterface:
    """Add a network interface on the first free device; plug it in where the guest runs."""
    vm = find_guest(session, guest_id)
    network = find_network(session, interface.network)
    mac = (interface.mac or "").lower()
    if mac and int(mac[:2], 16) & 1:
        raise InvalidArguments(f"mac: {mac} is a multicast address; an interface needs a unicast one")
    if mac and any(vif.MAC.lower() == mac for vif in _of_guest(session, vm).values()):
        raise Conflict(f"the guest has an interface {mac} already: choose another MAC address")
    with Undo(session) as undo:
        ref = create_interface(session, undo, vm.ref, network, mac)
        if _runs(vm):
            session.api.call("VIF.plug", ref)
            undo.later("VIF.unplug", ref)
        return _show(session, vm, ref)


@hookimpl
def network_interface_update(
    session: XenSession, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> XenNetworkInterface:
    """Change a network interface in place.

    A new rate takes effect when the interface is plugged in, so one that is in use is taken out and put back.
    What is switched off while the guest is off stays unplugged when Simplestack starts it.
    """
    vm = find_guest(session, guest_id)
    ref, vif = _find(session, vm, interface_id)
    network = None if changes.network is UNSET else find_network(session, changes.network)
    _check_addresses(changes)
    api = session.api
    with Undo(session) as undo:
        if network is not None and network.ref != vif.network:
            api.call("VIF.move", ref, network.ref)
            undo.later("VIF.move", ref, vif.network)
        for field in ("ipv4_allowed", "ipv6_allowed", "locking_mode"):
            value: Any = getattr(changes, field)
            if value is not UNSET:
                _set(session, undo, ref, field, value, before=getattr(vif, field))
        is_new_rate = changes.ratelimit is not UNSET and _set_rate(session, undo, ref, vif, changes.ratelimit)
        plugged = vif.currently_attached if changes.active is UNSET else changes.active
        if changes.active is not UNSET:
            _set_active(session, undo, ref, vif, active=changes.active)
        if _runs(vm):
            if vif.currently_attached and (is_new_rate or not plugged):
                api.call("VIF.unplug", ref)
            if plugged and (is_new_rate or not vif.currently_attached):
                api.call("VIF.plug", ref)
        return _show(session, vm, ref)


@hookimpl
def network_interface_delete(session: XenSession, guest_id: str, interface_id: str) -> None:
    """Unplug a network interface and remove it."""
    ref, vif = _find(session, find_guest(session, guest_id), interface_id)
    if vif.currently_attached:
        session.api.call("VIF.unplug", ref)
    session.api.call("VIF.destroy", ref)


def create_interface(session: XenSession, undo: Undo, vm: str, network: Network, mac: str = "") -> str:
    """Give a VM a network interface; return its reference.

    :param mac: XAPI makes one up when it is empty
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
            ref = str(api.call("VIF.create", values))
        except XapiFailure as failure:
            if failure.code != "DEVICE_ALREADY_EXISTS":
                raise
            continue
        undo.later("VIF.destroy", ref)
        return ref
    raise Conflict("the guest has no free device for another network interface")


def _of_guest(session: XenSession, vm: Vm) -> dict[str, VifRecord]:
    found = session.api.read_some(VifRecord, "VIF", vm.record.VIFs)
    return dict(sorted(found.items(), key=lambda item: item[1].position))


def _find(session: XenSession, vm: Vm, interface_id: str) -> tuple[str, VifRecord]:
    for ref, vif in _of_guest(session, vm).items():
        if vif.MAC.lower() == interface_id.lower():
            return ref, vif
    raise EntityNotFound("NetworkInterface", interface_id)


def _show(session: XenSession, vm: Vm, ref: str) -> XenNetworkInterface:
    vif = session.api.read(VifRecord, "VIF.get_record", ref)
    return _entity(vm, vif, session.api.read(NetworkRecord, "network.get_record", vif.network))


def _entity(vm: Vm, vif: VifRecord, network: NetworkRecord | None) -> XenNetworkInterface:
    return interface_entity(vif, None if network is None else network.name_label, runs=_runs(vm))


def _runs(vm: Vm) -> bool:
    """Tell whether devices can be plugged in and out."""
    return vm.record.power_state in ("Running", "Paused")


def _set(session: XenSession, undo: Undo, ref: str, field: str, value: Any, *, before: Any) -> None:
    """Change a field of an interface, unless it is as it shall be."""
    if value != before:
        session.api.call(f"VIF.set_{field}", ref, value, repeatable=True)
        if before is not None:  # an old XAPI's, which has no such field
            undo.later(f"VIF.set_{field}", ref, before)


def _set_rate(session: XenSession, undo: Undo, ref: str, vif: VifRecord, rate: int | bool | None) -> bool:
    """Limit an interface to a rate in bit/s, or lift the limit; tell whether that was a change.

    XAPI counts in KiB/s; what is between two of them is rounded up.
    """
    wanted_type = "ratelimit" if rate else ""
    wanted = {"kbps": str(-(-int(rate) // BITS_IN_KIB))} if rate else {}
    if (vif.qos_algorithm_type, vif.qos_algorithm_params) == (wanted_type, wanted):
        return False
    _set(session, undo, ref, "qos_algorithm_type", wanted_type, before=vif.qos_algorithm_type)
    _set(session, undo, ref, "qos_algorithm_params", wanted, before=vif.qos_algorithm_params)
    return True


def _set_active(session: XenSession, undo: Undo, ref: str, vif: VifRecord, *, active: bool) -> None:
    """Note whether an interface is to be plugged in when its guest is started."""
    config = {key: value for key, value in vif.other_config.items() if key != UNPLUGGED_KEY}
    if not active:
        config[UNPLUGGED_KEY] = "false"
    _set(session, undo, ref, "other_config", config, before=vif.other_config)


def _check_addresses(changes: NetworkInterfaceUpdate) -> None:
    for name, addresses, parse in (
        ("ipv4_allowed", changes.ipv4_allowed, ipaddress.IPv4Address),
        ("ipv6_allowed", changes.ipv6_allowed, ipaddress.IPv6Address),
    ):
        for address in [] if addresses is UNSET else addresses:
            try:
                parse(address)
            except ValueError:
                raise InvalidArguments(f"{name}: {address[:100]!r} is no such address") from None
