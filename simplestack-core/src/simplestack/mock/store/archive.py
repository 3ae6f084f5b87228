"""The image format of the mock: a tar archive with a manifest and the content of each disk.

The first file is the manifest (JSON), followed by one file for each disk, in the manifest's order. The bytes
of a disk are derived from its seed: they are generated while they are sent, and compared while they arrive.
"""

import tarfile
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from simplestack import (
    CHUNK_BYTES,
    GIB,
    MAX_DISK_GIB,
    MAX_RATE_BITS,
    Cpus,
    Export,
    Firmware,
    ImportStream,
    InvalidArguments,
    LockingMode,
    Mac,
    MemoryMiB,
    Name,
)
from simplestack.mock.store.contents import content_chunks
from simplestack.mock.store.records import Content, GuestRecord

#: Length of a tar header. Files are padded to a multiple of it.
BLOCK_BYTES = tarfile.BLOCKSIZE
_MANIFEST = "simplestack-mock.json"
_MAX_MANIFEST_BYTES = CHUNK_BYTES
_END = bytes(2 * BLOCK_BYTES)


class ArchivedDisk(Struct, frozen=True, kw_only=True):
    """A disk in a manifest."""

    name: Name
    size_bytes: Annotated[int, Meta(ge=512, le=MAX_DISK_GIB * GIB)]
    seed: Annotated[str, Meta(max_length=64)]
    content_bytes: Annotated[int, Meta(ge=0, le=8 * GIB - 1)]

    @property
    def content(self) -> Content:
        """The content of the disk."""
        return Content(self.seed, self.content_bytes)

    def __post_init__(self) -> None:
        """Check that the content fits on the disk."""
        if self.content_bytes > self.size_bytes:
            raise ValueError(f"disk {self.name!r} has {self.content_bytes} bytes on {self.size_bytes}")


class ArchivedInterface(Struct, frozen=True, kw_only=True):
    """A network interface in a manifest."""

    mac: Mac
    network: Name
    locking_mode: LockingMode
    ipv4_allowed: list[str]
    ipv6_allowed: list[str]
    ratelimit: Annotated[int, Meta(ge=1, le=MAX_RATE_BITS)] | None
    active: bool


class Manifest(Struct, frozen=True, kw_only=True):
    """The description of the guest in an archive."""

    format: Literal["simplestack-mock-guest"] = "simplestack-mock-guest"
    version: Literal[1] = 1
    name: Name
    memory_mib: MemoryMiB
    cpus: Cpus
    paravirtualized: bool | None
    firmware: Firmware = "bios"
    template: bool
    iso: Name | None
    tags: list[Name]
    disks: list[ArchivedDisk]
    interfaces: list[ArchivedInterface]


def write_archive(guest: GuestRecord) -> Export:
    """Return the archive of a guest. Its length is known before its first byte is generated."""
    disks = [
        ArchivedDisk(
            name=disk.name,
            size_bytes=disk.size_bytes,
            seed=disk.content.seed,
            content_bytes=disk.content.length,
        )
        for disk in guest.hardware.disks
    ]
    fields = {**asdict(guest.hardware), **asdict(guest), "disks": disks}
    document = msgspec.json.encode(msgspec.convert(fields, Manifest, from_attributes=True))
    lengths = [len(document), *(disk.content_bytes for disk in disks)]
    size = sum(BLOCK_BYTES + length + _padding(length) for length in lengths) + len(_END)
    return Export(_archive_chunks(document, disks), size)


def is_archive(head: bytes) -> bool:
    """Return whether an image is an archive of the mock.

    :param head: its first `BLOCK_BYTES`
    """
    return head[257:262] == b"ustar" and head.startswith(f"{_MANIFEST}\0".encode())


def read_archive(head: bytes, stream: ImportStream) -> Manifest:
    """Read an archive to its end, and check each byte against the manifest.

    :param head: its first `BLOCK_BYTES`
    :param stream: the rest
    :raises InvalidArguments: it is damaged
    """
    length = _file_bytes(head, _MANIFEST)
    if length > _MAX_MANIFEST_BYTES:
        raise InvalidArguments(
            f"the image's manifest has {length} bytes, at most {_MAX_MANIFEST_BYTES} are read: export the "
            "guest again"
        )
    document = _take(stream, length)
    _skip_padding(stream, length)
    manifest = _decode_manifest(document)
    for number, disk in enumerate(manifest.disks):
        name = _disk_file(number)
        if _file_bytes(_take(stream, BLOCK_BYTES), name) != disk.content_bytes:
            raise InvalidArguments(
                f"{name} in the image is not as long as its manifest says: export the guest again"
            )
        for chunk in content_chunks(disk.content):
            if _take(stream, len(chunk)) != chunk:
                raise InvalidArguments(f"{name} in the image is damaged: export the guest again")
        _skip_padding(stream, disk.content_bytes)
    if _take(stream, len(_END)) != _END:
        raise InvalidArguments("the image has more files than its manifest says: export the guest again")
    while chunk := stream.read(CHUNK_BYTES):  # tar pads archives to its record size
        if chunk.count(0) != len(chunk):
            raise InvalidArguments("the image goes on after its end: send nothing but the export")
    return manifest


def read_up_to(stream: ImportStream, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end. They are in memory, so `size` must be small."""
    piece = data = stream.read(size)
    while piece and len(data) < size:
        piece = stream.read(size - len(data))
        data += piece
    return data


def _decode_manifest(document: bytes) -> Manifest:
    try:
        return msgspec.json.decode(document, type=Manifest)
    except msgspec.DecodeError as error:  # which a ValidationError is
        # Only the messages of our own checks are for clients. msgspec's are about Python types.
        why = f" ({error.__cause__})" if isinstance(error.__cause__, ValueError) else ""
        raise InvalidArguments(f"the image's manifest is damaged{why}: export the guest again") from None


def _archive_chunks(document: bytes, disks: list[ArchivedDisk]) -> Iterator[bytes]:
    yield _header(_MANIFEST, len(document)) + document + bytes(_padding(len(document)))
    for number, disk in enumerate(disks):
        yield _header(_disk_file(number), disk.content_bytes)
        yield from content_chunks(disk.content)
        yield bytes(_padding(disk.content_bytes))
    yield _END


def _disk_file(number: int) -> str:
    return f"disk-{number}.raw"


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.USTAR_FORMAT)


def _file_bytes(header: bytes, name: str) -> int:
    """Return the length of a file in the archive from its header."""
    try:
        member = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        raise InvalidArguments(f"the image is damaged before {name}: export the guest again") from None
    if member.name != name or not member.isreg():
        raise InvalidArguments(f"the image has {member.name!r} in place of {name}: export the guest again")
    return member.size


def _padding(size: int) -> int:
    return -size % BLOCK_BYTES


def _skip_padding(stream: ImportStream, size: int) -> None:
    padding = _padding(size)
    if _take(stream, padding) != bytes(padding):
        raise InvalidArguments("the image is damaged after the end of a file: export the guest again")


def _take(stream: ImportStream, size: int) -> bytes:
    data = read_up_to(stream, size) if size else b""
    if len(data) < size:
        raise InvalidArguments("the image is cut short: send all of it")
    return data
