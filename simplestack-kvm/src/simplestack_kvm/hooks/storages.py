"""Storages: libvirt's storage pools that are active.

libvirtd looks at the files when it is asked for a volume, and holds the pool meanwhile. What it says of the
pools themselves comes from its memory, so that is asked first.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simplestack import Busy, HypervisorError, HypervisorTimeout, Storage, gib, hookimpl
from simplestack_kvm.errors import has_reason, is_error
from simplestack_kvm.libvirtd.bounded import NoResponse
from simplestack_kvm.libvirtd.documents import parse_document
from simplestack_kvm.libvirtd.lookups import find_pool
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.libvirtd.sizes import within_storage_limit
from simplestack_kvm.libvirtd.volumes import active_pools
from simplestack_kvm.sdk import libvirt

#: Volumes that libvirtd looks at within one limit.
_VOLUMES_AT_ONCE = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pool:
    """A pool, as libvirtd remembers it. What it cannot tell is None."""

    id: str
    name: str
    type: str
    size_bytes: int | None
    used_bytes: int | None
    volumes: Sequence["libvirt.virStorageVol"] | None


@hookimpl
def storage_list(session: KvmSession) -> list[Storage]:
    """List the active pools: one round trip, three for each pool and one for each volume.

    :raises HypervisorTimeout: a storage hangs for so long that libvirt lists none
    :raises Busy: other requests wait for the host's storages
    """
    try:
        pools = within_storage_limit(session, partial(active_pools, session))
        known = [within_storage_limit(session, partial(_remembered, pool)) for pool in pools]
    except NoResponse:
        raise _silent() from None
    return [_storage(session, pool) for pool in known if pool is not None]


@hookimpl
def storage_info(session: KvmSession, storage_id: str) -> Storage:
    """Show one active pool, by its id or its name.

    :raises HypervisorTimeout: it hangs
    :raises Busy: other requests wait for the host's storages
    """
    try:
        pool = within_storage_limit(session, partial(find_pool, session, storage_id))
        known = within_storage_limit(session, partial(_remembered, pool))
    except NoResponse:
        raise _silent() from None
    if known is None:  # it went away just now: ask libvirt for its own error
        pool.info()
        raise HypervisorError(f"storage {storage_id} cannot be shown")
    return _storage(session, known)


def _silent() -> HypervisorTimeout:
    return HypervisorTimeout(
        "a storage of the host does not respond, and libvirt tells nothing of any until it does: check the "
        "host's storages, and try again"
    )


def _remembered(pool: "libvirt.virStoragePool") -> _Pool | None:
    """Return what libvirtd knows of a pool without looking at its files; None for one that went away."""
    size_bytes = used_bytes = volumes = None
    kind = ""
    try:
        kind = parse_document(pool.XMLDesc()).get("type", "")
        info: Any = pool.info()  # the binding's own annotation says str
        _state, size_bytes, used_bytes, _available_bytes = info
        volumes = pool.listAllVolumes()
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_OPERATION_INVALID):
            return None
        if not has_reason(error):
            raise
        _log.warning("storage %s is shown without details", pool.name(), exc_info=True)
    except HypervisorError:
        _log.warning("storage %s is shown without details", pool.name(), exc_info=True)
    return _Pool(
        id=pool.UUIDString(),
        name=pool.name(),
        type=kind or "unknown",
        size_bytes=size_bytes,
        used_bytes=used_bytes,
        volumes=volumes,
    )


def _storage(session: KvmSession, pool: _Pool) -> Storage:
    """Make the entity. ``allocated_space`` is None while the storage hangs or is busy."""
    outstanding_bytes = None
    try:
        if pool.volumes is not None:
            outstanding_bytes = sum(
                within_storage_limit(
                    session, partial(_outstanding_bytes, pool.volumes[start : start + _VOLUMES_AT_ONCE])
                )
                for start in range(0, len(pool.volumes), _VOLUMES_AT_ONCE)
            )
    except (NoResponse, Busy) as error:
        _log.warning("storage %s is shown without allocated_space: %s", pool.name, error)
    allocated_bytes = None
    if pool.used_bytes is not None and outstanding_bytes is not None:
        allocated_bytes = pool.used_bytes + outstanding_bytes
    return Storage(
        id=pool.id,
        name=pool.name,
        type=pool.type,
        used_space=_gib(pool.used_bytes),
        allocated_space=_gib(allocated_bytes),
        size=_gib(pool.size_bytes),
    )


def _gib(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else gib(size_bytes)


def _outstanding_bytes(volumes: Sequence["libvirt.virStorageVol"]) -> int:
    """Return how much more sparse volumes may still come to occupy."""
    outstanding = 0
    for volume in volumes:
        try:
            info: Any = volume.info()  # the binding's own annotation says str
        except libvirt.libvirtError as error:
            # It was deleted meanwhile, or its file by other means than libvirt.
            if not is_error(
                error,
                libvirt.VIR_ERR_NO_STORAGE_VOL,
                libvirt.VIR_ERR_SYSTEM_ERROR,
                libvirt.VIR_ERR_INTERNAL_ERROR,
            ):
                raise
            continue
        _kind, capacity_bytes, allocation_bytes = info
        outstanding += max(0, capacity_bytes - allocation_bytes)
    return outstanding
