"""Choose the storage pool for new disks, and read what libvirtd knows of pools."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simplestack import Conflict, HypervisorError
from simplestack_kvm.errors import has_reason, is_error
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.lookups import find_pool
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.connection.transient_pools import without_transient
from simplestack_kvm.sdk import libvirt

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoragePoolRecord:
    """A storage pool from libvirtd's memory. Unknown values are None."""

    id: str
    name: str
    type: str
    size_bytes: int | None
    used_bytes: int | None
    volumes: Sequence["libvirt.virStorageVol"] | None


def choose_pool(session: KvmSession, id_or_name: str | None) -> "libvirt.virStoragePool":
    """Return the pool of the request, else of the settings, else the active one with the most free space.

    :raises EntityNotFound: ``Storage``
    :raises Conflict: no storage is active
    """
    wanted = id_or_name or session.settings.default_storage
    if wanted is not None:
        return find_pool(session, wanted)
    available: list[tuple[int, libvirt.virStoragePool]] = []
    for pool in active_pools(session):
        try:
            available.append((available_bytes(pool), pool))
        except libvirt.libvirtError as error:
            if error.get_error_code() not in gone_codes():
                raise
    if not available:
        raise Conflict("the host has no active storage for disks: start one, or define one with virsh")
    return max(available, key=lambda each: each[0])[1]


def active_pools(session: KvmSession) -> list["libvirt.virStoragePool"]:
    """Return the active storage pools that are storages."""
    flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    return without_transient(session.connection.listAllStoragePools(flags))


def refresh_pools(pools: Sequence["libvirt.virStoragePool"]) -> None:
    """Refresh pools. If a pool cannot be refreshed, libvirt keeps its data."""
    for pool in pools:
        try:
            pool.refresh()
        except libvirt.libvirtError as error:
            if not has_reason(error):
                raise
            # Another volume is being made in it just now, or its folder is away.
            _log.info("cannot refresh storage %s: %s", pool.name(), error)


def remembered(pool: "libvirt.virStoragePool") -> StoragePoolRecord | None:
    """Return a pool from libvirtd's memory, without opening its files; None if it no longer exists."""
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
    return StoragePoolRecord(
        id=pool.UUIDString(),
        name=pool.name(),
        type=kind or "unknown",
        size_bytes=size_bytes,
        used_bytes=used_bytes,
        volumes=volumes,
    )


def outstanding_bytes_of(volumes: Sequence["libvirt.virStorageVol"]) -> int:
    """Return how much sparse volumes can still grow."""
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


def available_bytes(pool: "libvirt.virStoragePool") -> int:
    """Return the free space of a pool."""
    info: Any = pool.info()  # the binding's own annotation says str
    return int(info[3])


def gone_codes() -> tuple[int, int]:
    """Return libvirt's sizes of an active pool."""
    return (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_OPERATION_INVALID)
