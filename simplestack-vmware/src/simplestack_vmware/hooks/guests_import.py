"""Import guests. A failed import leaves nothing behind."""

from simplestack import Guest, GuestImport, ImportStream, hookimpl
from simplestack_vmware.hooks.guests import show_guest
from simplestack_vmware.vsphere.guests.topology import Topology
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.images import open_image
from simplestack_vmware.vsphere.transfer.importing import Order, import_guest


@hookimpl
def guest_import(
    session: VmwareSession,
    stream: ImportStream,
    size: int | None,
    storage_id: str | None,
    description: GuestImport | None,
) -> Guest:
    """Create a guest from an OVA, or from a stream-optimized VMDK and its description in the query.

    :raises InvalidArguments: the image cannot be read, or does not describe its guest, nor does the query
    """
    wanted = description or GuestImport()
    topology = Topology.read(session)

    def most_bytes() -> int:
        return max((each.free_bytes or 0 for each in topology.datastores), default=0)

    image = open_image(stream, size, wanted, most_bytes)
    order = Order(session, topology, wanted, storage_id, size)
    return show_guest(session, import_guest(order, image))
