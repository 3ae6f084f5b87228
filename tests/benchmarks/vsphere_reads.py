"""What the plugin reads of guests, read by pyvmomi: the same properties, in pages of the same size."""

from typing import Any

from pyVmomi import vmodl

from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import HostName, VmSummary
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_HOSTS, TO_VMS_AND_HOSTS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.reader import PAGE_OBJECTS


def list_by_sdk(content: Any) -> list[Any]:
    """Read the properties of all VMs that a list of guests shows, and the names of their hosts."""
    root = Ref("Folder", content.rootFolder._GetMoId())
    query = Query([root], [VmSummary, HostName], TO_VMS_AND_HOSTS)
    return _read(content.propertyCollector, query)


def read_by_sdk(content: Any, moid: str) -> list[Any]:
    """Read the properties of one VM as `list_by_sdk`."""
    query = Query([Ref("VirtualMachine", moid)], [VmSummary, HostName], [TO_THEIR_HOSTS])
    return _read(content.propertyCollector, query)


def _read(collector: Any, query: Query) -> list[Any]:
    options = vmodl.query.PropertyCollector.RetrieveOptions(maxObjects=PAGE_OBJECTS)
    page = collector.RetrievePropertiesEx([query.for_soap()], options)
    objects = list(page.objects)
    while page.token:
        page = collector.ContinueRetrievePropertiesEx(page.token)
        objects += page.objects
    return objects
