"""Storages: the active storage pools of libvirt.

To describe a volume, libvirtd opens its file and locks the pool. It describes the pools themselves from
memory, so they are read first.
"""

import logging
from functools import partial

from simplestack import Busy, HypervisorError, HypervisorTimeout, Storage, hookimpl
from simplestack_kvm.entities import storage_entity
from simplestack_kvm.libvirtd.connection.bounded import NoResponse
from simplestack_kvm.libvirtd.connection.lookups import find_pool
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.storage.sizes import within_storage_limit
from simplestack_kvm.libvirtd.storage.storages import (
    StoragePoolRecord,
    active_pools,
    outstanding_bytes_of,
    remembered,
)

#: Number of volumes that libvirtd describes within one time limit.
_VOLUMES_AT_ONCE = 20

_log = logging.getLogger(__name__)


@hookimpl
def storage_list(session: KvmSession) -> list[Storage]:
    """List the active pools: one round trip, three for each pool and one for each volume.

    :raises HypervisorTimeout: a storage hangs, so libvirt cannot list storages
    :raises Busy: other requests wait for the host's storages
    """
    try:
        pools = within_storage_limit(session, partial(active_pools, session))
        known = [within_storage_limit(session, partial(remembered, pool)) for pool in pools]
    except NoResponse:
        raise _silent() from None
    return [_storage(session, pool) for pool in known if pool is not None]


@hookimpl
def storage_info(session: KvmSession, storage_id: str) -> Storage:
    """Show one active pool, by ID or name.

    :raises HypervisorTimeout: the storage hangs
    :raises Busy: other requests wait for the host's storages
    """
    try:
        pool = within_storage_limit(session, partial(find_pool, session, storage_id))
        known = within_storage_limit(session, partial(remembered, pool))
    except NoResponse:
        raise _silent() from None
    if known is None:  # it has just been removed: get libvirt's error
        pool.info()
        raise HypervisorError(f"cannot show storage {storage_id}")
    return _storage(session, known)


def _silent() -> HypervisorTimeout:
    return HypervisorTimeout(
        "a storage of the host does not respond, which blocks libvirt for all storages: check the host's "
        "storages, and try again"
    )


def _storage(session: KvmSession, pool: StoragePoolRecord) -> Storage:
    """Return the entity. ``allocated_space`` is None while the storage hangs or is busy."""
    outstanding_bytes = None
    try:
        if pool.volumes is not None:
            outstanding_bytes = sum(
                within_storage_limit(
                    session, partial(outstanding_bytes_of, pool.volumes[start : start + _VOLUMES_AT_ONCE])
                )
                for start in range(0, len(pool.volumes), _VOLUMES_AT_ONCE)
            )
    except (NoResponse, Busy) as error:
        _log.warning("storage %s is shown without allocated_space: %s", pool.name, error)
    return storage_entity(pool, outstanding_bytes)
