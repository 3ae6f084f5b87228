"""Storages: vSphere's datastores."""

from simplestack import Storage, hookimpl
from simplestack_vmware.entities import storage_entity
from simplestack_vmware.vsphere.sessions.lookups import all_datastores, find_datastore
from simplestack_vmware.vsphere.sessions.session import VmwareSession


@hookimpl
def storage_list(session: VmwareSession) -> list[Storage]:
    """List the datastores that are accessible: one round trip."""
    return [storage_entity(each) for each in all_datastores(session) if each.is_accessible]


@hookimpl
def storage_info(session: VmwareSession, storage_id: str) -> Storage:
    """Show one datastore, by ID or name."""
    return storage_entity(find_datastore(session, storage_id))
