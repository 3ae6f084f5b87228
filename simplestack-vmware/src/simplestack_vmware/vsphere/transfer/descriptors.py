"""Descriptors of guests that are exported: as vSphere writes them, for what is sent."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from simplestack import Conflict, HypervisorError, OperationNotSupported, parse_xml, warn
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.inventory.records import VmIdentity
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.leases import LeaseFile

_OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_VMW = "http://www.vmware.com/schema/ovf"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
#: vSphere wants the sizes of files, which are not known yet: they are taken out again.
_UNKNOWN_BYTES = 0

for _prefix, _uri in (
    ("ovf", _OVF),
    ("vmw", _VMW),
    ("rasd", f"{_CIM}/CIM_ResourceAllocationSettingData"),
    ("vssd", f"{_CIM}/CIM_VirtualSystemSettingData"),
):
    ET.register_namespace(_prefix, _uri)


def describe(
    session: VmwareSession, vm: VmIdentity, names: Mapping[str, LeaseFile], chunk_bytes: int
) -> bytes:
    """Return the descriptor of a guest whose disks are sent in chunks.

    It has neither what cloud-init reads in the guest nor other settings that OVF has no words for.

    :param names: the files of the disks, by the names that they get
    :raises Conflict: vSphere cannot describe the guest
    """
    manager = session.api.content.ovfManager
    if manager is None:
        raise OperationNotSupported("this host has no OVF manager")
    files = [
        vim.OvfManager.OvfFile(deviceId=file.key, path=name, size=_UNKNOWN_BYTES, chunkSize=chunk_bytes)
        for name, file in names.items()
    ]
    wanted = vim.OvfManager.CreateDescriptorParams(ovfFiles=files, includeImageFiles=False)
    result = manager.CreateDescriptor(session.vm(vm), wanted)
    if result.error:
        raise Conflict(f"cannot export guest {vm.name!r}: vSphere says {texts_of(result.error)}")
    if result.warning:
        warn(f"vSphere says of the export: {texts_of(result.warning)}")
    return _completed(result.ovfDescriptor, vm.name, len(names))


def _completed(text: str, name: str, files: int) -> bytes:
    """Return a descriptor without the sizes of its files, and with the guest's name as people write it."""
    envelope = parse_xml(text, "vSphere's descriptor of the guest")
    found = envelope.findall(f"{{{_OVF}}}References/{{{_OVF}}}File")
    system = envelope.find(f"{{{_OVF}}}VirtualSystem")
    if len(found) != files or system is None:
        raise HypervisorError("vSphere's descriptor of the guest does not have its disks")
    for file in found:
        file.attrib.pop(f"{{{_OVF}}}size", None)
    title = system.find(f"{{{_OVF}}}Name")
    if title is not None:
        title.text = name
    for parent in list(system.iter()):
        for setting in parent.findall(f"{{{_VMW}}}ExtraConfig"):
            parent.remove(setting)
    document: bytes = ET.tostring(envelope, encoding="utf-8", xml_declaration=True)
    return document


def texts_of(faults: Sequence[Any]) -> str:
    """Return the texts of faults that are part of a result."""
    return "; ".join(_text(fault) for fault in faults)


def _text(fault: Any) -> str:
    return fault.msg or type(fault).__name__.rpartition(".")[2]
