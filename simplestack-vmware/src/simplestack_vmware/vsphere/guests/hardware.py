"""The virtual hardware of new VMs: changes of devices, as vSphere's specs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simplestack import InvalidArguments
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.additions import NewDisk, added_disks
from simplestack_vmware.vsphere.inventory.devices import CD_DRIVE, Device, cd_drive, interfaces
from simplestack_vmware.vsphere.inventory.records import NetworkRecord
from simplestack_vmware.vsphere.networks.new_cards import new_card

if TYPE_CHECKING:
    Changes = list[vim.vm.device.VirtualDeviceSpec]

_SATA_KEY, _CD_KEY, _FIRST_CARD_KEY = -301, -302, -401
#: vSphere's memory sizes are multiples of this.
_MEMORY_STEP_MIB = 4


class Hardware(NamedTuple):
    """What is added to a VM."""

    disks: Sequence[NewDisk] = ()
    networks: Sequence[NetworkRecord] = ()
    #: UUIDs of distributed switches.
    switch_uuids: Mapping[Ref, str] = {}
    #: Path of the ISO image in the CD drive, ``[datastore] path``.
    iso: str | None = None
    paravirtualized: bool = True


def check_memory(memory_mib: int) -> None:
    """Check that vSphere has a size of memory.

    :raises InvalidArguments: it does not
    """
    if memory_mib % _MEMORY_STEP_MIB:
        raise InvalidArguments(
            f"memory: {memory_mib} MiB is not a multiple of {_MEMORY_STEP_MIB} MiB, as vSphere needs: use "
            f"{memory_mib - memory_mib % _MEMORY_STEP_MIB + _MEMORY_STEP_MIB}"
        )


def check_cpus(cpus: int, cores_per_socket: int) -> None:
    """Check that a number of CPUs fits the sockets of a VM that is copied.

    :raises InvalidArguments: it does not
    """
    if cpus % cores_per_socket:
        raise InvalidArguments(
            f"cpus: {cpus} is not a multiple of {cores_per_socket}, the cores in each socket of the "
            f"template: use {cpus - cpus % cores_per_socket + cores_per_socket}"
        )


def new_devices(wanted: Hardware) -> "Changes":
    """Return the devices of a VM that is not a copy: a disk controller, disks, a CD drive and cards."""
    disks = added_disks([], wanted.disks, paravirtualized=wanted.paravirtualized)
    return [*disks, *_new_drive(wanted.iso), *_new_cards(wanted)]


def changed_devices(devices: Sequence[Device], wanted: Hardware) -> "Changes":
    """Return the changes of a copy. Networks take the place of those that the original has."""
    changes: Changes = []
    if wanted.networks:
        changes += [_removed(card) for card in interfaces(list(devices))]
        changes += _new_cards(wanted)
    if wanted.disks:
        changes += added_disks(devices, wanted.disks, paravirtualized=wanted.paravirtualized)
    if wanted.iso is not None:
        drive = cd_drive(list(devices))
        changes += _new_drive(wanted.iso) if drive is None else [with_medium(drive, wanted.iso)]
    return changes


def with_medium(drive: Device, iso: str | None) -> "vim.vm.device.VirtualDeviceSpec":
    """Return the change that puts an ISO image into a CD drive, or empties it."""
    device = vim.vm.device.VirtualCdrom(
        key=drive.key,
        controllerKey=drive.controller_key,
        unitNumber=drive.unit_number,
        backing=_medium(iso),
        connectable=_connectable(is_connected=iso is not None),
    )
    return vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)


def drives_with(devices: Iterable[Device], folder: str) -> list[Device]:
    """Return the CD drives with an ISO image in a folder, ``[datastore] folder/``."""
    return [
        device
        for device in devices
        if device.type_name == CD_DRIVE and (device.backing.file_name or "").startswith(folder)
    ]


def _removed(device: Device) -> "vim.vm.device.VirtualDeviceSpec":
    card = vim.vm.device.VirtualEthernetCard(
        key=device.key, controllerKey=device.controller_key, unitNumber=device.unit_number
    )
    return vim.vm.device.VirtualDeviceSpec(operation="remove", device=card)


def _new_cards(wanted: Hardware) -> "Changes":
    return [
        new_card(
            network,
            wanted.switch_uuids,
            _FIRST_CARD_KEY - number,
            paravirtualized=wanted.paravirtualized,
        )
        for number, network in enumerate(wanted.networks)
    ]


def _new_drive(iso: str | None) -> "Changes":
    """Return a CD drive on a SATA controller of its own."""
    controller = vim.vm.device.VirtualAHCIController(key=_SATA_KEY, busNumber=0)
    drive = vim.vm.device.VirtualCdrom(
        key=_CD_KEY,
        controllerKey=_SATA_KEY,
        unitNumber=0,
        backing=_medium(iso),
        connectable=_connectable(is_connected=iso is not None),
    )
    made: list[vim.vm.device.VirtualDevice] = [controller, drive]
    return [vim.vm.device.VirtualDeviceSpec(operation="add", device=device) for device in made]


def _medium(iso: str | None) -> "vim.vm.device.VirtualDevice.BackingInfo":
    if iso is None:
        empty = vim.vm.device.VirtualCdrom.RemotePassthroughBackingInfo
        return empty(deviceName="", exclusive=False)  # type: ignore[no-untyped-call]  # pyVmomi's constructors have no types
    return vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=iso)


def _connectable(*, is_connected: bool) -> "vim.vm.device.VirtualDevice.ConnectInfo":
    return vim.vm.device.VirtualDevice.ConnectInfo(
        startConnected=is_connected, allowGuestControl=True, connected=False
    )
