"""Virtual devices, with the keys that vSphere gives them."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.data import make
from simulators.vsphere.database import Object

device = vim.vm.device
IDE_KEY, SCSI_KEY, CD_KEY, DISK_KEY, NIC_KEY = 200, 1000, 3000, 2000, 4000
_PCI_KEY, _SUPER_IO_KEY = 100, 400
_KIB = 1024
#: The key of the port that VMs have with which the simulator begins.
FIRST_PORT = "1"
#: pyVmomi looks nested types up each time that they are named, which is slow.
_Description = vim.Description
_ConnectInfo = device.VirtualDevice.ConnectInfo
_DiskBacking = device.VirtualDisk.FlatVer2BackingInfo
_CdBacking = device.VirtualCdrom.RemotePassthroughBackingInfo
_NetworkBacking = device.VirtualEthernetCard.NetworkBackingInfo
_PortBacking = device.VirtualEthernetCard.DistributedVirtualPortBackingInfo
_NO_SHARING = device.VirtualSCSIController.Sharing.noSharing
_NORMAL = vim.SharesInfo.Level.normal


def fixed_devices() -> list[Any]:
    """Return the devices that every VM has: controllers, keyboard, mouse, video card."""
    ps2 = 300
    video = make(
        device.VirtualVideoCard,
        key=500,
        deviceInfo=_described("Video card ", "Video card"),
        controllerKey=_PCI_KEY,
        unitNumber=0,
        videoRamSizeInKB=4_096,
        numDisplays=1,
    )
    return [
        _controller(device.VirtualIDEController, IDE_KEY, 0, "IDE 0"),
        _controller(device.VirtualIDEController, IDE_KEY + 1, 1, "IDE 1"),
        _controller(device.VirtualPS2Controller, ps2, 0, "PS2 controller 0", [600, 700]),
        _controller(device.VirtualPCIController, _PCI_KEY, 0, "PCI controller 0", [500, 12_000]),
        _controller(device.VirtualSIOController, _SUPER_IO_KEY, 0, "SIO controller 0"),
        _input(device.VirtualKeyboard, 600, ps2, 0, "Keyboard"),
        _input(device.VirtualPointingDevice, 700, ps2, 1, "Pointing device"),
        video,
        make(
            device.VirtualVMCIDevice,
            key=12_000,
            deviceInfo=_described("VMCI device", "Device on the virtual machine PCI bus"),
            controllerKey=_PCI_KEY,
            unitNumber=17,
            id=-1,
        ),
    ]


def scsi_controller(number: int = 0) -> Any:
    """Return a paravirtual SCSI controller, which takes unit 7 itself."""
    made = _controller(
        device.ParaVirtualSCSIController, SCSI_KEY + number, number, f"SCSI controller {number}"
    )
    made.controllerKey, made.unitNumber = _PCI_KEY, 3 + number
    made.sharedBus = _NO_SHARING
    made.scsiCtlrUnitNumber, made.hotAddRemove = 7, True
    return made


def disk(unit: int, size: int, file_name: str, datastore: Object, identity: str) -> Any:
    """Return a thin disk on the first SCSI controller.

    :param size: in bytes
    :param file_name: ``[datastore] folder/name.vmdk``
    """
    backing = make(
        _DiskBacking,
        fileName=file_name,
        datastore=datastore.ref,
        diskMode="persistent",
        thinProvisioned=True,
        uuid=identity,
        sharing="sharingNone",
    )
    return make(
        device.VirtualDisk,
        key=DISK_KEY + unit,
        deviceInfo=_described(f"Hard disk {unit + 1}", f"{size // _KIB:,} KB"),
        backing=backing,
        controllerKey=SCSI_KEY,
        unitNumber=unit,
        capacityInKB=size // _KIB,
        capacityInBytes=size,
        shares=make(vim.SharesInfo, shares=1_000, level=_NORMAL),
    )


def cd_drive() -> Any:
    """Return an empty CD drive on the first IDE controller."""
    return make(
        device.VirtualCdrom,
        key=CD_KEY,
        deviceInfo=_described("CD/DVD drive 1", "Remote device"),
        backing=make(
            _CdBacking,
            deviceName="",
            exclusive=False,
            useAutoDetect=False,
        ),
        connectable=connectable(starts_connected=False),
        controllerKey=IDE_KEY,
        unitNumber=0,
    )


def network_card(index: int, network: Object, mac: str) -> Any:
    """Return a vmxnet3 card in a standard or distributed port group."""
    return make(
        device.VirtualVmxnet3,
        key=NIC_KEY + index,
        deviceInfo=_described(f"Network adapter {index + 1}", str(network["name"])),
        backing=network_backing(network),
        connectable=connectable(starts_connected=True),
        controllerKey=_PCI_KEY,
        unitNumber=7 + index,
        addressType="generated" if mac.startswith("00:0c:29:") else "assigned",
        macAddress=mac,
        wakeOnLanEnabled=True,
    )


def cards_of(config: Any) -> list[Any]:
    """Return the network cards of a configuration."""
    return [each for each in config.hardware.device if isinstance(each, device.VirtualEthernetCard)]


def network_backing(network: Object) -> Any:
    """Return what a card in a network is connected to."""
    if issubclass(network.kind, vim.dvs.DistributedVirtualPortgroup):
        switch = network.database.get(network["config.distributedVirtualSwitch"])
        port = make(
            vim.dvs.PortConnection, switchUuid=switch["uuid"], portgroupKey=network["key"], portKey=FIRST_PORT
        )
        return make(_PortBacking, port=port)
    if issubclass(network.kind, vim.OpaqueNetwork):
        summary = network["summary"]
        return make(
            device.VirtualEthernetCard.OpaqueNetworkBackingInfo,
            opaqueNetworkId=summary.opaqueNetworkId,
            opaqueNetworkType=summary.opaqueNetworkType,
        )
    return make(_NetworkBacking, deviceName=network["name"], network=network.ref)


def connectable(*, starts_connected: bool, connected: bool = False) -> Any:
    """Return whether a device is connected, and will be."""
    return make(
        _ConnectInfo,
        startConnected=starts_connected,
        allowGuestControl=True,
        connected=connected,
        status="untried",
    )


def _controller(kind: Any, key: int, bus: int, label: str, devices: list[int] | None = None) -> Any:
    return make(kind, key=key, deviceInfo=_described(label, label), busNumber=bus, device=list(devices or []))


def _input(kind: Any, key: int, controller: int, unit: int, label: str) -> Any:
    described = _described(label, label)
    return make(kind, key=key, deviceInfo=described, controllerKey=controller, unitNumber=unit)


def _described(label: str, summary: str) -> vim.Description:
    return make(_Description, label=label, summary=summary)
