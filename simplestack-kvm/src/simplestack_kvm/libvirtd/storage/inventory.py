"""All volumes of a host's active pools, freshly looked at, and the files that they are based on."""

import logging
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from simplestack import Busy, HypervisorTimeout
from simplestack_kvm.errors import has_reason, is_error
from simplestack_kvm.libvirtd.connection.bounded import NoResponse, bounded
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.parallel_reads import read_all
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.connection.transient_pools import without_transient
from simplestack_kvm.libvirtd.guests.domains import POLL_SECONDS
from simplestack_kvm.libvirtd.guests.records import DiskRecord
from simplestack_kvm.libvirtd.storage.storages import active_pools
from simplestack_kvm.sdk import libvirt

#: How long to wait for a copy into a pool to end: libvirt refreshes no pool meanwhile.
COPY_SECONDS = 10.0
#: How long libvirt may take to look at a pool: it opens each file.
REFRESH_SECONDS = 20.0
_REFRESHES_AT_ONCE = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VolumeRecord:
    """A volume as libvirt read it from its header."""

    pool: str
    name: str
    #: As `normalized` writes it, with the symbolic links that the pool's path has.
    path: str
    format: str
    #: The path of the file that it is based on, normalized.
    backing: str | None
    #: Whether it is based on something that has no path: its chain cannot be followed.
    is_chain_unknown: bool
    #: Equal for all names of one file: its times, in nanoseconds, and its size.
    identity: tuple[str, ...]
    handle: "libvirt.virStorageVol"

    @property
    def label(self) -> str:
        """The volume as clients may know it: ``STORAGE/VOLUME``."""
        return f"{self.pool}/{self.name}"


class Inventory:
    """The volumes of a host's active pools."""

    def __init__(self, volumes: Iterable[VolumeRecord], *, is_complete: bool) -> None:
        """Index the volumes.

        :param is_complete: False when time ran out before all were looked at
        """
        self.is_complete = is_complete
        self._by_path = {volume.path: volume for volume in volumes}
        self._by_name = {(volume.pool, volume.name): volume for volume in self.volumes}
        self._same_file: defaultdict[tuple[str, ...], list[VolumeRecord]] = defaultdict(list)
        for volume in self.volumes:
            self._same_file[volume.identity].append(volume)

    @property
    def volumes(self) -> Iterable[VolumeRecord]:
        """All volumes."""
        return self._by_path.values()

    def at(self, path: str) -> VolumeRecord | None:
        """Return the volume of a path."""
        return self._by_path.get(normalized(path))

    def named(self, pool: str, name: str) -> VolumeRecord | None:
        """Return a pool's volume."""
        return self._by_name.get((pool, name))

    def volume_of(self, disk: DiskRecord) -> VolumeRecord | None:
        """Return the volume that a disk is."""
        if disk.volume is not None:
            return self.named(*disk.volume)
        return None if disk.path is None else self.at(disk.path)

    def chain(self, volume: VolumeRecord) -> list[VolumeRecord]:
        """Return a volume and the volumes that it is based on, from the top down."""
        chain: list[VolumeRecord] = []
        link: VolumeRecord | None = volume
        while link is not None and link not in chain:
            chain.append(link)
            link = None if link.backing is None else self.at(link.backing)
        return chain

    def same_file(self, volume: VolumeRecord) -> list[VolumeRecord]:
        """Return all volumes that are this file, itself included: a pool lists links like files."""
        return self._same_file[volume.identity]


def take_inventory(session: KvmSession) -> Inventory:
    """Read what all volumes of the active pools are based on; refresh these first, with `refresh_storages`.

    One round trip for each pool and for each volume: libvirt has no call that describes several. Further
    connections share the work where there are many.
    """
    volumes, descriptions = read_all(session, volumes_at, _describe)
    records = [
        volume_record(pool, parse_document(text), volumes[pool, name])
        for (pool, name), text in descriptions.items()
        if text is not None
    ]
    return Inventory(records, is_complete=len(descriptions) == len(volumes))


def refresh_storages(session: KvmSession) -> None:
    """Let libvirt look at the folders of all active pools.

    :raises Busy: a volume is being copied into a pool, and libvirt looks for no others meanwhile
    :raises HypervisorTimeout: a storage does not respond
    """
    for pool in active_pools(session):
        _refresh(session, pool)


def volumes_at(connection: "libvirt.virConnect") -> dict[tuple[str, str], "libvirt.virStorageVol"]:
    """Return the volumes of all active pools, by the names of pool and volume."""
    flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
    pools = without_transient(connection.listAllStoragePools(flags))
    return {(pool.name(), volume.name()): volume for pool in pools for volume in pool.listAllVolumes()}


def normalized(path: str) -> str:
    """Return a path without ``//`` and ``.``; where ``..`` leads depends on links, so it stays."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _refresh(session: KvmSession, pool: "libvirt.virStoragePool") -> None:
    """Let libvirt look at a pool's folder.

    :raises HypervisorTimeout: the storage does not respond
    """
    deadline_seconds = time.monotonic() + COPY_SECONDS
    while True:
        try:
            # In no turn with the lists' looks at storages, which wait for 3 s at most.
            place = "refresh", pool.UUIDString()
            bounded(session, place, pool.refresh, REFRESH_SECONDS, at_once=_REFRESHES_AT_ONCE)
        except NoResponse:
            raise HypervisorTimeout(
                f"storage {pool.name()} does not respond, so it is unknown which files are in use: "
                "try again when it does"
            ) from None
        except libvirt.libvirtError as error:
            if not has_reason(error):
                raise
            if not pool.isActive():
                # libvirt has just given it up. Guests that use it have disks in no active pool.
                _log.warning("storage %s cannot be read: %s", pool.name(), error)
                return
            if error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR:  # that of a copy in progress
                raise
            if time.monotonic() > deadline_seconds:
                raise Busy(
                    f"cannot refresh storage {pool.name()}, probably since a volume is being copied into it, "
                    "so it is unknown which files are in use: try again when the copy is done"
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            return


def file_identity(volume: "libvirt.virStorageVol") -> tuple[str, ...]:
    """Return what is equal for all names of a volume's file, as it is now, and changes with its content."""
    return volume_record("", parse_document(volume.XMLDesc()), volume).identity


def _describe(volume: "libvirt.virStorageVol") -> str | None:
    """Return libvirt's description of a volume; None for one that is gone meanwhile."""
    try:
        return volume.XMLDesc()
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_SYSTEM_ERROR):
            raise
        return None


def volume_record(pool: str, document: ET.Element, handle: "libvirt.virStorageVol") -> VolumeRecord:
    """Read a ``<volume>``."""
    form = document.find("target/format")
    base = document.find("backingStore")
    base_path = None if base is None else base.findtext("path")
    path = normalized(document.findtext("target/path", ""))
    times = tuple(document.findtext(f"target/timestamps/{name}", "") for name in ("mtime", "ctime", "btime"))
    size = document.findtext("physical", document.findtext("allocation", ""))
    return VolumeRecord(
        pool=pool,
        name=document.findtext("name", ""),
        path=path,
        format="raw" if form is None else form.get("type", "raw"),
        backing=normalized(base_path) if base_path and base_path.startswith("/") else None,
        is_chain_unknown=base is not None and not (base_path and base_path.startswith("/")),
        # Block devices have no times; each is only itself.
        identity=(*times, size) if times[1] else (path,),
        handle=handle,
    )
