"""The session that hooks use."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simplestack import Target
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.connection.api import Api
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import VmIdentity
from simplestack_vmware.vsphere.reading.reader import Reader
from simplestack_vmware.vsphere.sessions.known import KnownVms
from simplestack_vmware.vsphere.tasks.tasks import Tasks

if TYPE_CHECKING:
    from simplestack_vmware.sdk import vim


@dataclass(frozen=True, eq=False, slots=True)
class VmwareSession:
    """A session with a vCenter or an ESXi host. Several threads may use it."""

    api: Api
    reader: Reader
    tasks: Tasks
    settings: VmwareSettings
    target: Target
    #: The VMs of the guests that were looked up.
    known_vms: KnownVms = field(default_factory=KnownVms, repr=False)

    @property
    def root(self) -> Ref:
        """The root folder, where walks through the inventory start."""
        return Ref("Folder", self.api.content.rootFolder._GetMoId())  # noqa: SLF001  public in pyvmomi, in spite of its name

    def vm(self, record: VmIdentity) -> "vim.VirtualMachine":
        """Return pyvmomi's object of a VM, to call its methods."""
        vm: vim.VirtualMachine = self.api.object(record.ref)
        return vm
