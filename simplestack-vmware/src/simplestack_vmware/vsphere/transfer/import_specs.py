"""Specifications of guests that are imported, as vSphere makes them of descriptors.

A descriptor may come from anybody. What it says of settings that OVF has no words for, and of files and
devices of hosts, is left out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from simplestack import InvalidArguments, OperationNotSupported, warn
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.guests.placement import Place
from simplestack_vmware.vsphere.inventory.names import encoded
from simplestack_vmware.vsphere.inventory.records import NetworkRecord
from simplestack_vmware.vsphere.media.drives import drive_backing
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.descriptors import texts_of
from simplestack_vmware.vsphere.transfer.nvram import is_nvram

_MAX_NAMED = 5


class Specification(NamedTuple):
    """What is imported."""

    spec: Any
    #: The device of each disk's file, without the guest's name.
    devices: dict[str, str]
    #: Name of the file with the UEFI variables; None if there is none.
    nvram_href: str | None

    @property
    def config(self) -> Any:
        """The configuration of the VM."""
        return self.spec.configSpec


def specify(
    session: VmwareSession,
    document: str,
    name: str,
    place: Place,
    mapping: Sequence[tuple[str, NetworkRecord]],
) -> Specification:
    """Let vSphere make a specification of a descriptor.

    :param mapping: the networks of the descriptor by their names there; all of them, since vSphere puts
        others somewhere
    :raises InvalidArguments: vSphere cannot import it
    """
    manager = session.api.content.ovfManager
    if manager is None:
        raise OperationNotSupported("this host has no OVF manager")
    datastore = place.datastore
    assert datastore is not None  # noqa: S101  for the type checker: it is not that of a copy
    networks = [
        vim.OvfManager.NetworkMapping(name=text, network=session.api.object(network.ref))
        for text, network in mapping
    ]
    wanted = vim.OvfManager.CreateImportSpecParams(
        locale="",
        deploymentOption="",
        entityName=encoded(name),
        hostSystem=session.api.object(place.host),
        networkMapping=networks,
        diskProvisioning="thin",
    )
    pool, store = session.api.object(place.pool), session.api.object(datastore.ref)
    result = manager.CreateImportSpec(document, pool, store, wanted)
    if result.error:
        raise InvalidArguments(f"vSphere cannot import the appliance: {texts_of(result.error)}")
    if result.warning:
        warn(f"vSphere says of the appliance: {texts_of(result.warning)}")
    if not isinstance(result.importSpec, vim.vm.VmImportSpec):
        raise InvalidArguments("the appliance has several guests: export them one by one")
    config = result.importSpec.configSpec
    config.name = encoded(name)
    config.uuid = None
    config.files = vim.vm.FileInfo(vmPathName=f"[{datastore.stored_name}]")
    _leave_out_settings(config)
    _leave_out_devices(config)
    variables = [item.path for item in result.fileItem if is_nvram(item.deviceId)]
    files = [item for item in result.fileItem if not is_nvram(item.deviceId)]
    devices = {item.path: device_of(item.deviceId) for item in files}
    return Specification(result.importSpec, devices, variables[0] if variables else None)


def device_of(key: str) -> str:
    """Return the device in a key of a lease or a descriptor: ``ParaVirtualSCSIController0:0``."""
    return key.rpartition("/")[2]


def cards_of(config: Any) -> list[Any]:
    """Return the network cards of a configuration, in their order."""
    card = vim.vm.device.VirtualEthernetCard
    return [each.device for each in config.deviceChange if isinstance(each.device, card)]


def _leave_out_settings(config: Any) -> None:
    # What names the file of UEFI variables is none of them: vSphere chooses the path in the datastore.
    names = [option.key for option in config.extraConfig if option.key != "nvram"]
    config.extraConfig = []
    if names:
        some = ", ".join(map(repr, names[:_MAX_NAMED]))
        warn(f"not imported: {len(names)} settings that OVF has no words for, such as {some}")


def _leave_out_devices(config: Any) -> None:
    """Leave out what is of a host, such as serial ports in files, and empty the drives."""
    device = vim.vm.device
    outside = (
        *(device.VirtualSerialPort, device.VirtualParallelPort, device.VirtualPCIPassthrough),
        *(device.VirtualSCSIPassthrough, device.VirtualUSB),
    )
    kept = []
    for change in config.deviceChange:
        found = change.device
        if isinstance(found, outside):
            warn(f"not imported: a {type(found).__name__.rpartition('.')[2]}, which is of a host")
            continue
        if isinstance(found, device.VirtualDisk):
            if not isinstance(found.backing, device.VirtualDisk.FlatVer2BackingInfo):
                raise InvalidArguments(
                    "the appliance has a disk that is no file: export it with files of all disks"
                )
            found.backing.fileName = ""
        elif isinstance(found, device.VirtualCdrom):
            found.backing = drive_backing(None)
        elif isinstance(found, device.VirtualFloppy):
            found.backing = device.VirtualFloppy.RemoteDeviceBackingInfo(deviceName="")
        kept.append(change)
    config.deviceChange = kept
