"""The datastores that a guest can have disks in: those of its host."""

from collections.abc import Iterable

from simplestack import Conflict, EntityNotFound
from simplestack_vmware.vsphere.inventory.records import DatastoreRecord
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.lookups import find_datastore, only
from simplestack_vmware.vsphere.sessions.session import VmwareSession


def datastore_on_host(session: VmwareSession, records: Iterable[Record], id_or_name: str) -> DatastoreRecord:
    """Find a datastore of a guest's host.

    vSphere finds a datastore by its name, and in each datacenter another one may have this name.

    :param records: what was read with the guest; without datastores, the user may not read the host
    :raises EntityNotFound: ``Storage``
    :raises Conflict: only other hosts have it
    """
    own = [each for each in records if isinstance(each, DatastoreRecord)]
    if not own:
        return find_datastore(session, id_or_name)
    try:
        return only(own, id_or_name, "Storage")
    except EntityNotFound:
        other = find_datastore(session, id_or_name)
        raise Conflict(
            f"the guest's host does not have storage {other.name!r}: choose a storage of the host, or move "
            "the guest in vSphere"
        ) from None
