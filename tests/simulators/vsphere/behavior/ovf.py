"""``OvfManager``: from a descriptor to what is imported, and from a VM to its descriptor."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.behavior.leases import disk_key
from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import disks_of
from simulators.vsphere.inventory.devices import cards_of
from simulators.vsphere.methods import method
from simulators.vsphere.ovf.reading import InvalidDescriptorError, read, size_in_bytes
from simulators.vsphere.ovf.specs import Import
from simulators.vsphere.ovf.writing import Source, write
from simulators.vsphere.schema import Long

_Iso = vim.vm.device.VirtualCdrom.IsoBackingInfo


@method(vim.OvfManager, "CreateImportSpec")
def create_import_spec(
    call: Call, ovf_descriptor: str, resource_pool: Object, datastore: Object, cisp: Any
) -> Any:
    """Return what to import, which files to send, and what is wrong with the descriptor."""
    host = call.resolve(cisp.hostSystem or call.resolve(resource_pool["owner"])["host"][0])
    if not any(mount.key == host.ref for mount in datastore["host"]):
        raise vim.fault.InvalidDatastore(datastore=datastore.ref, name=datastore["name"])
    result = vim.OvfManager.CreateImportSpecResult()
    try:
        Import(call, read(ovf_descriptor), cisp, host, datastore).build(result)
    except InvalidDescriptorError as error:
        result.error.append(error.fault)
    return result


@method(vim.OvfManager, "ParseDescriptor")
def parse_descriptor(call: Call, ovf_descriptor: str, pdp: Any) -> Any:
    """Return what a client must know of a descriptor before it is imported."""
    result: Any = vim.OvfManager.ParseDescriptorResult(
        annotation="", defaultEntityName="", virtualApp=False, defaultDeploymentOption=""
    )
    try:
        found = read(ovf_descriptor)
        sizes = [
            size_in_bytes(each["capacity"], each.get("capacityAllocationUnits", "byte"), "Disk", "capacity")
            for each in found.disks.values()
            if "capacity" in each
        ]
    except InvalidDescriptorError as error:
        result.error.append(error.fault)
        return result
    result.annotation, result.defaultEntityName = found.annotation, found.name
    result.network = [
        vim.OvfManager.NetworkInfo(name=name, description=text) for name, text in found.networks.items()
    ]
    result.approximateFlatDeploymentSize = Long(sum(sizes))
    known = [int(each["size"]) for each in found.files.values() if each.get("size", "").isdecimal()]
    result.approximateDownloadSize = Long(sum(known)) if len(known) == len(found.files) else None
    return result


@method(vim.OvfManager, "CreateDescriptor")
def create_descriptor(call: Call, obj: Object, cdp: Any) -> Any:
    """Return the descriptor of a VM, or of a snapshot of it.

    Its disks are those that have been fetched, or all if nothing is told of files.
    """
    if not issubclass(obj.kind, vim.VirtualMachine):
        raise vmodl.fault.NotSupported
    if cdp.includeImageFiles:
        raise vmodl.fault.NotImplemented(msg="The simulator does not export the images in drives.")
    config = _config(call, obj, cdp.snapshot)
    result = vim.OvfManager.CreateDescriptorResult(ovfDescriptor="")
    result.includeImageFiles = any(isinstance(each.backing, _Iso) for each in config.hardware.device)
    keys = {f"/{obj.id}/{disk_key(config, disk)}": disk.key for disk in disks_of(config)}
    files = {keys[each.deviceId]: each for each in cdp.ovfFiles if each.deviceId in keys}
    own_nvram = f"/{obj.id}/nvram"
    if any(each.deviceId not in keys and each.deviceId != own_nvram for each in cdp.ovfFiles):
        result.error.append(vim.fault.OvfExportFailed())
        return result
    name = obj["name"]
    result.ovfDescriptor = write(
        Source(
            name=name,
            identity=cdp.name or name,
            annotation=config.annotation or "" if cdp.description is None else cdp.description,
            config=config,
            files=files,
            nvram=next((each for each in cdp.ovfFiles if each.deviceId == own_nvram), None),
            disks=frozenset(files if cdp.ovfFiles else keys.values()),
            networks={card.key: _network_name(call, card) for card in cards_of(config)},
        )
    )
    return result


def _config(call: Call, vm: Object, ref: Any) -> Any:
    if ref is None:
        return vm["config"]
    snapshot = call.resolve(ref)
    if snapshot["vm"] != vm.ref:
        raise vmodl.fault.InvalidArgument(invalidProperty="cdp.snapshot")
    return snapshot["config"]


def _network_name(call: Call, card: Any) -> str:
    port = getattr(card.backing, "port", None)
    if port is None:
        return str(card.backing.deviceName)
    group = call.database.find(port.portgroupKey)
    return str(port.portgroupKey if group is None else group["name"])
