"""Storages: libvirt's storage pools that are active."""

from typing import Any

from simplestack import Storage, gib, hookimpl
from simplestack_kvm.documents import parse_document
from simplestack_kvm.faults import has_reason
from simplestack_kvm.lookups import find_pool
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession


@hookimpl
def storage_list(session: KvmSession) -> list[Storage]:
    """List the active pools: one round trip, four for each pool and one for each volume."""
    pools = session.connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    return [storage for pool in pools if (storage := _listed(pool)) is not None]


@hookimpl
def storage_info(session: KvmSession, storage_id: str) -> Storage:
    """Show one active pool, by its id or its name."""
    return _storage(find_pool(session, storage_id))


def _listed(pool: "libvirt.virStoragePool") -> Storage | None:
    """Describe a pool of a list; one that goes away meanwhile is left out of it."""
    try:
        return _storage(pool)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_OPERATION_INVALID):
            return None
        raise


def _storage(pool: "libvirt.virStoragePool") -> Storage:
    info: Any = pool.info()  # the binding's own annotation says str
    _state, size_bytes, used_bytes, _available_bytes = info
    return Storage(
        id=pool.UUIDString(),
        name=pool.name(),
        type=parse_document(pool.XMLDesc()).get("type", ""),
        used_space=gib(used_bytes),
        allocated_space=gib(used_bytes + _outstanding_bytes(pool)),
        size=gib(size_bytes),
    )


def _outstanding_bytes(pool: "libvirt.virStoragePool") -> int:
    """Return how much more the pool's sparse volumes may still come to occupy."""
    outstanding = 0
    for volume in pool.listAllVolumes():
        try:
            info: Any = volume.info()  # the binding's own annotation says str
        except libvirt.libvirtError as error:
            # It was deleted meanwhile, or its file by other means than libvirt.
            if error.get_error_code() not in (
                libvirt.VIR_ERR_NO_STORAGE_VOL,
                libvirt.VIR_ERR_SYSTEM_ERROR,
                libvirt.VIR_ERR_INTERNAL_ERROR,
            ) or not has_reason(error):
                raise
            continue
        _kind, capacity_bytes, allocation_bytes = info
        outstanding += max(0, capacity_bytes - allocation_bytes)
    return outstanding
