"""Which volumes belong to one guest alone, and so may be deleted."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from simplestack_kvm.documents import parse_document
from simplestack_kvm.faults import has_reason
from simplestack_kvm.records import DiskRecord
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession
from simplestack_kvm.volumes import active_pools, look_up_volume, volume_of


def own_volumes(
    session: KvmSession, guest_id: str, disks: Sequence[DiskRecord]
) -> list["libvirt.virStorageVol"]:
    """Return the volumes that go when their guest or disk goes.

    Not among them: disks in no pool, read-only and shared ones, those that another guest uses as well, and
    those that another volume is based on (a backing file).
    """
    candidates = [volume for disk in disks if disk.own and (volume := volume_of(session, disk)) is not None]
    if not candidates:
        return []
    used = _used_paths(session, guest_id) | _backing_paths(session)
    return [volume for volume in candidates if volume.path() not in used]


def _used_paths(session: KvmSession, but_by: str) -> set[str]:
    """Return the paths of all drives of all other guests, and of the backing files that are known."""
    paths: set[str] = set()
    for domain in session.connection.listAllDomains():
        if domain.UUIDString() == but_by.lower():
            continue
        for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
            try:
                description = parse_document(domain.XMLDesc(flags))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
                break
            for disk in description.iterfind("devices/disk"):
                paths |= {path for source in disk.iter("source") if (path := _source_path(session, source))}
    return paths


def _source_path(session: KvmSession, source: ET.Element) -> str | None:
    pool, volume = source.get("pool"), source.get("volume")
    if pool is None or volume is None:
        return source.get("file") or source.get("dev")
    found = look_up_volume(session, None, (pool, volume))
    return None if found is None else found.path()


def _backing_paths(session: KvmSession) -> set[str]:
    paths = set()
    for pool in active_pools(session):
        for volume in pool.listAllVolumes():
            try:
                path = parse_document(volume.XMLDesc()).findtext("backingStore/path")
            except libvirt.libvirtError as error:
                # Its file was removed by other means than libvirt: what it was based on is nobody's now.
                if error.get_error_code() not in (
                    libvirt.VIR_ERR_NO_STORAGE_VOL,
                    libvirt.VIR_ERR_SYSTEM_ERROR,
                ) or not has_reason(error):
                    raise
                continue
            if path:
                paths.add(path)
    return paths
