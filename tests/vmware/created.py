"""Guests that tests create, and what is on the host."""

from typing import Any

from pyVmomi import vim

from simplestack import Guest, NewDisk, NewNetworkInterface
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate
from simulators.vsphere.database import Object
from support.vsphere import Host

from .linked_clones import disk_files

EMPTY = VmwareGuestCreate(name="new", memory=192, disks=[NewDisk(size=1.5), NewDisk(size=1)])
COPY = VmwareGuestCreate(name="new", template="debian-12")


def made_vm(host: Host, guest: Guest) -> Object:
    """Return the VM of a guest as the simulator has it."""
    (found,) = [vm for vm in host.all(vim.VirtualMachine) if vm["config.instanceUuid"] == guest.id]
    return found


def devices(vm: Object, kind: Any) -> list[Any]:
    """Return the devices of a type."""
    return [each for each in vm["config.hardware.device"] if isinstance(each, kind)]


def everything(host: Host) -> tuple[dict[str, set[str]], list[str]]:
    """Return all files, and the names of all VMs."""
    return disk_files(host), sorted(vm["name"] for vm in host.all(vim.VirtualMachine))


def interfaces(*networks: str) -> list[NewNetworkInterface]:
    """Return interfaces in networks."""
    return [NewNetworkInterface(network=name) for name in networks]
