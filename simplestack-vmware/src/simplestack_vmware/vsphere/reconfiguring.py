"""Change a VM's configuration, unless others have changed it since it was read."""

from typing import TYPE_CHECKING, Any

from simplestack import Busy
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simplestack_vmware.vsphere.disk_files import VmDisks
    from simplestack_vmware.vsphere.records import VmDevices
    from simplestack_vmware.vsphere.session import VmwareSession


def reconfigure(
    session: "VmwareSession",
    vm: "VmDevices | VmDisks",
    changes: "Sequence[vim.vm.device.VirtualDeviceSpec]" = (),
    **fields: Any,
) -> None:
    """Change a VM, in one task.

    The keys of devices in `changes` are those that were read: if others have changed the VM since then, a
    key may be that of another device.

    :param vm: as it was read
    :param changes: of devices
    :param fields: further fields of the ``ConfigSpec``
    :raises Busy: others have changed the VM
    :raises Fault: vSphere rejects the change
    """
    if not changes and not fields:
        return
    spec = vim.vm.ConfigSpec(deviceChange=list(changes), changeVersion=vm.change_version, **fields)
    try:
        session.tasks.run(session.vm(vm).ReconfigVM_Task, spec, of=vm.ref)
    except Fault as fault:
        if not fault.is_a("ConcurrentAccess"):
            raise
        raise Busy("others are changing the guest: try again later") from None
