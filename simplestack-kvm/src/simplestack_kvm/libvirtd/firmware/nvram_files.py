"""Read, create and delete files of UEFI variables, in a folder that is in no storage."""

import io
import posixpath
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from simplestack import MIB, Conflict, HypervisorTimeout
from simplestack_kvm.errors import has_reason, is_error, is_without_folder
from simplestack_kvm.libvirtd.connection.bounded import NoResponse, bounded
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.connection.transient_pools import transient_pool
from simplestack_kvm.libvirtd.images.sources import read_part
from simplestack_kvm.libvirtd.storage.uploads import upload
from simplestack_kvm.sdk import libvirt

#: The size of the largest ones, those of 64-bit Arm.
MAX_BYTES = 64 * MIB
_SECONDS = 60.0
_AT_ONCE = 4

T = TypeVar("T")


def read_file(session: KvmSession, path: str) -> bytes | None:
    """Return the content of a file, at most `MAX_BYTES` and one more; None where there is no file.

    :raises HypervisorTimeout: the folder does not respond
    """

    def read() -> bytes | None:
        with ExitStack() as stack:
            volume = _find(stack, session.connection, path)
            return None if volume is None else read_part(session.connection, volume, 0, MAX_BYTES + 1)

    return _within_limit(session, read)


def create_file(session: KvmSession, path: str, content: bytes, created: Callable[[], None]) -> None:
    """Create a file that only the owner of its folder may read and write.

    :param created: called as soon as the file may exist
    :raises Conflict: there is such a file already, which stays as it is
    :raises HypervisorTimeout: the folder does not respond
    """

    def create() -> None:
        with transient_pool(session.connection, posixpath.dirname(path)) as pool:
            volume = _create(pool, posixpath.basename(path), len(content), created)
            upload(session, volume, io.BytesIO(content), most_bytes=len(content))

    _within_limit(session, create)


def require_absent(session: KvmSession, path: str) -> None:
    """Check that a file does not exist.

    :raises Conflict: it does
    :raises HypervisorTimeout: the folder does not respond
    """

    def check() -> None:
        with ExitStack() as stack:
            if _find(stack, session.connection, path) is not None:
                raise _exists()

    _within_limit(session, check)


def delete_file(connection: "libvirt.virConnect", path: str) -> None:
    """Delete a file, if it is there."""
    with ExitStack() as stack:
        volume = _find(stack, connection, path)
        if volume is not None:
            volume.delete()


def _within_limit(session: KvmSession, action: Callable[[], T]) -> T:
    try:
        return bounded(session, "nvram", action, _SECONDS, at_once=_AT_ONCE)
    except NoResponse:
        raise HypervisorTimeout(
            "the folder of the UEFI variables does not respond: check the host, and try again"
        ) from None


def _find(stack: ExitStack, connection: "libvirt.virConnect", path: str) -> "libvirt.virStorageVol | None":
    """Return a file as a volume, as long as the stack lasts; None where there is no file or no folder."""
    try:
        pool = stack.enter_context(transient_pool(connection, posixpath.dirname(path)))
    except libvirt.libvirtError as error:
        if not is_without_folder(error):
            raise
        return None
    return _volume(pool, posixpath.basename(path))


def _volume(pool: "libvirt.virStoragePool", name: str) -> "libvirt.virStorageVol | None":
    try:
        return pool.storageVolLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
        return None


def _create(
    pool: "libvirt.virStoragePool", name: str, size_bytes: int, created: Callable[[], None]
) -> "libvirt.virStorageVol":
    if _volume(pool, name) is not None:
        raise _exists()
    try:
        volume = pool.createXML(_description(pool, name, size_bytes))
    except libvirt.libvirtError as error:
        if not has_reason(error):
            created()  # perhaps
        elif is_error(error, libvirt.VIR_ERR_STORAGE_VOL_EXIST, libvirt.VIR_ERR_OPERATION_INVALID):
            raise _exists() from None
        raise
    created()
    return volume


def _exists() -> Conflict:
    return Conflict(
        "the file for the UEFI variables of the new guest exists already: it may be another guest's"
    )


def _description(pool: "libvirt.virStoragePool", name: str, size_bytes: int) -> str:
    volume = ET.Element("volume")
    ET.SubElement(volume, "name").text = name
    ET.SubElement(volume, "capacity", unit="bytes").text = str(size_bytes)
    target = ET.SubElement(volume, "target")
    ET.SubElement(target, "format", type="raw")
    permissions = ET.SubElement(target, "permissions")
    ET.SubElement(permissions, "mode").text = "0600"
    # As libvirt's own: where it does not change owners, QEMU's user must be able to write to the file.
    permissions.extend(
        part
        for part in parse_document(pool.XMLDesc()).iterfind("target/permissions/*")
        if part.tag in ("owner", "group")
    )
    return ET.tostring(volume, encoding="unicode")
