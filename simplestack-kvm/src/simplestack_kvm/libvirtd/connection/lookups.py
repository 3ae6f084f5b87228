"""Storage pools and networks by what clients call them: an id, or a name, which is unique on a host."""

from collections.abc import Callable
from typing import TypeVar

from simplestack import EntityNotFound, is_uuid
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.connection.transient_pools import is_transient
from simplestack_kvm.sdk import libvirt

T = TypeVar("T", "libvirt.virStoragePool", "libvirt.virNetwork")


def find_pool(session: KvmSession, id_or_name: str) -> "libvirt.virStoragePool":
    """Find an active storage pool.

    :raises EntityNotFound: ``Storage``
    """
    connection = session.connection
    missing = libvirt.VIR_ERR_NO_STORAGE_POOL
    by_id, by_name = connection.storagePoolLookupByUUIDString, connection.storagePoolLookupByName
    pool = _first(id_or_name, by_id, by_name, missing)
    if pool is not None and is_transient(pool):
        pool = None
    return _active("Storage", id_or_name, pool)


def find_network(session: KvmSession, id_or_name: str) -> "libvirt.virNetwork":
    """Find an active network.

    :raises EntityNotFound: ``Network``
    """
    connection = session.connection
    missing = libvirt.VIR_ERR_NO_NETWORK
    by_id, by_name = connection.networkLookupByUUIDString, connection.networkLookupByName
    return _active("Network", id_or_name, _first(id_or_name, by_id, by_name, missing))


def _first(id_or_name: str, by_id: Callable[[str], T], by_name: Callable[[str], T], missing: int) -> T | None:
    # libvirt raises "invalid argument" for an id that is no UUID.
    lookups = [by_id] if is_uuid(id_or_name) else []
    # libvirt knows no name with control characters, and its binding raises other errors for some of them.
    lookups += [by_name] if id_or_name.isprintable() else []
    for lookup in lookups:
        try:
            return lookup(id_or_name)
        except libvirt.libvirtError as error:
            if error.get_error_code() != missing:
                raise
    return None


def _active(entity: str, id_or_name: str, handle: T | None) -> T:
    if handle is None or not handle.isActive():
        raise EntityNotFound(entity, id_or_name)
    return handle
