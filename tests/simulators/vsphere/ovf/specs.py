"""From OVF descriptors to what is imported."""

import itertools
import re
from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.hardware.placement import BUSES, bus_of
from simulators.vsphere.inventory.devices import network_backing
from simulators.vsphere.names import stored_name
from simulators.vsphere.ovf.hardware import Resource, card_of, controller_of
from simulators.vsphere.ovf.reading import (
    Descriptor,
    InvalidDescriptorError,
    Item,
    invalid,
    missing,
    number_of,
    size_in_bytes,
)

device = vim.vm.device
Change = device.VirtualDeviceSpec
#: Drives, video cards and the like, which an imported VM does without.
_LEFT_OUT = {
    *(Resource.OTHER, Resource.FLOPPY_DRIVE, Resource.CD_DRIVE, Resource.DVD_DRIVE, Resource.VIDEO_CARD),
}
#: Settings of the hardware that are switches.
_SWITCHES = ("cpuHotAddEnabled", "memoryHotAddEnabled")
_FILE = "ovf:/file/"
_THIN = {"thin", "sparse", "monolithicSparse", "twoGbMaxExtentSparse"}
_PROVISIONING = {*_THIN, "thick", "flat", "eagerZeroedThick", "monolithicFlat", "twoGbMaxExtentFlat"}


class Import:
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
            firmware="efi" if found.settings.get("firmware") == "efi" else "bios",
            **{name: True for name in _SWITCHES if found.settings.get(name) == "true"},
        )
        #: Controllers by the instance of their item.
        self._controllers: dict[str, Any] = {}
        #: The units that disks have, by the instance of their controller.
        self._units: dict[str, set[int]] = {}
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
        for item in sorted(self._found.items, key=lambda each: each.kind in (Resource.CARD, Resource.DISK)):
            self._add(item, result)
        if self._spec.numCPUs is None or self._spec.memoryMB is None:
            kind = Resource.PROCESSORS if self._spec.numCPUs is None else Resource.MEMORY
            fault = vim.fault.OvfMissingHardware(name=self._name, resourceType=int(kind))
            raise InvalidDescriptorError(fault)
        for value in self._found.nvram:
            self._add_nvram(value, result)
        result.importSpec = vim.vm.VmImportSpec(configSpec=self._spec)

    def _add(self, item: Item, result: Any) -> None:
        match item.kind:
            case Resource.PROCESSORS:
                self._spec.numCPUs = number_of(item, "VirtualQuantity")
                if "CoresPerSocket" in item.values:
                    self._spec.numCoresPerSocket = number_of(item, "CoresPerSocket")
            case Resource.MEMORY:
                units = item.values.get("AllocationUnits", "byte * 2^20")
                size = size_in_bytes(item.values.get("VirtualQuantity", ""), units, "Item", "VirtualQuantity")
                self._spec.memoryMB = size >> 20
            case Resource.IDE_CONTROLLER:
                # Every VM has both IDE controllers already.
                number = number_of(item, "Address", 0)
                own = device.VirtualIDEController(key=200 + number, busNumber=number)
                self._controllers[item.instance] = own
            case Resource.CARD:
                self._add_card(item)
            case Resource.DISK:
                self._add_disk(item, result)
            case kind:
                controller = controller_of(kind, item.values.get("ResourceSubType", ""))
                if controller is not None:
                    self._add_controller(item, controller)
                elif kind not in _LEFT_OUT:
                    self._reject(item, result)

    def _reject(self, item: Item, result: Any) -> None:
        fault = vim.fault.OvfUnsupportedType(
            name=item.values.get("ElementName", ""), instanceId=item.instance, deviceType=item.kind
        )
        if item.is_required:
            raise InvalidDescriptorError(fault)
        result.warning.append(fault)

    def _add_controller(self, item: Item, kind: Any) -> None:
        made = kind(key=next(self._keys))
        bus = bus_of(made)
        made.busNumber = sum(bus_of(each) is bus for each in self._controllers.values())
        if item.kind == Resource.SCSI_CONTROLLER:
            made.sharedBus = "noSharing"
        self._controllers[item.instance] = made
        self._spec.deviceChange.append(Change(operation="add", device=made))

    def _add_card(self, item: Item) -> None:
        name = item.values.get("Connection", "")
        if name not in self._found.networks:
            raise invalid("Item", "Connection", name)
        mapped = {each.name: each.network for each in self._params.networkMapping}
        kind = card_of(item.values.get("ResourceSubType", ""))
        if kind is None:
            raise invalid("Item", "ResourceSubType", item.values["ResourceSubType"])
        network = self._call.resolve(mapped[name]) if name in mapped else self._network(name)
        backing = network_backing(network)
        if isinstance(backing, device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
            backing.port.portKey = None
        made = kind(key=next(self._keys), backing=backing, addressType="assigned")
        self._spec.deviceChange.append(Change(operation="add", device=made))

    def _network(self, name: str) -> Object:
        """Return the network of a name, or else the host's first."""
        networks = [self._call.resolve(ref) for ref in self._host["network"]]
        if not networks:
            raise InvalidDescriptorError(vim.fault.OvfNoHostNic())
        stored = stored_name(name)
        return next((each for each in networks if each["name"] == stored), networks[0])

    def _add_disk(self, item: Item, result: Any) -> None:
        source = item.values.get("HostResource", "")
        disk = self._found.disks.get(source.rpartition("/")[2])
        if disk is None or "/disk/" not in source:
            raise invalid("Item", "HostResource", source)
        controller = self._controllers.get(parent := item.values.get("Parent", ""))
        if controller is None:
            raise invalid("Item", "Parent", parent)
        if "capacity" not in disk:
            fault = vim.fault.OvfMissingAttribute(lineNumber=0, elementName="Disk", attributeName="capacity")
            raise InvalidDescriptorError(fault)
        units = disk.get("capacityAllocationUnits", "byte")
        size = size_in_bytes(disk["capacity"], units, "Disk", "capacity")
        unit = self._unit(item, controller)
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

    def _add_nvram(self, value: str, result: Any) -> None:
        """Add the file of the firmware's settings: a file of the package, or one in a datastore."""
        if not value.startswith(_FILE):
            self._spec.extraConfig.append(vim.option.OptionValue(key="nvram", value=value))
            return
        item = self._file_item(f"/{stored_name(self._name)}/nvram", value.removeprefix(_FILE))
        item.create, item.cimType = True, int(Resource.OTHER)
        result.fileItem.append(item)

    def _unit(self, item: Item, controller: Any) -> int:
        """Return where a disk goes on its controller: where it says, or the first free place."""
        bus = bus_of(controller) or BUSES[0]
        taken = self._units.setdefault(item.values["Parent"], set())
        free = next(each for each in itertools.count() if each not in {*taken, bus.reserved})
        unit = number_of(item, "AddressOnParent", free)
        taken.add(unit)
        return unit

    def _file_item(self, key: str, reference: str) -> Any:
        file = self._found.files.get(reference)
        if file is None:
            raise invalid("Disk", "fileRef", reference)
        if "href" not in file:
            raise missing("href")
        numbers = {name: int(file[name]) for name in ("size", "chunkSize") if file.get(name, "").isdecimal()}
        # A disk is there once the import has begun: it is overwritten, not created.
        return vim.OvfManager.FileItem(
            deviceId=key,
            path=file["href"],
            compressionMethod=file.get("compression"),
            cimType=int(Resource.DISK),
            create=False,
            **numbers,
        )
