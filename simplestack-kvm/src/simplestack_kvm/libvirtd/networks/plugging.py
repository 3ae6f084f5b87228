"""Attach devices to running and stopped guests, and detach them."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from simplestack import Busy, Conflict, GuestState, InvalidState
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.changes.undo import Step
from simplestack_kvm.libvirtd.guests.domain_xml import HOTPLUG_BUSES
from simplestack_kvm.libvirtd.guests.domains import (
    document_of,
    modification_flags,
    require_guest_state,
    state_of,
    wait_until,
)
from simplestack_kvm.libvirtd.guests.records import DiskRecord, disk_elements, disk_records
from simplestack_kvm.sdk import libvirt

#: How long a guest may take to release a device, and how often it is checked.
DETACH_SECONDS = 20.0
DETACH_AGAIN_SECONDS = 5.0
#: The attempt in errors about the guest's state.
REMOVAL = "delete a disk of"


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A device of a guest that is to be removed."""

    #: For people, such as ``disk vda``.
    label: str
    #: Returns it from a description of the domain; None from one without it.
    find: Callable[[ET.Element], ET.Element | None]
    #: What to do if the guest does not let go.
    release: str
    #: The bus of a disk.
    bus: str | None = None


def disk_device(disk: DiskRecord) -> Device:
    """Return a disk as a device."""
    return Device(
        label=f"disk {disk.target}",
        find=lambda document: _disk_element(document, disk),
        release="unmount it in the guest",
        bus=disk.bus,
    )


def reject_saved(domain: "libvirt.virDomain", attempt: str) -> None:
    """Reject a change of the hardware of a guest that is saved to disk with the hardware that it had.

    :param attempt: what was tried with it, such as ``add a disk to``
    :raises InvalidState: it is
    """
    if not domain.isActive():
        require_guest_state(domain, attempt, GuestState.STOPPED)


def reject_cold_bus(domain: "libvirt.virDomain", attempt: str, bus: str) -> None:
    """Reject a disk on a bus that takes and releases none while the guest runs.

    :param attempt: as for :func:`reject_saved`
    :raises InvalidState: the guest runs, and the bus is such a one
    """
    if domain.isActive() and bus not in HOTPLUG_BUSES:
        raise InvalidState(
            f"{attempt} guest {domain.name()!r}, whose disks are on its {bus} bus,",
            state_of(domain),
            GuestState.STOPPED,
        )


def attach(domain: "libvirt.virDomain", device: ET.Element) -> None:
    """Attach a device to a guest: to the running guest, and to its definition.

    :param device: its ``<disk>`` or ``<interface>``
    :raises Conflict: the guest has no free device
    """
    try:
        domain.attachDeviceFlags(ET.tostring(device, encoding="unicode"), modification_flags(domain))
    except libvirt.libvirtError as error:
        # An "internal error", as so much is.
        if "No more available PCI" in (error.get_error_message() or ""):
            raise Conflict(
                "the guest has no free device: stop it first, or delete a disk or a network interface"
            ) from None
        raise


def undefining(domain: "libvirt.virDomain", device: Device) -> Step:
    """Return the step that removes a device from a guest's definition."""
    elements = []
    if domain.isPersistent():
        element = device.find(document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE))
        elements = [] if element is None else [ET.tostring(element, encoding="unicode")]

    def detach() -> None:
        for text in elements:
            domain.detachDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    def attach() -> None:
        defined = device.find(document_of(domain, libvirt.VIR_DOMAIN_XML_INACTIVE))
        for text in elements:
            if defined is None:
                domain.attachDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    return Step(apply=detach, undo=attach, undoing=f"adding {device.label} to the guest's definition again")


def unplug(domain: "libvirt.virDomain", device: Device) -> None:
    """Detach a device from a running guest.

    libvirt reports success after 5 s though the guest still has it; only its description tells. So the
    definition is changed later, and a guest that does not let go is left as it was.
    """
    if not domain.isActive():
        return
    rounds = int(DETACH_SECONDS / DETACH_AGAIN_SECONDS)
    for number in range(rounds):
        element = device.find(document_of(domain))
        if element is None:
            return
        if device.bus is not None:
            reject_cold_bus(domain, REMOVAL, device.bus)
        try:
            domain.detachDeviceFlags(ET.tostring(element, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as error:
            # QEMU rejects another attempt while it waits for the guest. The first rejection is a real one.
            if number == 0 or not has_reason(error):
                raise
        if wait_until(lambda: device.find(document_of(domain)) is None, DETACH_AGAIN_SECONDS):
            return
    raise Busy(
        f"the guest does not release {device.label}: {device.release}, or stop the guest, and try again"
    )


def _disk_element(document: ET.Element, disk: DiskRecord) -> ET.Element | None:
    """Find a disk in a description.

    :raises Conflict: another one has its device: somebody changed it, or took a snapshot that is based on it
    """
    for element, record in zip(disk_elements(document), disk_records(document), strict=True):
        if record.target != disk.target:
            continue
        if record.source != disk.source:
            raise Conflict(
                f"disk {disk.target} was replaced by another client, now or for the next start: list the "
                "disks again, and stop the guest if it runs"
            )
        return element
    return None
