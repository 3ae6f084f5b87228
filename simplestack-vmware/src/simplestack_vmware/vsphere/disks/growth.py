"""Let disks grow whose files no other guest uses: those of linked clones do not fit a file that has grown."""

from typing import TYPE_CHECKING

from simplestack import Conflict, grown_bytes
from simplestack_vmware.vsphere.disks.changes import grown_disk
from simplestack_vmware.vsphere.disks.usage import DiskUsage
from simplestack_vmware.vsphere.inventory.devices import Device, disks
from simplestack_vmware.vsphere.inventory.records import VmDevices
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    from simplestack_vmware.sdk import vim


def grown_alone(
    session: VmwareSession, vm: VmDevices, disk: Device, size_bytes: int
) -> "list[vim.vm.device.VirtualDeviceSpec]":
    """Return the changes that let a disk grow, after a look at all guests; none if it has this size.

    :raises InvalidArguments: it would shrink
    :raises Conflict: it cannot grow, or another guest uses its file
    """
    changes = grown_disk(vm, disk, size_bytes)
    if changes:
        attempt = f"grow {disk.description.label!r} of guest {vm.name!r}"
        DiskUsage.read(session, vm).require_own([disk.backing], attempt)
    return changes


def grown_sum(
    session: VmwareSession, vm: VmDevices, sum_bytes: int
) -> "list[vim.vm.device.VirtualDeviceSpec]":
    """Return the changes that let the disks of a VM have a sum; none if they have it.

    :raises InvalidArguments: the VM has no disk, or the sum would shrink
    :raises Conflict: a size is unknown, or the last disk cannot grow, or another VM uses its file
    """
    all_disks = disks(vm.devices)
    sizes = [disk.size_bytes for disk in all_disks if disk.size_bytes is not None]
    if len(sizes) < len(all_disks):
        raise Conflict(
            f"`hdd`: vSphere does not know the size of each disk of guest {vm.name!r}: grow a single "
            "disk instead"
        )
    size_bytes = grown_bytes("hdd", sum_bytes, sizes)
    return [] if size_bytes == sizes[-1] else grown_alone(session, vm, all_disks[-1], size_bytes)
