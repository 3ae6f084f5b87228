"""Make disks of the images that clients upload.

QEMU opens whatever an image refers to with the rights of the host, and libvirt looks at every volume of a
pool to find out its format and what it is based on. So the start of an image is checked before its first byte
is written, and an image that refers to another file is not written at all.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from simplestack import (
    GIB,
    MAX_DISK_GIB,
    HypervisorError,
    HypervisorTimeout,
    InsufficientStorage,
    InvalidArguments,
    gib,
    time_left_seconds,
)
from simplestack.appliances import Incoming
from simplestack_kvm.errors import has_reason, is_error, translate
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domain_xml import VolumeSource
from simplestack_kvm.libvirtd.images.headers import (
    HEADER_BYTES,
    ImageHeader,
    UnusableImage,
    format_of,
    read_header,
)
from simplestack_kvm.libvirtd.images.sources import read_part
from simplestack_kvm.libvirtd.images.tables import is_complete
from simplestack_kvm.libvirtd.storage.storages import active_pools, available_bytes, gone_codes, refresh_pools
from simplestack_kvm.libvirtd.storage.uploads import too_large, upload
from simplestack_kvm.libvirtd.storage.volumes import (
    copy_volume,
    has_files,
    make_staging_volume,
    make_volume,
    source_of,
)
from simplestack_kvm.sdk import libvirt

#: For messages: what can be imported as a bare image.
READABLE = "qcow2, qcow, QED, VMDK (monolithicSparse or streamOptimized), VDI, VHD (dynamic)"
_SECTOR_BYTES = 512
#: What an empty VMDK image takes up that libvirt makes; see `make_staging_volume`.
_SMALLEST_VMDK_BYTES = 64 * 1024
#: Says in a VMDK image's header that there is another one at the end.
_VMDK_AT_END = b"\xff" * 8
#: Marks of files that hold something else, or that libvirt would take for raw data.
_COMPRESSED = {
    b"\x1f\x8b": "compressed by gzip",
    b"\xfd7zXZ\0": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"BZh": "compressed by bzip2",
    b"\x04\x22\x4d\x18": "compressed by lz4",
    b"PK\3\4": "a ZIP archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
}


class Destination:
    """The pool that the disks of an imported guest go into."""

    def __init__(self, session: KvmSession, pool: "libvirt.virStoragePool") -> None:
        """Choose a pool. What libvirt knows of its room is brought up to date.

        :raises Conflict: the pool has vanished
        """
        refresh_pools([pool])
        self.pool = pool
        #: Whether the volumes of the pool are files.
        self.is_file = has_files(pool)
        #: Where images are uploaded that must be converted. None if no pool has files.
        self.staging: libvirt.virStoragePool | None = pool
        if not self.is_file:
            roomiest = max(_file_pools(session), key=lambda found: found[0], default=None)
            self.staging = None if roomiest is None else roomiest[1]

    def require_room(self, size_bytes: int) -> None:
        """Check that there is room for what a client announces.

        :raises InsufficientStorage: there is not
        """
        room_bytes = available_bytes(self.pool)
        if size_bytes > room_bytes:
            raise too_large(self.pool, room_bytes)

    def require_size(self, disk_bytes: int, what: str) -> None:
        """Check that a disk of this size can be in the pool. In files it takes only the space that it uses.

        :param what: names the image in errors
        :raises InvalidArguments: it has no bytes, or more than any disk
        :raises InsufficientStorage: the pool is smaller
        """
        if not 0 < disk_bytes <= MAX_DISK_GIB * GIB:
            raise InvalidArguments(
                f"{what} says that its disk has {disk_bytes} bytes: it must have more than 0 bytes, and "
                f"at most {MAX_DISK_GIB} GiB"
            )
        info: Any = self.pool.info()  # the binding's own annotation says str
        pool_bytes = int(info[1])
        if disk_bytes > pool_bytes:
            raise InsufficientStorage(
                f"{what} is a disk of {gib(disk_bytes):.4g} GiB, and storage {self.pool.name()} has only "
                f"{gib(pool_bytes):.4g} GiB: name a larger storage"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskImports:
    """Makes the disks of a new guest."""

    session: KvmSession
    made: Leftovers
    destination: Destination
    guest_id: str

    def add(self, image: Incoming, header: ImageHeader, what: str, size_bytes: int | None) -> VolumeSource:
        """Make a volume of an image, which is read to its end. What is not qcow2 is converted on the host.

        :param header: what :func:`check_start` or :func:`check_raw` returned of it
        :param what: names the image in errors: ``the image``
        :param size_bytes: the size of the image; None if unknown
        :raises InvalidArguments: it cannot be read
        :raises InsufficientStorage: there is not enough room
        :raises NotImplementedError: the storage has no files, and no other one could hold the image meanwhile
        :raises HypervisorTimeout: it took too long
        """
        disk_bytes = header.size_bytes
        if disk_bytes is None and size_bytes is not None:
            disk_bytes = _in_sectors(size_bytes)
        if disk_bytes is not None:
            self.destination.require_size(disk_bytes, what)
        if disk_bytes is not None and (
            header.is_ready if self.destination.is_file else header.format == "raw"
        ):
            return self._upload(image, disk_bytes, what)
        return self._convert(image, header, what)

    def add_empty(self, size_bytes: int, what: str) -> VolumeSource:
        """Make a volume of a disk that begins empty."""
        self.destination.require_size(size_bytes, what)
        return source_of(make_volume(self.made, self.destination.pool, self.guest_id, size_bytes))

    def _upload(self, image: Incoming, disk_bytes: int, what: str) -> VolumeSource:
        """Write an image into a volume that has its format."""
        pool = self.destination.pool
        volume = make_volume(self.made, pool, self.guest_id, disk_bytes)
        room_bytes = available_bytes(pool) if self.destination.is_file else disk_bytes
        self._write(image, volume, room_bytes, what)
        return source_of(volume)

    def _write(self, image: Incoming, volume: "libvirt.virStorageVol", room_bytes: int, what: str) -> int:
        """Write an image into a volume; return the number of bytes.

        :raises InvalidArguments: it lacks data that it refers to
        """
        start = image.peek(HEADER_BYTES)
        written_bytes = upload(self.session, volume, image, most_bytes=room_bytes)
        read = partial(read_part, self.session.connection, volume)
        if format_of(start) == "qcow2" and not is_complete(start, read, written_bytes):
            raise InvalidArguments(f"{what} ends too early: it refers to data after its end; send all of it")
        return written_bytes

    def _convert(self, image: Incoming, header: ImageHeader, what: str) -> VolumeSource:
        """Write an image into a volume of its own, let libvirt convert it, and delete that volume."""
        pool = self.destination.staging
        if pool is None:
            raise NotImplementedError(
                f"storage {self.destination.pool.name()} has no files, so it takes only raw images with a "
                "Content-Length: the host has no storage with files in which libvirt could convert others"
            )
        staging = make_staging_volume(self.made, pool, self.guest_id, header.format)
        written_bytes = self._write(image, staging, available_bytes(pool), what)
        if header.format == "vmdk" and written_bytes < _SMALLEST_VMDK_BYTES:
            raise InvalidArguments(
                f"{what} is a VMDK image of only {written_bytes} bytes: send all of it, or convert it to "
                "qcow2"
            )
        if header.format == "vmdk":
            self._check_end(staging, written_bytes, what)
        disk_bytes = header.size_bytes
        if disk_bytes is None:
            disk_bytes = _in_sectors(written_bytes)
            self.destination.require_size(disk_bytes, what)
        try:
            volume = copy_volume(self.made, self.destination.pool, self.guest_id, staging, disk_bytes)
        except libvirt.libvirtError as error:
            known = translate(error)
            if has_reason(error) and type(known) is HypervisorError:  # that of a qemu-img that failed
                raise InvalidArguments(f"{what} cannot be converted: {known.message}") from None
            raise
        staging.delete()
        require_time()
        return source_of(volume)

    def _check_end(self, image: "libvirt.virStorageVol", written_bytes: int, what: str) -> None:
        """Check the size in the header at the end of a VMDK image: QEMU goes by that one, if there is one.

        :raises InvalidArguments: it is not the one that was checked
        """
        read = partial(read_part, self.session.connection, image)
        start, end = (
            read(0, _SECTOR_BYTES),
            read(_in_sectors(written_bytes) - 2 * _SECTOR_BYTES, _SECTOR_BYTES),
        )
        if start[56:64] == _VMDK_AT_END and start[12:20] != end[12:20]:
            raise InvalidArguments(
                f"{what} is a VMDK image with another size at its end: convert it to qcow2"
            )


def require_time() -> None:
    """Check that the client still waits: what is finished after the time limit must not stay.

    :raises HypervisorTimeout: it does not
    """
    if time_left_seconds() <= 0:
        raise HypervisorTimeout("the import took too long: everything that it created is removed")


def check_start(image: Incoming, what: str, *, raw_advice: str | None) -> ImageHeader:
    """Read what an image says of itself, without consuming it.

    :param raw_advice: what to do about an image without a known format; None to take it for the raw data of
        a disk
    :raises InvalidArguments: it cannot be imported, or refers to another file
    """
    start = _start(image, what)
    for mark, how in _COMPRESSED.items():
        if start.startswith(mark):
            raise InvalidArguments(f"{what} is {how}: decompress it, or convert it to qcow2")
    try:
        header = read_header(start)
    except UnusableImage as error:
        raise InvalidArguments(f"{what} {error}") from None
    if header.backing_file is not None:
        raise InvalidArguments(
            f"{what} is based on another file: convert it to a qcow2 image that refers to no other file"
        )
    if header.format == "iso":
        raise InvalidArguments(
            f"{what} is an ISO image, not a disk: copy it into a storage, and name it as `iso` of a new guest"
        )
    if header.format == "raw" and raw_advice is not None:
        raise InvalidArguments(f"{what} has no known format. {raw_advice}")
    return header


def check_raw(image: Incoming, what: str) -> ImageHeader:
    """Check that what is said to be the raw data of a disk looks like that to libvirt, too.

    Its guest may have written an image's header into it. libvirt would take it for that image, and copy what
    the header refers to.

    :raises InvalidArguments: it looks like something else
    """
    found = format_of(_start(image, what))
    if found not in ("raw", "iso"):
        raise InvalidArguments(
            f"{what} is said to be raw data, and begins like a {found} image, which its guest may have "
            "written: convert the disk to qcow2 first"
        )
    return ImageHeader(format="raw")


def _start(image: Incoming, what: str) -> bytes:
    start = image.peek(HEADER_BYTES)
    if not start:
        raise InvalidArguments(f"{what} is empty: send the bytes of one")
    return start


def _in_sectors(size_bytes: int) -> int:
    return -(-size_bytes // _SECTOR_BYTES) * _SECTOR_BYTES


def _file_pools(session: KvmSession) -> list[tuple[int, "libvirt.virStoragePool"]]:
    """Return the active pools of files, with their room."""
    pools = []
    for pool in active_pools(session):
        try:
            if has_files(pool):
                pools.append((available_bytes(pool), pool))
        except libvirt.libvirtError as error:
            if not is_error(error, *gone_codes()):
                raise
    return pools
