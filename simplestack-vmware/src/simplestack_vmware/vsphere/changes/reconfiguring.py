"""Change a VM's configuration, unless others have changed it since it was read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from simplestack import Busy
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks.questions import Answer

if TYPE_CHECKING:
    DeviceChanges = Sequence[vim.vm.device.VirtualDeviceSpec]


class Versioned(Protocol):
    """A record of a VM that tells which version of the configuration it was read from."""

    @property
    def ref(self) -> Ref:
        """The VM."""

    @property
    def change_version(self) -> str | None:
        """Changes with each change of the configuration."""


def reconfigure(
    session: VmwareSession,
    vm: Versioned,
    changes: "DeviceChanges" = (),
    answer: Answer | None = None,
    **fields: Any,
) -> None:
    """Change a VM, in one task.

    The keys of devices in `changes` are those that were read: if others have changed the VM since then, a
    key may be that of another device.

    :param vm: as it was read
    :param changes: of devices
    :param answer: answers questions of vSphere's about the change. Default: the change is cancelled
    :param fields: further fields of the ``ConfigSpec``
    :raises Busy: others have changed the VM
    :raises Fault: vSphere rejects the change
    """
    if not changes and not fields:
        return
    spec = vim.vm.ConfigSpec(deviceChange=list(changes), changeVersion=vm.change_version, **fields)
    try:
        session.tasks.run(session.api.object(vm.ref).ReconfigVM_Task, spec, of=vm.ref, answer=answer)
    except Fault as fault:
        if not fault.is_a("ConcurrentAccess"):
            raise
        raise Busy("others are changing the guest: try again later") from None
