"""``OvfManager``: from a descriptor to what is imported."""

import re
from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.inventory.devices import network_backing
from simulators.vsphere.methods import method
from simulators.vsphere.names import stored_name
from simulators.vsphere.ovf_reading import (
    Descriptor,
    InvalidDescriptorError,
    Item,
    invalid,
    missing,
    read,
    size_in_bytes,
)

device = vim.vm.device
Change = device.VirtualDeviceSpec
_PROCESSORS, _MEMORY, _SCSI, _CARD, _DISK, _SATA = 3, 4, 6, 10, 17, 20
#: Floppy and CD drives, video cards and the like, which an imported VM does without.
_LEFT_OUT = {1, 14, 15, 16, 24}
_CONTROLLERS: dict[tuple[int, str], Any] = {
    (_SCSI, ""): device.VirtualLsiLogicController,
    (_SCSI, "lsilogic"): device.VirtualLsiLogicController,
    (_SCSI, "lsilogicsas"): device.VirtualLsiLogicSASController,
    (_SCSI, "buslogic"): device.VirtualBusLogicController,
    (_SCSI, "virtualscsi"): device.ParaVirtualSCSIController,
    (_SATA, "vmware.sata.ahci"): device.VirtualAHCIController,
    (_SATA, "vmware.nvme.controller"): device.VirtualNVMEController,
}
_CARDS: dict[str, Any] = {
    "": device.VirtualVmxnet3,
    "vmxnet3": device.VirtualVmxnet3,
    "e1000": device.VirtualE1000,
    "e1000e": device.VirtualE1000e,
}
_THIN = {"thin", "sparse", "monolithicSparse", "twoGbMaxExtentSparse"}
_PROVISIONING = {*_THIN, "thick", "flat", "eagerZeroedThick", "monolithicFlat", "twoGbMaxExtentFlat"}


@method(vim.OvfManager, "CreateImportSpec")
def create_import_spec(
    call: Call, ovf_descriptor: str, resource_pool: Object, datastore: Object, cisp: Any
) -> Any:
    """Return what to import, which files to send, and what is wrong with the descriptor."""
    host = call.resolve(cisp.hostSystem) if cisp.hostSystem else _host(call, resource_pool)
    if not any(mount.key == host.ref for mount in datastore["host"]):
        raise vim.fault.InvalidDatastore(datastore=datastore.ref, name=datastore["name"])
    result = vim.OvfManager.CreateImportSpecResult()
    try:
        found = read(ovf_descriptor)
        _Import(call, found, cisp, host, datastore).build(result)
    except InvalidDescriptorError as error:
        result.error.append(error.fault)
    return result


def _host(call: Call, pool: Object) -> Object:
    return call.resolve(call.resolve(pool["owner"])["host"][0])


class _Import:
    """A descriptor that becomes a specification."""

    def __init__(self, call: Call, found: Descriptor, params: Any, host: Object, store: Object) -> None:
        self._call = call
        self._found = found
        self._params = params
        self._host = host
        self._name = params.entityName or found.name
        self._spec: Any = vim.vm.ConfigSpec(
            name=self._name,
            files=vim.vm.FileInfo(vmPathName=f"[{store['name']}]"),
            annotation=found.annotation or None,
            guestId=found.guest or "otherGuest",
            firmware="efi" if found.is_efi else "bios",
        )
        #: Controllers by the instance of their item.
        self._controllers: dict[str, Any] = {}
        self._units: dict[str, int] = {}
        self._keys = iter(range(-100, -1_000_000, -1))

    def build(self, result: Any) -> None:
        """Fill in a result.

        :raises InvalidDescriptorError: it cannot be imported
        """
        provisioning = self._params.diskProvisioning
        if provisioning and provisioning not in _PROVISIONING:
            raise InvalidDescriptorError(
                vim.fault.OvfUnsupportedDiskProvisioning(
                    diskProvisioning=provisioning, supportedDiskProvisioning=", ".join(sorted(_PROVISIONING))
                )
            )
        version = self._found.version.split(" ")[0]
        if version and re.match(r"vmx-\d\d\Z", version):
            self._spec.version = version
        elif version:
            raise InvalidDescriptorError(vim.fault.OvfNoSupportedHardwareFamily(version=version))
        for item in sorted(self._found.items, key=lambda each: each.kind in (_CARD, _DISK)):
            self._add(item, result)
        if self._spec.numCPUs is None or self._spec.memoryMB is None:
            kind = _PROCESSORS if self._spec.numCPUs is None else _MEMORY
            raise InvalidDescriptorError(vim.fault.OvfMissingHardware(name=self._name, resourceType=kind))
        result.importSpec = vim.vm.VmImportSpec(configSpec=self._spec)

    def _add(self, item: Item, result: Any) -> None:
        match item.kind:
            case 3:
                self._spec.numCPUs = _number(item, "VirtualQuantity")
                if "CoresPerSocket" in item.values:
                    self._spec.numCoresPerSocket = _number(item, "CoresPerSocket")
            case 4:
                units = item.values.get("AllocationUnits", "byte * 2^20")
                self._spec.memoryMB = size_in_bytes(item.values.get("VirtualQuantity", ""), units) >> 20
            case 5:
                # Every VM has both IDE controllers already.
                number = _number(item, "Address", 0)
                own = device.VirtualIDEController(key=200 + number, busNumber=number)
                self._controllers[item.instance] = own
            case 10:
                self._add_card(item)
            case 17:
                self._add_disk(item, result)
            case kind if (kind, item.values.get("ResourceSubType", "").lower()) in _CONTROLLERS:
                self._add_controller(item)
            case kind:
                fault = vim.fault.OvfUnsupportedType(
                    name=item.values.get("ElementName", ""), instanceId=item.instance, deviceType=kind
                )
                if item.is_required and kind not in _LEFT_OUT:
                    raise InvalidDescriptorError(fault)
                if kind not in _LEFT_OUT:
                    result.warning.append(fault)

    def _add_controller(self, item: Item) -> None:
        kind = _CONTROLLERS[item.kind, item.values.get("ResourceSubType", "").lower()]
        number = sum(item.kind == other[0] for other in self._numbers())
        made = kind(key=next(self._keys), busNumber=number)
        if item.kind == _SCSI:
            made.sharedBus = "noSharing"
        self._controllers[item.instance] = made
        self._spec.deviceChange.append(Change(operation="add", device=made))

    def _numbers(self) -> list[tuple[int, Any]]:
        kinds = {kind: number for (number, _), kind in _CONTROLLERS.items()}
        return [(kinds[type(each)], each) for each in self._controllers.values() if type(each) in kinds]

    def _add_card(self, item: Item) -> None:
        name = item.values.get("Connection", "")
        if name not in self._found.networks:
            raise invalid("Item", "Connection", name)
        mapped = {each.name: each.network for each in self._params.networkMapping}
        kind = _CARDS.get(item.values.get("ResourceSubType", "").lower())
        if kind is None:
            raise invalid("Item", "ResourceSubType", item.values["ResourceSubType"])
        networks = [self._call.resolve(ref) for ref in self._host["network"]]
        if name in mapped:
            network = self._call.resolve(mapped[name])
        else:
            network = next((each for each in networks if each["name"] == name), networks[0])
        backing = network_backing(network)
        if isinstance(backing, device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
            backing.port.portKey = None
        made = kind(key=next(self._keys), backing=backing, addressType="assigned")
        self._spec.deviceChange.append(Change(operation="add", device=made))

    def _add_disk(self, item: Item, result: Any) -> None:
        source = item.values.get("HostResource", "")
        disk = self._found.disks.get(source.rpartition("/")[2])
        if disk is None or "/disk/" not in source:
            raise invalid("Item", "HostResource", source)
        controller = self._controllers.get(item.values.get("Parent", ""))
        if controller is None:
            raise invalid("Item", "Parent", item.values.get("Parent", ""))
        if "capacity" not in disk:
            fault = vim.fault.OvfMissingAttribute(lineNumber=0, elementName="Disk", attributeName="capacity")
            raise InvalidDescriptorError(fault)
        size = size_in_bytes(disk["capacity"], disk.get("capacityAllocationUnits", "byte"))
        unit = _number(item, "AddressOnParent", 0)
        is_thin = (self._params.diskProvisioning or "thick") in _THIN
        backing = device.VirtualDisk.FlatVer2BackingInfo(
            fileName="", diskMode="persistent", thinProvisioned=is_thin
        )
        made = device.VirtualDisk(
            key=next(self._keys),
            controllerKey=controller.key,
            unitNumber=unit,
            capacityInKB=-(-size // 1_024),
            backing=backing,
        )
        self._spec.deviceChange.append(Change(operation="add", fileOperation="create", device=made))
        if "fileRef" in disk:
            kind = type(controller).__name__.rpartition(".")[2]
            key = f"/{stored_name(self._name)}/{kind}{controller.busNumber}:{unit}"
            result.fileItem.append(self._file_item(key, disk["fileRef"]))

    def _file_item(self, key: str, reference: str) -> Any:
        file = self._found.files.get(reference)
        if file is None:
            raise invalid("Disk", "fileRef", reference)
        if "href" not in file:
            raise missing("href")
        numbers = {name: int(file[name]) for name in ("size", "chunkSize") if file.get(name, "").isdigit()}
        # A disk is there once the import has begun: it is overwritten, not created.
        return vim.OvfManager.FileItem(
            deviceId=key,
            path=file["href"],
            compressionMethod=file.get("compression"),
            cimType=_DISK,
            create=False,
            **numbers,
        )


def _number(item: Item, name: str, default: int | None = None) -> int:
    value = item.values.get(name, "" if default is None else str(default))
    if not value.isdigit():
        raise invalid("Item", name, value)
    return int(value)
