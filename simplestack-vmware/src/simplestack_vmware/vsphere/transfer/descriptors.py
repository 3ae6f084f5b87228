"""Descriptors of guests that are exported: as vSphere writes them, for what is sent."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from simplestack import Conflict, HypervisorError, OperationNotSupported, parse_xml, warn
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.inventory.records import VmIdentity
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.leases import LeaseFile
from simplestack_vmware.vsphere.transfer.nvram import Nvram

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


class Description(NamedTuple):
    """The descriptor of a guest."""

    document: bytes
    #: Whether it tells of the UEFI variables.
    has_nvram: bool


def describe(
    session: VmwareSession,
    vm: VmIdentity,
    names: Mapping[str, LeaseFile],
    chunk_bytes: int,
    nvram: Nvram | None,
) -> Description:
    """Return the descriptor of a guest whose disks are sent in chunks.

    It has neither what cloud-init reads in the guest nor other settings that OVF has no words for, but that
    which names the file of the UEFI variables.

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
    if nvram is not None:
        size_bytes = len(nvram.content)
        files.append(vim.OvfManager.OvfFile(deviceId=nvram.file.key, path=nvram.name, size=size_bytes))
    wanted = vim.OvfManager.CreateDescriptorParams(ovfFiles=files, includeImageFiles=False)
    result = manager.CreateDescriptor(session.vm(vm), wanted)
    if result.error:
        raise Conflict(f"cannot export guest {vm.name!r}: vSphere says {texts_of(result.error)}")
    if result.warning:
        warn(f"vSphere says of the export: {texts_of(result.warning)}")
    return _completed(result.ovfDescriptor, vm.name, names, None if nvram is None else nvram.name)


def _completed(text: str, name: str, disks: Collection[str], nvram: str | None) -> Description:
    """Return a descriptor without the sizes of disks, and with the guest's name as people write it."""
    envelope = parse_xml(text, "vSphere's descriptor of the guest")
    listed = envelope.findall(f"{{{_OVF}}}References/{{{_OVF}}}File")
    found = {file.get(f"{{{_OVF}}}href"): file for file in listed}
    system = envelope.find(f"{{{_OVF}}}VirtualSystem")
    has_nvram = nvram is not None and nvram in found
    if found.keys() - {nvram} != set(disks) or system is None:
        raise HypervisorError("vSphere's descriptor of the guest does not have its disks")
    for disk in disks:
        found[disk].attrib.pop(f"{{{_OVF}}}size", None)
    title = system.find(f"{{{_OVF}}}Name")
    if title is not None:
        title.text = name
    for parent in list(system.iter()):
        for setting in parent.findall(f"{{{_VMW}}}ExtraConfig"):
            if not (has_nvram and setting.get(f"{{{_VMW}}}key") == "nvram"):
                parent.remove(setting)
    return Description(ET.tostring(envelope, encoding="utf-8", xml_declaration=True), has_nvram)


def texts_of(faults: Sequence[Any]) -> str:
    """Return the texts of faults that are part of a result."""
    return "; ".join(_text(fault) for fault in faults)


def _text(fault: Any) -> str:
    return fault.msg or type(fault).__name__.rpartition(".")[2]
