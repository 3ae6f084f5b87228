"""Describe a guest for an appliance: pure functions on libvirt's descriptions."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import get_args

from simplestack.appliances import Appliance, ApplianceDisk, ApplianceInterface, Bus
from simplestack_kvm.libvirtd.firmware.nvram import has_nvram
from simplestack_kvm.libvirtd.guests.records import DiskRecord, domain_record
from simplestack_kvm.libvirtd.guests.templates import FLAG as TEMPLATE
from simplestack_kvm.libvirtd.networks.interface_records import InterfaceRecord, interface_record
from simplestack_kvm.libvirtd.networks.locking import ipv4_allowed, locking_mode

#: libvirt's rates are in KiB/s.
_BITS_IN_KIB = 8192


def appliance_of(
    document: ET.Element, *, tags: Sequence[str], disks: Sequence[ApplianceDisk], nvram_href: str | None
) -> Appliance:
    """Describe a guest.

    :param document: its definition
    :param disks: its disks, as `bus_of` and others describe them
    """
    record = domain_record(document)
    system = document.find("os/type")
    is_efi = has_nvram(document)
    return Appliance(
        name=record.name,
        memory_mib=record.memory_mib,
        cpus=record.cpus,
        firmware="efi" if is_efi else "bios",
        secure_boot=is_efi
        and document.find("os/firmware/feature[@name='enrolled-keys'][@enabled='no']") is None
        and (
            document.find("os/firmware/feature[@name='secure-boot'][@enabled='yes']") is not None
            or document.find("os/loader[@secure='yes']") is not None
        ),
        machine=None if system is None else system.get("machine"),
        arch=None if system is None else system.get("arch"),
        template=document.find(f"metadata/{{{TEMPLATE}}}*") is not None,
        tags=tuple(tags),
        nvram_href=nvram_href,
        description=document.findtext("description", ""),
        disks=tuple(disks),
        interfaces=tuple(
            _interface(element, interface_record(element, position))
            for position, element in enumerate(document.iterfind("devices/interface"))
        ),
        cd_drives=len(document.findall("devices/disk[@device='cdrom']")),
    )


def bus_of(disk: DiskRecord) -> Bus | None:
    """Return the bus of a disk, if appliances have a word for it."""
    return next((bus for bus in get_args(Bus) if bus == disk.bus), None)


def controller_of(document: ET.Element, element: ET.Element) -> str | None:
    """Return the model of the SCSI controller that a ``<disk>`` is on; None of one on another bus."""
    target, address = element.find("target"), element.find("address")
    if target is None or target.get("bus") != "scsi":
        return None
    index = "0" if address is None else address.get("controller", "0")
    controller = document.find(f"devices/controller[@type='scsi'][@index='{index}']")
    return None if controller is None else controller.get("model")


def filters_of_others(document: ET.Element) -> list[str]:
    """Return the addresses of interfaces with a filter that Simplestack did not set: it stays on the host."""
    records = [interface_record(element, 0) for element in document.iterfind("devices/interface")]
    return [record.mac for record in records if record.filter is not None and locking_mode(record) is None]


def _interface(element: ET.Element, record: InterfaceRecord) -> ApplianceInterface:
    model = element.find("model")
    mode = locking_mode(record)
    return ApplianceInterface(
        network=record.network,
        mac=record.mac or None,
        model=None if model is None else model.get("type", "").lower() or None,
        active=record.is_up,
        ratelimit=None if not record.rate_kib else record.rate_kib * _BITS_IN_KIB,
        locking_mode="locked" if mode == "locked" else "disabled" if mode == "disabled" else None,
        ipv4_allowed=tuple(ipv4_allowed(record)) if mode in ("locked", "disabled") else (),
    )
