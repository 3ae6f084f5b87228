"""Storages: XAPI's storage repositories, if they are connected to a host."""

from simplestack import Storage, hookimpl
from simplestack_xen.entities import storage_entity
from simplestack_xen.xapi.records import SrRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_sr


@hookimpl
def storage_list(session: XenSession) -> list[Storage]:
    """List the repositories: one round trip. Repositories of ISO images have the type ``iso`` or ``udev``."""
    return [storage_entity(sr) for sr in session.api.read_all(SrRecord, "SR").values() if sr.PBDs]


@hookimpl
def storage_info(session: XenSession, storage_id: str) -> Storage:
    """Show one repository, by UUID or name."""
    return storage_entity(find_sr(session, storage_id).record)
