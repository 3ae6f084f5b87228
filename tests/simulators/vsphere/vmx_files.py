"""Configuration files of VMs, as text: ``scsi0:0.fileName = "vm.vmdk"``."""

from typing import TYPE_CHECKING, Any

from pyVmomi import vim

from simulators.vsphere.data import copy
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import full_name
from simulators.vsphere.disk_chains import chain
from simulators.vsphere.files import split_path

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

device = vim.vm.device
#: By type, what a controller's settings begin with, and how it is called.
_CONTROLLERS: tuple[tuple[Any, str, str | None], ...] = (
    (device.ParaVirtualSCSIController, "scsi", "pvscsi"),
    (device.VirtualLsiLogicSASController, "scsi", "lsisas1068"),
    (device.VirtualLsiLogicController, "scsi", "lsilogic"),
    (device.VirtualBusLogicController, "scsi", "buslogic"),
    (device.VirtualAHCIController, "sata", None),
    (device.VirtualNVMEController, "nvme", None),
    (device.VirtualIDEController, "ide", None),
)
_CARDS: tuple[tuple[Any, str], ...] = (
    (device.VirtualVmxnet3, "vmxnet3"),
    (device.VirtualE1000e, "e1000e"),
    (device.VirtualE1000, "e1000"),
    (device.VirtualPCNet32, "vlance"),
)


def configuration_of(simulator: "Simulator", store: Object, path: str) -> Any:
    """Return a copy of what a configuration file contains, whether a VM has it or not."""
    name = full_name(store, path)
    for vm in simulator.database.all(vim.VirtualMachine):
        if vm["config.files.vmPathName"] == name:
            return copy(vm["config"])
    return copy(simulator.files.get(store.id, path).configuration)


def relocate(config: Any, name: str) -> None:
    """Let a configuration be in another file. What was in its folder is in the new one."""
    old, new = (each.rpartition("/")[0] for each in (config.files.vmPathName, name))
    config.files = vim.vm.FileInfo(
        vmPathName=name,
        snapshotDirectory=f"{new}/",
        suspendDirectory=f"{new}/",
        logDirectory=f"{new}/",
    )
    for disk in config.hardware.device:
        if isinstance(disk, device.VirtualDisk):
            for backing in chain(disk.backing):
                folder, _, own = backing.fileName.rpartition("/")
                backing.fileName = f"{new}/{own}" if folder == old else backing.fileName


def vmx_text(simulator: "Simulator", config: Any) -> str:
    """Return the configuration file of a VM."""
    settings = {
        ".encoding": "UTF-8",
        "config.version": "8",
        "virtualHW.version": str(int(config.version.removeprefix("vmx-"))),
        "displayName": config.name,
        "annotation": config.annotation or "",
        "guestOS": config.guestId.removesuffix("Guest").replace("_64", "-64"),
        "memSize": str(config.hardware.memoryMB),
        "numvcpus": str(config.hardware.numCPU),
        "uuid.bios": _uuid(config.uuid),
        "vc.uuid": _uuid(config.instanceUuid),
    }
    if config.firmware == "efi":
        settings["firmware"] = "efi"
    for each in config.hardware.device:
        match each:
            case device.VirtualController():
                settings |= _controller(each)
            case device.VirtualDisk() | device.VirtualCdrom():
                settings |= _drive(simulator, config, each)
            case device.VirtualEthernetCard():
                settings |= _card(simulator, each)
    settings |= {each.key: str(each.value) for each in config.extraConfig if each.key not in settings}
    return "".join(f'{name} = "{_escaped(value)}"\n' for name, value in settings.items())


def _uuid(value: str) -> str:
    digits = value.replace("-", "")
    pairs = [digits[index : index + 2] for index in range(0, 32, 2)]
    return f"{' '.join(pairs[:8])}-{' '.join(pairs[8:])}"


def _escaped(value: str) -> str:
    return "".join(f"|{ord(each):02X}" if each in '"|' or ord(each) < ord(" ") else each for each in value)


def _controller(controller: Any) -> dict[str, str]:
    found = _kind(controller)
    if found is None or found[0] == "ide":
        return {}
    name = f"{found[0]}{controller.busNumber}"
    return {f"{name}.present": "TRUE"} | ({f"{name}.virtualDev": found[1]} if found[1] else {})


def _kind(controller: Any) -> tuple[str, str | None] | None:
    found = ((prefix, name) for kind, prefix, name in _CONTROLLERS if isinstance(controller, kind))
    return next(found, None)


def place_name(config: Any, drive: Any) -> str:
    """Return what the configuration file calls the place of a disk or a drive: ``scsi0:1``."""
    controller = next(each for each in config.hardware.device if each.key == drive.controllerKey)
    found = _kind(controller)
    return f"{found[0] if found else 'none'}{controller.busNumber}:{drive.unitNumber}"


def _drive(simulator: "Simulator", config: Any, drive: Any) -> dict[str, str]:
    controller = next(each for each in config.hardware.device if each.key == drive.controllerKey)
    found = _kind(controller)
    if found is None:
        return {}
    name = place_name(config, drive)
    file_name = getattr(drive.backing, "fileName", None)
    is_disk = isinstance(drive, device.VirtualDisk)
    if is_disk:
        kind = "scsi-hardDisk" if found[0] == "scsi" else "disk"
    else:
        kind = "cdrom-image" if file_name else "atapi-cdrom"
    settings = {f"{name}.present": "TRUE", f"{name}.deviceType": kind}
    settings[f"{name}.fileName"] = (
        _path(simulator, config, file_name) if file_name else drive.backing.deviceName or "auto detect"
    )
    if is_disk and drive.backing.diskMode != "persistent":
        settings[f"{name}.mode"] = drive.backing.diskMode.replace("_", "-")
    if drive.connectable is not None:
        settings[f"{name}.startConnected"] = str(bool(drive.connectable.startConnected)).upper()
    return settings


def _path(simulator: "Simulator", config: Any, name: str) -> str:
    """Return a path relative to the configuration file, or an absolute one if it is elsewhere."""
    folder = config.files.vmPathName.rpartition("/")[0]
    if name.rpartition("/")[0] == folder:
        return name.rpartition("/")[2]
    label, path = split_path(name)
    url: str = simulator.database.by_name(vim.Datastore, label)["info.url"]
    return url.removeprefix("ds://") + path


def _card(simulator: "Simulator", card: Any) -> dict[str, str]:
    name = f"ethernet{card.key - 4_000}"
    settings = {f"{name}.present": "TRUE"}
    found = next((own for kind, own in _CARDS if isinstance(card, kind)), None)
    if found is not None:
        settings[f"{name}.virtualDev"] = found
    port = getattr(card.backing, "port", None)
    if port is None:
        settings[f"{name}.networkName"] = card.backing.deviceName
    else:
        settings |= {f"{name}.dvs.switchId": port.switchUuid, f"{name}.dvs.portgroupId": port.portgroupKey}
    kinds = {"assigned": "vpx", "manual": "static"}
    settings[f"{name}.addressType"] = kinds.get(card.addressType, card.addressType)
    is_manual = card.addressType == "manual"
    settings[f"{name}.{'address' if is_manual else 'generatedAddress'}"] = card.macAddress
    return settings
