"""Check volumes before libvirt copies them: an image brings in nothing from outside of the storage pools.

libvirt copies with `qemu-img convert`, which follows backing files and data files with the rights of root. As
the service may run on another machine than libvirtd, all that is read here is read through libvirt.

libvirt finds out a volume's format by its content when it refreshes the pool, and copies the volume in that
format. This can be wrong in two ways: the content has changed since, or a guest has written an image's header
into its own raw disk. So the content is compared with libvirt's format, and with that of the domains.
"""

import contextlib
import itertools
import logging
import posixpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

from simplestack import Busy, Conflict, HypervisorTimeout, InvalidArguments
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.descriptions import describe_guests
from simplestack_kvm.libvirtd.guests.records import Source, disk_format, place_of
from simplestack_kvm.libvirtd.images.headers import HEADER_BYTES, ImageHeader, UnusableImage, read_header
from simplestack_kvm.libvirtd.storage.inventory import normalized
from simplestack_kvm.libvirtd.storage.storages import active_pools, refresh_pools
from simplestack_kvm.libvirtd.storage.volumes import is_block, look_up_volume
from simplestack_kvm.sdk import libvirt

#: How many images may be based on one another.
MAX_CHAIN = 16
#: QEMU takes "word:" at the start of a file name for a protocol, unless a slash comes first.
_PROTOCOL = re.compile(r"[^/]*:")
#: What QEMU reads as it is.
_PLAIN = frozenset({"raw", "iso"})
_BY_HAND = "convert it to a qcow2 image that refers to no other file"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Link:
    """An image of a chain: a volume, its format as libvirt has it, and what its content says."""

    volume: "libvirt.virStorageVol"
    known_format: str
    header: ImageHeader
    #: Changes with the content of a file: its modification time and its size.
    state: tuple[str, ...]
    #: Whether it is the raw base of another image: whatever it holds is data.
    is_data: bool = False


class CheckedImage:
    """An image that may be copied, as long as it stays as it was."""

    def __init__(self, session: KvmSession, name: str, links: list[_Link]) -> None:
        self._session = session
        self._name = name
        self._links = links

    @property
    def volumes(self) -> "list[libvirt.virStorageVol]":
        """The image, and all that it is based on."""
        return [link.volume for link in self._links]

    def check_again(self) -> None:
        """Check after the copy that the image is what it was before.

        :raises Busy: it changed meanwhile
        """
        for link in self._links:
            try:
                same = (
                    _state(link.volume) == link.state
                    if link.is_data
                    else _read(self._session, link.volume) == link
                )
            except UnusableImage:
                same = False
            if not same:
                raise Busy(f"image {self._name!r} changed while it was copied: try again when it is complete")


def check_image(session: KvmSession, name: str, volume: "libvirt.virStorageVol") -> CheckedImage:
    """Check that a volume can be copied and refers to no file outside of the active storage pools.

    :param name: what the client calls the image
    :raises InvalidArguments: it refers to such a file, or libvirt cannot copy it, or not from a block device
    :raises Conflict: it is the disk of a guest that has another format than its content says
    :raises Busy: libvirt does not know the file's present format yet
    """
    try:
        links = list(_chain(session, volume))
    except UnusableImage as error:
        raise InvalidArguments(f"image {name!r} {error}") from None
    top = links[0]
    if _plain(top.known_format) != _plain(top.header.format):
        if is_block(top.volume):
            raise InvalidArguments(
                f"image {name!r} is {top.header.format} on a block device, which is copied as raw data only: "
                "put the image as a file into another storage"
            )
        raise Busy(
            f"image {name!r} has the format {top.header.format}, but libvirt still reports "
            f"{top.known_format}: try again when its storage is not busy"
        )
    _reject_other_formats(session, name, links)
    return CheckedImage(session, name, links)


def read_start(connection: "libvirt.virConnect", volume: "libvirt.virStorageVol") -> bytes:
    """Read the first `HEADER_BYTES` of a volume."""
    return read_part(connection, volume, 0, HEADER_BYTES)


def read_part(
    connection: "libvirt.virConnect", volume: "libvirt.virStorageVol", offset: int, length: int
) -> bytes:
    """Read some bytes of a volume; fewer where it ends."""
    stream = connection.newStream(0)
    part = bytearray()
    try:
        volume.download(stream, offset, length, 0)
        while chunk := stream.recv(HEADER_BYTES):
            part += chunk
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):  # what matters is on its way already
            stream.abort()
        raise
    return bytes(part)


def known_format(volume: "libvirt.virStorageVol") -> str:
    """Return a volume's format as libvirt found it when it last looked at the pool.

    :raises UnusableImage: it is neither a file nor a block device
    """
    document = parse_document(volume.XMLDesc())
    kind = document.get("type")
    if kind == "block":
        return "raw"  # whatever libvirt says here is the type of a partition
    if kind != "file":
        raise UnusableImage("is neither a file nor a block device: use an image")
    element = document.find("target/format")
    return "raw" if element is None else element.get("type", "raw")


def _chain(session: KvmSession, volume: "libvirt.virStorageVol") -> Iterator[_Link]:
    """Yield an image, what it is based on, and so forth."""
    link = _read(session, volume)
    if _plain(link.known_format) != _plain(link.header.format):
        refresh_pools([volume.storagePoolLookupByVolume()])
        link = _read(session, volume)
    yield link
    paths = {volume.path()}
    while link.header.backing_file is not None:
        base = _base(session, link)
        if base.path() in paths or len(paths) >= MAX_CHAIN:
            raise UnusableImage(f"is based on itself, or on more than {MAX_CHAIN} other images: {_BY_HAND}")
        paths.add(base.path())
        if link.header.backing_format == "raw":
            header = ImageHeader(format="raw")
            yield _Link(
                volume=base, known_format=known_format(base), header=header, state=_state(base), is_data=True
            )
            return
        link = _read(session, base)
        if link.header.format != "qcow2":
            raise UnusableImage(f"is based on an image that is not qcow2, as it should be: {_BY_HAND}")
        yield link


def _read(session: KvmSession, volume: "libvirt.virStorageVol") -> _Link:
    image_format = known_format(volume)
    header = read_header(read_start(session.connection, volume))
    return _Link(volume=volume, known_format=image_format, header=header, state=_state(volume))


def _state(volume: "libvirt.virStorageVol") -> tuple[str, ...]:
    # Not the time of change: libvirt sets the owner of an image for each guest that is based on it.
    document = parse_document(volume.XMLDesc())
    return tuple(document.findtext(path, "") for path in ("target/timestamps/mtime", "physical"))


def _base(session: KvmSession, link: _Link) -> "libvirt.virStorageVol":
    """Find the volume that an image is based on.

    :raises UnusableImage: no active pool has it
    """
    path = _base_path(link.volume.path(), link.header.backing_file or "")
    volume = look_up_volume(session, path, None)
    if volume is None and path is not None:
        refresh_pools(active_pools(session))
        volume = look_up_volume(session, path, None)
    if volume is None:
        raise UnusableImage(f"is based on a file outside of the storages: {_BY_HAND}")
    return volume


def _base_path(path: str, backing_file: str) -> str | None:
    """Return the path that QEMU opens for a backing file; None where it is not plain.

    Names with ``..`` are not plain: where they lead depends on links.
    """
    if _PROTOCOL.match(backing_file) or not backing_file.isprintable():
        return None
    joined = posixpath.join(posixpath.dirname(path), backing_file)
    parts = [part for part in joined.split("/") if part not in ("", ".")]
    return None if ".." in parts else "/" + "/".join(parts)


def _reject_other_formats(session: KvmSession, name: str, links: list[_Link]) -> None:
    """Reject images that are disks of a guest which knows them by another format.

    A guest may write what it likes into its own raw disk, and a header is only data there.
    """
    formats = {
        normalized(link.volume.path()): link.header.format
        for link in links
        if link.header.format not in _PLAIN
    }
    if not formats:
        return
    guests, is_complete = describe_guests(session)
    if not is_complete:
        raise HypervisorTimeout(
            f"there was not enough time to check whether image {name!r} is a guest's disk: try again later"
        )
    names = {link.volume.name() for link in links}
    disks = (disk for guest in guests for disk in guest.disks() if _is_written(disk))
    for source, used_format in itertools.chain.from_iterable(_formats(disk) for disk in disks):
        # A volume has the same name in all pools that show the same file: others need not be looked up.
        path = None if isinstance(source, tuple) and source[1] not in names else _path(session, source)
        if path in formats and used_format != formats[path]:
            raise Conflict(
                f"image {name!r} is the {used_format} disk of a guest, or based on one, and its content "
                f"looks like {formats[path]}: use another image"
            )


def _is_written(disk: ET.Element) -> bool:
    """Tell whether a guest may write to a disk."""
    return disk.get("device") != "cdrom" and disk.find("readonly") is None


def _formats(disk: ET.Element) -> Iterator[tuple[Source | None, str]]:
    """Yield where a disk and what it is based on are, and the format that each has for the guest."""
    yield place_of(disk.find("source")), disk_format(disk)
    for base in disk.iter("backingStore"):
        base_format = base.find("format")
        if base_format is not None:
            yield place_of(base.find("source")), base_format.get("type", "raw")


def _path(session: KvmSession, source: Source | None) -> str | None:
    if isinstance(source, tuple):
        volume = look_up_volume(session, None, source)
        source = None if volume is None else volume.path()
    return None if source is None else normalized(source)


def _plain(image_format: str) -> str:
    return "raw" if image_format in _PLAIN else image_format
