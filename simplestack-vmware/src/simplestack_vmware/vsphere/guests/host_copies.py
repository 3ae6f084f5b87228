"""Copies of VMs on a lone ESXi host, which does not clone: a new VM is built with the same hardware.

Advanced options of the original are not copied, nor are the variables of its UEFI firmware.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import field
from msgspec.structs import replace

from simplestack import GuestState, require_state, warn
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.copies import DiskFile
from simplestack_vmware.vsphere.disks.units import CONTROLLERS, new_controller
from simplestack_vmware.vsphere.guests.assembly import add_copies, create_vm
from simplestack_vmware.vsphere.guests.hardware import Hardware, new_cards
from simplestack_vmware.vsphere.guests.origins import VmOrigin
from simplestack_vmware.vsphere.guests.placement import Place
from simplestack_vmware.vsphere.inventory.devices import CD_DRIVE, DISK, Device, disks, interfaces
from simplestack_vmware.vsphere.media.drives import added, copied_drive, medium_for_copy
from simplestack_vmware.vsphere.networks.copied_cards import copied_card
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    Changes = list[vim.vm.device.VirtualDeviceSpec]

_IDE = "VirtualIDEController"
_FIRST_KEY = -501
#: Devices that each VM has.
_FIXED = frozenset(
    {
        *(_IDE, "VirtualPS2Controller", "VirtualPCIController", "VirtualSIOController", "VirtualKeyboard"),
        *("VirtualPointingDevice", "VirtualMachineVideoCard", "VirtualMachineVMCIDevice"),
    }
)
#: Devices that a copy can do without.
_LEFT_OUT = frozenset(
    {
        *("VirtualFloppy", "VirtualUSBController", "VirtualUSBXHCIController", "VirtualHdAudioCard"),
        *("VirtualEnsoniq1371", "VirtualSoundBlaster16", "VirtualSerialPort", "VirtualParallelPort"),
    }
)


class HostOrigin(VmOrigin, frozen=True, kw_only=True):
    """A VM with all that a copy on a lone host is built from."""

    guest_os: str = field(name="config.guestId", default="")
    firmware: str = field(name="config.firmware", default="bios")
    version: str = field(name="config.version", default="")
    annotation: str = field(name="config.annotation", default="")
    shows_disk_uuids: bool = field(name="config.flags.diskUuidEnabled", default=False)


def require_buildable(origin: HostOrigin) -> None:
    """Check that a VM can be built like another one.

    :raises InvalidState: the other one is not stopped, so its disks cannot be read
    :raises NotImplementedError: it has a device that only clones of vCenter have
    """
    attempt = f"clone guest {origin.name!r} on a lone ESXi host"
    require_state(origin.state, GuestState.STOPPED, attempt=attempt)
    known = {*CONTROLLERS, DISK, CD_DRIVE, *_FIXED, *_LEFT_OUT}
    for device in origin.devices:
        if device.type_name not in known and device.mac is None:
            label = device.description.label or device.type_name
            raise NotImplementedError(
                f"cannot {attempt}: {label} cannot be copied: remove it first, or use vCenter"
            )


def copy_on_host(
    session: VmwareSession,
    undo: Undo,
    origin: HostOrigin,
    place: Place,
    *,
    config: "vim.vm.ConfigSpec",
    hardware: Hardware,
) -> Ref:
    """Build a VM like another one, with copies of its disks.

    :param undo: removes the copy
    :param config: what differs, with the name and the instance UUID
    """
    for name, value in _fields(origin).items():
        if getattr(config, name) is None:
            setattr(config, name, value)
    config.deviceChange = _devices(origin, hardware)
    vm = create_vm(session, undo, place, config, origin.home)
    originals = disks(origin.devices)
    files = [DiskFile(disk.backing.file_name or "", disk.backing.is_thin) for disk in originals]
    by_key = {device.key: device for device in origin.devices}

    def seat(devices: Sequence[Device], number: int) -> tuple[int, int] | None:
        disk = originals[number]
        above = by_key.get(disk.controller_key or 0)
        keys = [
            device.key
            for device in devices
            if above is not None
            and (device.type_name, device.bus_number) == (above.type_name, above.bus_number)
        ]
        return (keys[0], disk.unit_number or 0) if keys else None

    add_copies(session, vm, place, files, more=hardware.disks, seat=seat)
    _warn(origin)
    return vm


def _fields(origin: HostOrigin) -> dict[str, Any]:
    """Return the fields of the ``ConfigSpec`` that the copy has of the original."""
    return {
        "numCPUs": origin.cpus,
        "numCoresPerSocket": origin.cores_per_socket,
        "memoryMB": origin.memory_mib,
        "guestId": origin.guest_os,
        "firmware": origin.firmware,
        "version": origin.version or None,
        "annotation": origin.annotation,
        "memoryHotAddEnabled": origin.has_memory_hot_add,
        "cpuHotAddEnabled": origin.has_cpu_hot_add,
        "flags": vim.vm.FlagInfo(diskUuidEnabled=origin.shows_disk_uuids),
    }


def _devices(origin: HostOrigin, hardware: Hardware) -> "Changes":
    """Return the controllers, CD drives and cards of the copy."""
    changes: Changes = []
    keys = {}
    planned: list[Device] = []
    controllers = [device for device in origin.devices if device.type_name in CONTROLLERS]
    for number, device in enumerate(controllers):
        if device.type_name == _IDE:
            keys[device.key] = device.key  # vSphere makes it
            planned.append(device)
            continue
        keys[device.key] = _FIRST_KEY - number
        changes.append(new_controller(device.type_name, device.bus_number or 0, keys[device.key]))
        planned.append(replace(device, key=keys[device.key]))
    on_them = [device for device in origin.devices if device.controller_key in keys]
    planned += [replace(device, controller_key=keys[device.controller_key or 0]) for device in on_them]
    drives = [device for device in planned if device.type_name == CD_DRIVE]
    for number, drive in enumerate(sorted(drives, key=lambda each: each.key)):
        iso = medium_for_copy(drive, origin.files)
        if number == 0:
            iso = hardware.iso or iso
        changes.append(copied_drive(drive, _FIRST_KEY - len(controllers) - number, iso))
    if hardware.iso is not None and not drives:
        changes += added(replace(origin, devices=planned), hardware.iso)
    if hardware.networks:
        return changes + new_cards(hardware)
    return changes + [
        copied_card(card, -1 - number) for number, card in enumerate(interfaces(origin.devices))
    ]


def _warn(origin: HostOrigin) -> None:
    for device in origin.devices:
        if device.type_name in _LEFT_OUT:
            warn(f"{device.description.label or device.type_name} was not copied")
    if origin.firmware == "efi":
        warn("the variables of the UEFI firmware were not copied: the copy boots with its defaults")
