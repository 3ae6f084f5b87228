"""Find, add, change and remove network interfaces of domains."""

import copy
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from simplestack import Conflict, EntityNotFound, GuestState, OperationNotSupported
from simplestack_kvm.errors import needing_parts
from simplestack_kvm.libvirtd.changes.turns import turn
from simplestack_kvm.libvirtd.changes.undo import Step, apply_all
from simplestack_kvm.libvirtd.guests.domains import document_of, require_guest_state
from simplestack_kvm.libvirtd.guests.records import disk_elements
from simplestack_kvm.libvirtd.networks.interface_records import (
    InterfaceRecord,
    interface_records,
    kind_of,
    mac_of,
)
from simplestack_kvm.libvirtd.networks.plugging import Device, attach, undefining, unplug
from simplestack_kvm.libvirtd.networks.vlans import is_switched
from simplestack_kvm.sdk import libvirt

#: What can change, each by the name of its element, in this order: the first is rejected by most hosts.
_PARTS = ("bandwidth", "filterref", "link", "source")
#: libvirt calls `tc` for rate limits. In its error for a kernel that lacks what it needs.
_NO_QDISC = "qdisc"
#: In its error for a move to, from or on Open vSwitch.
_ONLY_STOPPED = "unable to change config on"
_RELEASE = "remove it in the guest"


def find_interface(domain: "libvirt.virDomain", interface_id: str) -> InterfaceRecord:
    """Find an interface by its MAC address, in any letter case.

    :raises EntityNotFound: ``NetworkInterface``
    :raises Conflict: the guest has several with this address
    """
    document = document_of(domain)
    element = _find(document, interface_id.lower())
    if element is None:
        raise EntityNotFound("NetworkInterface", interface_id)
    position = list(document.iterfind("devices/interface")).index(element)
    return interface_records(document)[position]


def new_mac() -> str:
    """Return an address of those that are QEMU's by custom."""
    return "52:54:00:" + secrets.token_bytes(3).hex(":")


def add_interface(domain: "libvirt.virDomain", network: str, mac: str) -> None:
    """Add an interface on a network, to the running guest and to its definition.

    libvirt accepts an address twice, and can do nothing more with either interface then. Another client may
    have added it meanwhile, so the guest is looked at before and after.

    :raises Conflict: the guest has the address, or no free device, or the network has stopped
    """
    _reject_taken(domain, mac, 0)
    alias = f"ua-simplestack-{secrets.token_hex(8)}"
    element = ET.Element("interface", type="network")
    ET.SubElement(element, "mac", address=mac)
    ET.SubElement(element, "source", network=network)
    ET.SubElement(element, "model", type=_model(document_of(domain)))
    ET.SubElement(element, "alias", name=alias)
    ours = Device(
        label=f"interface {mac}", find=lambda document: _find_alias(document, alias), release=_RELEASE
    )

    def add() -> None:
        with needing_parts("add the network interface"):
            attach(domain, element)
        _reject_taken(domain, mac, 1)

    def take_back() -> None:
        unplug(domain, ours)
        undefining(domain, ours).apply()

    apply_all([Step(apply=add, undo=take_back, undoing=f"removing interface {mac} again")])


def change_interface(domain: "libvirt.virDomain", mac: str, parts: Mapping[str, ET.Element | None]) -> None:
    """Replace parts of an interface, in its definition and in the running guest, or nowhere.

    :param parts: elements by their names; None removes one
    :raises Busy: another request changes an interface of the guest for too long
    """
    with turn(domain, "changing a network interface of the guest"):
        _change(domain, mac, parts)


def _change(domain: "libvirt.virDomain", mac: str, parts: Mapping[str, ET.Element | None]) -> None:
    steps = []
    if domain.isPersistent():
        defined = _find(document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE), mac)
        if defined is not None:
            steps.append(_updating(domain, defined, parts, libvirt.VIR_DOMAIN_AFFECT_CONFIG))

    def change_running() -> None:
        # Only now: a guest that starts later starts with the new definition.
        running = _find(document_of(domain), mac) if domain.isActive() else None
        if running is not None:
            apply_all(list(_live_steps(domain, running, parts)))

    steps.append(Step(apply=change_running, undo=None))
    with needing_parts("change the network interface"):
        apply_all(steps)


def remove_interface(domain: "libvirt.virDomain", mac: str) -> None:
    """Remove an interface, and wait until the guest has released it.

    :raises Busy: a running guest does not; it keeps the interface
    """
    device = Device(label=f"interface {mac}", find=lambda document: _find(document, mac), release=_RELEASE)
    unplug(domain, device)
    # Another client may have started the guest while its definition still had the interface.
    apply_all([undefining(domain, device), Step(apply=lambda: unplug(domain, device), undo=None)])


def _find(document: ET.Element, mac: str) -> ET.Element | None:
    found = [element for element in document.iterfind("devices/interface") if mac_of(element) == mac]
    if len(found) > 1:
        raise Conflict(
            f"the guest has several interfaces {mac}, and libvirt cannot tell which is meant: stop the guest "
            "and remove all but one with virsh"
        )
    return found[0] if found else None


def _find_alias(document: ET.Element, alias: str) -> ET.Element | None:
    return document.find(f"devices/interface/alias[@name='{alias}']/..")


def _reject_taken(domain: "libvirt.virDomain", mac: str, ours: int) -> None:
    for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
        if (
            sum(mac_of(each) == mac for each in document_of(domain, flags).iterfind("devices/interface"))
            > ours
        ):
            raise Conflict.of_mac(mac, domain.name())


def _model(domain: ET.Element) -> str:
    """Return the model of a guest's new interface: that of its first one, which it has a driver for."""
    for interface in domain.iterfind("devices/interface"):
        model = interface.find("model")
        if interface.get("type") in ("network", "bridge") and model is not None:
            return model.get("type", "virtio")
    system, disks = domain.find("os/type"), disk_elements(domain)
    targets = [target.get("bus") for disk in disks[:1] for target in disk.iterfind("target")]
    if targets in ([], ["virtio"]):
        return "virtio"
    return "e1000e" if system is not None and "q35" in system.get("machine", "") else "e1000"


def _live_steps(
    domain: "libvirt.virDomain", running: ET.Element, parts: Mapping[str, ET.Element | None]
) -> Iterator[Step]:
    """Yield a step for each part, since libvirt leaves what it changed before a part that fails."""
    for name in _PARTS:
        if name not in parts:
            continue
        part = {name: parts[name]}
        step = _updating(domain, running, part, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        if name == "bandwidth" and running.find(name) is None:
            step = replace(step, undo=partial(_lift, domain, mac_of(running)))
        elif name == "bandwidth" and parts[name] is None and is_switched(running):
            step = replace(step, apply=partial(_lift, domain, mac_of(running)))
        yield step
        running = _with(running, part)


def _updating(
    domain: "libvirt.virDomain", element: ET.Element, parts: Mapping[str, ET.Element | None], flags: int
) -> Step:
    before, after = (
        ET.tostring(each, encoding="unicode") for each in (_with(element, {}), _with(element, parts))
    )
    return Step(
        apply=_update(domain, after, flags),
        undo=_update(domain, before, flags),
        undoing="changing the network interface back",
    )


def _lift(domain: "libvirt.virDomain", mac: str) -> None:
    """Remove a rate limit that was set in part, or on Open vSwitch.

    An update does not: libvirt's description has no limit, or libvirt only changes the description.
    """
    none = {"inbound.average": 0, "outbound.average": 0}
    domain.setInterfaceParameters(mac, none, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def _update(domain: "libvirt.virDomain", text: str, flags: int) -> Callable[[], None]:
    def update() -> None:
        try:
            domain.updateDeviceFlags(text, flags)
        except libvirt.libvirtError as error:
            reason = error.get_error_message() or ""
            if _NO_QDISC in reason:
                raise OperationNotSupported(
                    "the kernel of the host cannot limit the rate: it needs the modules sch_htb, sch_sfq and "
                    "sch_ingress"
                ) from None
            if _ONLY_STOPPED in reason:
                require_guest_state(domain, "move this network interface of", GuestState.STOPPED)
            raise

    return update


def _with(interface: ET.Element, parts: Mapping[str, ET.Element | None]) -> ET.Element:
    """Return an interface with other parts. How libvirt has plugged it into its network is left out."""
    changed = copy.deepcopy(interface)
    for name, part in parts.items():
        for element in changed.findall(name):
            changed.remove(element)
        if part is not None:
            changed.append(part)
    changed.set("type", kind_of(changed))
    source = changed.find("source")
    if source is not None and changed.get("type") == "network":
        for name in ("portid", "bridge"):
            source.attrib.pop(name, None)
    return changed
