"""Names of guests. vSphere only rejects a name that another object in the same folder has."""

from collections.abc import Iterable
from typing import ClassVar

from simplestack import Conflict
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import Named
from simplestack_vmware.vsphere.inventory.walks import TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.session import VmwareSession


class VmName(Named, frozen=True, kw_only=True):
    """A VM or a template."""

    TYPE: ClassVar[str] = "VirtualMachine"


def require_free_name(session: VmwareSession, name: str, besides: Ref | None = None) -> None:
    """Check that no guest or template has a name: one round trip, and one for each further 1,000 VMs.

    Clients find guests by their names, so a name may not become ambiguous.

    :param besides: the VM that may have it
    :raises Conflict: another one has it
    """
    require_unused(name, session.reader.read(Query([session.root], [VmName], TO_VMS)), besides)


def require_unused(name: str, records: Iterable[Record], besides: Ref | None = None) -> None:
    """Check that none of the VMs among records has a name, as `require_free_name`."""
    if any(isinstance(each, VmName) and each.name == name and each.ref != besides for each in records):
        raise Conflict(f"another guest or template has the name {name!r}: choose another name")
