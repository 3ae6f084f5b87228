"""Create the guest that an appliance describes."""

import uuid
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Protocol

from simplestack import InvalidArguments, warn
from simplestack.appliances import Appliance
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.changes.undo import apply_all
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.firmware.firmware import require_uefi
from simplestack_kvm.libvirtd.firmware.nvram import write_nvram
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource, host_kind
from simplestack_kvm.libvirtd.guests.naming import define_guest
from simplestack_kvm.libvirtd.guests.templates import remove_mark, setting
from simplestack_kvm.libvirtd.transfer.appliance_ports import find_ports
from simplestack_kvm.libvirtd.transfer.appliance_xml import describe_appliance
from simplestack_kvm.libvirtd.transfer.image_imports import Destination, DiskImports, require_time
from simplestack_kvm.sdk import libvirt

#: QEMU's word for the newest machine of a family, by a part of the names of all of them.
_FAMILIES = {"q35": "q35", "i440fx": "pc"}


class Content(Protocol):
    """The disks of an appliance."""

    def read_disks(self, imports: DiskImports) -> list[VolumeSource]:
        """Make the volumes of all disks, in the order of the guest's devices."""
        ...

    @property
    def nvram(self) -> bytes | None:
        """The UEFI variables, once the disks are read; None for those that libvirt makes."""
        ...


def create_guest(
    session: KvmSession, made: Leftovers, destination: Destination, appliance: Appliance, content: Content
) -> "libvirt.virDomain":
    """Create a guest. What can be checked is checked before its disks are read.

    :raises InvalidArguments: the guest has no memory, a name that libvirt cannot keep, or a network that is
        not there; also what reading the disks raises
    :raises NotImplementedError: the guest boots by UEFI, and the host has no firmware for that
    """
    if appliance.memory_mib is None:
        raise InvalidArguments("the appliance does not say how much memory its guest has: add `?memory=1024`")
    capabilities = parse_document(session.connection.getCapabilities())
    host = host_kind(capabilities, session.settings.virtualization)
    if appliance.arch not in (None, host.arch):
        raise InvalidArguments(
            f"the guest is for {appliance.arch}, and the host is {host.arch}: choose another host"
        )
    appliance = replace(appliance, machine=_machine(appliance.machine, capabilities, host.arch))
    if appliance.firmware == "efi":
        require_uefi(session, host)
    ports = find_ports(session, appliance)
    guest_id = str(uuid.uuid4())
    sources = content.read_disks(
        DiskImports(session=session, made=made, destination=destination, guest_id=guest_id)
    )
    document = describe_appliance(appliance, guest_id, host, sources, ports)
    if appliance.firmware == "efi":
        write_nvram(session, made, document, content.nvram)
    require_time()
    made.add_domain(guest_id, appliance.name)
    domain = define_guest(session, ET.tostring(document, encoding="unicode"), guest_id, appliance.name)
    if appliance.template:
        made.add("the mark of the template", lambda _: remove_mark(session, guest_id))
        apply_all(setting(session, domain, template=True))
    return domain


def _machine(name: str | None, capabilities: ET.Element, arch: str) -> str | None:
    """Return the machine of a guest: the newest of its family where the host does not have its own.

    :raises InvalidArguments: the host has none of the family
    """
    here = {machine.text for machine in capabilities.iterfind(f"guest/arch[@name='{arch}']//machine")}
    if name is None or name in here:
        return name
    for family, newest in _FAMILIES.items():
        if family in name and newest in here:
            warn(f"the guest gets the machine {newest}, since the host's QEMU does not have {name}")
            return newest
    raise InvalidArguments(
        f"the guest needs the machine {name}, which the host's QEMU does not have: choose another host"
    )
