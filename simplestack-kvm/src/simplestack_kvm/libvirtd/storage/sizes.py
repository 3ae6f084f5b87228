"""Sizes of disks. libvirtd looks at the file or device each time, and waits as long as that one hangs.

Where it looks matters. For a volume it holds the pool, so that only storages wait with it. For a disk of a
domain that is off it holds the domain, and every list of domains waits with it, on the whole host. For a
disk of a running domain it asks QEMU, which may hang itself. So a size is what an active pool says of the
volume.
"""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from simplestack import Busy
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.connection.bounded import NoResponse, bounded
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import DiskRecord, Source
from simplestack_kvm.libvirtd.storage.storages import active_pools
from simplestack_kvm.libvirtd.storage.volumes import look_up_volume, volume_of
from simplestack_kvm.sdk import libvirt

T = TypeVar("T")

#: How long storages may take for a call, and how many calls wait for one host's storages.
STORAGE_SECONDS = 3.0
_AT_ONCE = 2

_log = logging.getLogger(__name__)


def within_storage_limit(session: KvmSession, action: Callable[[], T], seconds: float | None = None) -> T:
    """Do what may wait for a storage of the host.

    :param seconds: another limit than `STORAGE_SECONDS`
    :raises NoResponse: a storage hangs
    :raises Busy: other requests wait for the host's storages
    """
    limit_seconds = STORAGE_SECONDS if seconds is None else seconds
    return bounded(session, "storages", action, limit_seconds, at_once=_AT_ONCE)


def disk_sizes(
    session: KvmSession, domain: "libvirt.virDomain", disks: Sequence[DiskRecord]
) -> list[int | None]:
    """Return the disks' sizes in bytes, as their storages tell them.

    None for a disk in no active pool, and for all while a storage hangs or storages are busy.
    """
    try:
        return _volume_sizes(session, disks)
    except (NoResponse, Busy) as error:
        _log.warning("showing the disks of guest %s without sizes: %s", domain.UUIDString(), error)
        return [None] * len(disks)


def sizes_to_change(
    session: KvmSession, domain: "libvirt.virDomain", disks: Sequence[DiskRecord]
) -> list[int | None]:
    """Return the disks' sizes in bytes, before one of them is changed: QEMU is asked, too.

    None for a disk in no active pool whose guest is off, and for all while a storage hangs.

    :raises Busy: other requests wait for the host's storages
    """
    try:
        sizes = _volume_sizes(session, disks)
    except NoResponse as error:
        _log.warning("the sizes of the disks of guest %s are not known: %s", domain.UUIDString(), error)
        sizes = [None] * len(disks)
    if session.abandoned.is_set() or not domain.isActive():
        return sizes
    return [
        _size_in_guest(domain, disk) if size is None else size
        for disk, size in zip(disks, sizes, strict=True)
    ]


class Survey:
    """The volumes of a host's active pools: two round trips for each pool, and one for the list of pools.

    One volume of each pool is looked at, so that a pool that hangs does so here: only storages wait then.

    :raises NoResponse: a storage hangs
    :raises Busy: other requests wait for the host's storages
    """

    def __init__(self, session: KvmSession) -> None:
        self._session = session
        self._volumes: dict[Source, libvirt.virStorageVol] = {}
        for pool in within_storage_limit(session, partial(active_pools, session)):
            within_storage_limit(session, partial(self._add, pool))

    def _add(self, pool: "libvirt.virStoragePool") -> None:
        try:
            volumes = pool.listAllVolumes()
        except libvirt.libvirtError as error:
            if not has_reason(error):
                raise
            _log.info("the volumes of storage %s are not known: %s", pool.name(), error)
            return
        if volumes:
            _capacity(volumes[0])
        for volume in volumes:
            self._volumes[(pool.name(), volume.name())] = volume
            # The key of a volume that is a file is its path. Of others it may be anything.
            if volume.key().startswith("/"):
                self._volumes[volume.key()] = volume

    def knows(self, source: Source) -> bool:
        """Tell whether a pool has this as a volume. A device may have paths besides its volume's."""
        return self._find(source) is not None

    def sizes(self, disks: Sequence[DiskRecord]) -> list[int | None]:
        """Return the sizes of disks in bytes, None where they are unknown: a round trip for each disk."""
        return [
            None if (volume := self._find(disk.volume or disk.path)) is None else _size(volume, disk)
            for disk in disks
        ]

    def _find(self, source: Source | None) -> "libvirt.virStorageVol | None":
        if isinstance(source, str):
            source = re.sub("/+", "/", source)
        if source is None or source in self._volumes:
            return None if source is None else self._volumes[source]
        if isinstance(source, str) and source.startswith("/dev/"):
            return look_up_volume(self._session, source, None)
        return None


def _volume_sizes(session: KvmSession, disks: Sequence[DiskRecord]) -> list[int | None]:
    if not disks:
        return []
    return within_storage_limit(session, lambda: [_volume_size(session, disk) for disk in disks])


def _volume_size(session: KvmSession, disk: DiskRecord) -> int | None:
    try:
        volume = volume_of(session, disk)
    except libvirt.libvirtError as error:
        if not has_reason(error):
            raise
        _log.info("the size of disk %s is not known: %s", disk.source, error)
        return None
    return None if volume is None else _size(volume, disk)


def _size(volume: "libvirt.virStorageVol", disk: DiskRecord) -> int | None:
    """Return a disk's size in bytes. A raw one is as large as its file, whatever its guest wrote into it."""
    return _capacity(volume, libvirt.VIR_STORAGE_VOL_GET_PHYSICAL if disk.format == "raw" else 0)


def _capacity(volume: "libvirt.virStorageVol", flags: int = 0) -> int | None:
    """Return the size of a volume in bytes; None where libvirt cannot find it out: its file is missing.

    :param flags: VIR_STORAGE_VOL_GET_PHYSICAL for the size of the file, not of the image that may be in it
    """
    try:
        info: Any = volume.infoFlags(flags) if flags else volume.info()  # annotated as str
    except libvirt.libvirtError as error:
        if not has_reason(error):
            raise
        _log.info("the size of volume %s is not known: %s", volume.key(), error)
        return None
    is_file = info[0] == libvirt.VIR_STORAGE_VOL_FILE
    return int(info[2] if flags and is_file else info[1])


def _size_in_guest(domain: "libvirt.virDomain", disk: DiskRecord) -> int | None:
    try:
        return int(domain.blockInfo(disk.target)[0])
    except libvirt.libvirtError as error:
        if not has_reason(error):
            raise
        _log.info("the size of disk %s of guest %s is not known: %s", disk.target, domain.UUIDString(), error)
        return None
