"""Network interfaces of guests. Their ID is the MAC address."""

import ipaddress
from typing import Any

from msgspec import UNSET

from simplestack import (
    Conflict,
    InvalidArguments,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    hookimpl,
)
from simplestack_xen.entities import BITS_IN_KIB, LOCKING_MODE_KEY, XenNetworkInterface, interface_entity
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.interfaces import create_interface, find_interface, interfaces_of
from simplestack_xen.xapi.lookups import Vm, find_guest, find_network
from simplestack_xen.xapi.plugging import plug, remove, takes_devices, unplug
from simplestack_xen.xapi.records import NetworkRecord, VifRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

_DEFAULT_MODE = "network_default"
#: The locking mode that blocks all traffic.
_OFF_MODE = "disabled"
#: XAPI's errors when a guest's tools do not release a device, or do not run.
_NO_HOTPLUG = ("VM_MISSING_PV_DRIVERS", "VM_LACKS_FEATURE", "OPERATION_NOT_ALLOWED")


@hookimpl
def network_interface_list(session: XenSession, guest_id: str) -> list[XenNetworkInterface]:
    """List a guest's network interfaces."""
    vm = find_guest(session, guest_id)
    vifs = interfaces_of(session, vm).values()
    networks = session.api.read_some(NetworkRecord, "network", {vif.network for vif in vifs})
    return [_entity(vm, vif, networks.get(vif.network)) for vif in vifs]


@hookimpl
def network_interface_info(session: XenSession, guest_id: str, interface_id: str) -> XenNetworkInterface:
    """Show one network interface of a guest."""
    vm = find_guest(session, guest_id)
    ref, _ = find_interface(session, vm, interface_id)
    return _show(session, vm, ref)


@hookimpl
def network_interface_create(
    session: XenSession, guest_id: str, interface: NetworkInterfaceCreate
) -> XenNetworkInterface:
    """Add a network interface at the first free device, and plug it in if the guest runs."""
    vm = find_guest(session, guest_id)
    plugs_in = takes_devices(vm, "add a network interface to")
    network = find_network(session, interface.network)
    mac = (interface.mac or "").lower()
    if mac and any(vif.MAC.lower() == mac for vif in interfaces_of(session, vm).values()):
        raise Conflict.of_mac(mac, vm.record.name_label)
    with Undo() as undo:
        ref = create_interface(session, undo, vm.ref, network, mac)
        if plugs_in:
            plug(session, "VIF", ref)
        return _show(session, vm, ref)


@hookimpl
def network_interface_update(
    session: XenSession, guest_id: str, interface_id: str, changes: NetworkInterfaceUpdate
) -> XenNetworkInterface:
    """Change a network interface in place.

    A new rate takes effect when the interface is plugged in, so one that is in use is taken out and put back.
    One that is switched off lets nothing through, plugged in or not: XAPI plugs all in when the guest starts.
    """
    vm = find_guest(session, guest_id)
    ref, vif = find_interface(session, vm, interface_id)
    network = None if changes.network is UNSET else find_network(session, changes.network)
    _check_addresses(changes)
    is_on = LOCKING_MODE_KEY not in vif.other_config if changes.active is UNSET else changes.active
    fields = _fields(vif, changes, is_on=is_on)
    is_new_rate = any(field.startswith("qos_") and getattr(vif, field) != fields[field] for field in fields)
    replugs = is_on and vif.currently_attached and is_new_rate
    plugs = takes_devices(vm, "plug interfaces of") if replugs else vm.record.power_state == "Running"
    with Undo() as undo:
        if plugs and vif.currently_attached:
            undo.do("VIF.plug", plug, session, "VIF", ref)  # last, with the former rate
        if network is not None and network.ref != vif.network:
            undo.do("VIF.move", session.xenapi.VIF.move, ref, vif.network)
            session.tasks.run.VIF.move(ref, network.ref)
        for field, value in fields.items():
            _set(session, undo, ref, field, value, before=getattr(vif, field))
        if plugs and replugs:
            unplug(session, "VIF", ref)
        if plugs and is_on and (replugs or changes.active is not UNSET):
            plug(session, "VIF", ref)
        elif plugs and not is_on:
            _take_out(session, ref)
        return _show(session, vm, ref)


@hookimpl
def network_interface_delete(session: XenSession, guest_id: str, interface_id: str) -> None:
    """Unplug a network interface and remove it."""
    vm = find_guest(session, guest_id)
    ref, _ = find_interface(session, vm, interface_id)
    if vm.record.power_state == "Suspended":
        session.xenapi.VIF.destroy(ref)  # XAPI reports it as plugged in until the guest is stopped
    else:
        remove(session, "VIF", ref)


def _show(session: XenSession, vm: Vm, ref: str) -> XenNetworkInterface:
    vif = session.api.read(VifRecord, "VIF.get_record", ref)
    return _entity(vm, vif, session.api.read(NetworkRecord, "network.get_record", vif.network))


def _entity(vm: Vm, vif: VifRecord, network: NetworkRecord | None) -> XenNetworkInterface:
    name = None if network is None else network.name_label
    return interface_entity(vif, name, is_off=vm.record.power_state == "Halted")


def _fields(vif: VifRecord, changes: NetworkInterfaceUpdate, *, is_on: bool) -> dict[str, Any]:
    """Return the new values of an interface's fields. XAPI's ``kbps`` are rounded up."""
    fields: dict[str, Any] = {}
    if changes.ipv4_allowed is not UNSET:
        fields["ipv4_allowed"] = changes.ipv4_allowed
    if changes.ipv6_allowed is not UNSET:
        fields["ipv6_allowed"] = changes.ipv6_allowed
    if changes.locking_mode is not UNSET or changes.active is not UNSET:
        before = vif.other_config.get(LOCKING_MODE_KEY, vif.locking_mode or _DEFAULT_MODE)
        mode = before if changes.locking_mode is UNSET else str(changes.locking_mode)
        others = {key: value for key, value in vif.other_config.items() if key != LOCKING_MODE_KEY}
        fields["locking_mode"] = mode if is_on else _OFF_MODE
        fields["other_config"] = others if is_on else others | {LOCKING_MODE_KEY: mode}
    if changes.ratelimit is not UNSET:
        kbps = -(-int(changes.ratelimit or 0) // BITS_IN_KIB)
        fields["qos_algorithm_type"] = "ratelimit" if kbps else ""
        fields["qos_algorithm_params"] = {"kbps": str(kbps)} if kbps else {}
    return fields


def _set(session: XenSession, undo: Undo, ref: str, field: str, value: Any, *, before: Any) -> None:
    """Change a field of an interface, unless it has the value already."""
    if value != before:
        change = getattr(session.xenapi.VIF, f"set_{field}")
        if before is not None:  # an old XAPI has no such field
            undo.later(change, ref, before)
        change(ref, value)


def _take_out(session: XenSession, ref: str) -> None:
    """Unplug an inactive interface, if the guest supports that."""
    try:
        unplug(session, "VIF", ref)
    except XenAPI.Failure as failure:
        if failure.details[0] not in _NO_HOTPLUG:
            raise


def _check_addresses(changes: NetworkInterfaceUpdate) -> None:
    for name, addresses, parse in (
        ("ipv4_allowed", changes.ipv4_allowed, ipaddress.IPv4Address),
        ("ipv6_allowed", changes.ipv6_allowed, ipaddress.IPv6Address),
    ):
        for address in [] if addresses is UNSET else addresses:
            try:
                parse(address)
            except ValueError:
                kind = "IPv4" if name == "ipv4_allowed" else "IPv6"
                raise InvalidArguments(f"`{name}`: {address[:100]!r} is not an {kind} address") from None
