"""Names of guests. vSphere only rejects a name that another object in the same folder has."""

from collections.abc import Iterable
from typing import ClassVar

from simplestack import Conflict
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import Named
from simplestack_vmware.vsphere.inventory.walks import TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.sessions.session import VmwareSession


class VmName(Named, frozen=True, kw_only=True):
    """A VM or a template."""

    TYPE: ClassVar[str] = "VirtualMachine"


def read_names(session: VmwareSession) -> list[VmName]:
    """Read the names of all guests and templates: one round trip, and one for each further 1,000 VMs."""
    records = session.reader.read(Query([session.root], [VmName], TO_VMS))
    return [record for record in records if isinstance(record, VmName)]


def require_free_name(name: str, vms: Iterable[VmName], besides: Ref | None = None) -> None:
    """Check that no guest or template has a name. Clients find guests by their names.

    :param vms: all guests and templates
    :param besides: the VM that may have it
    :raises Conflict: another one has it
    """
    if any(vm.name == name and vm.ref != besides for vm in vms):
        raise Conflict.of_name("guest", name)


def require_only_name(session: VmwareSession, name: str, vm: Ref) -> None:
    """Check that no other guest or template has got a name meanwhile which a VM has just got.

    vCenter accepts it in another folder. This takes the round trips of `read_names`; on a lone host, which
    has one folder, it takes none. Of two requests at the same time, at most one succeeds.

    :raises Conflict: another one has it
    """
    if session.api.is_vcenter:
        require_free_name(name, read_names(session), besides=vm)
