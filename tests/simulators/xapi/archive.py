"""An image of a VM: a tar whose first member, ``ova.xml``, describes the VM.

The document in it is the simulator's own: records as JSON in one element. Each disk follows in members of
1 MiB, ``Ref:NUMBER/00000000`` and so on, as XAPI has them. It is read as XAPI reads it: as far as the last
disk goes, and never the zeros that close a tar.
"""

import tarfile
from collections.abc import Iterator
from typing import Any, Literal, Protocol
from xml.etree import ElementTree as ET

import msgspec
from msgspec import Struct

from simulators.xapi.contents import CHUNK_BYTES, Content
from simulators.xapi.failures import Failure

_DOCUMENT = "ova.xml"
_MAX_DOCUMENT_BYTES = 16 * CHUNK_BYTES
_BLOCK = tarfile.BLOCKSIZE


class ImageDisk(Struct):
    """A disk, and the drive that it is in."""

    drive: dict[str, Any]
    disk: dict[str, Any]
    content: Content


class Document(Struct):
    """What an image says of its VM."""

    vm: dict[str, Any]
    power_state: Literal["Halted", "Suspended"]
    disks: list[ImageDisk]
    interfaces: list[dict[str, Any]]

    @property
    def pieces(self) -> int:
        """In how many members its disks are."""
        return sum(-(-disk.content.length // CHUNK_BYTES) for disk in self.disks)


class Readable(Protocol):
    """What an image is read from."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, or fewer at the end."""
        ...


class Writable(Protocol):
    """What an image is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of it."""
        ...


def write_image(document: Document, target: Writable) -> Iterator[None]:
    """Write an image, and let the caller have a look after each piece of its disks."""
    root = ET.Element("value")
    root.text = msgspec.json.encode(document).decode()
    _write(target, _DOCUMENT, ET.tostring(root))
    for name, piece in _pieces(document):
        _write(target, name, piece)
        yield
    target.write(bytes(2 * _BLOCK))


def read_document(source: Readable) -> Document:
    """Read the beginning of an image.

    :raises Failure: IMPORT_ERROR_PREMATURE_EOF, which XAPI says of all that does not begin as an image does,
        because it takes it for a compressed one; or IMPORT_ERROR
    """
    member = _header(source, Failure("IMPORT_ERROR_PREMATURE_EOF"))
    if member.name != _DOCUMENT or member.size > _MAX_DOCUMENT_BYTES:
        raise Failure("IMPORT_ERROR_PREMATURE_EOF")
    data = _content(source, member)
    try:
        return msgspec.json.decode(ET.fromstring(data).text or "", type=Document)  # noqa: S314  tests' own
    except (ValueError, ET.ParseError) as error:
        raise Failure("IMPORT_ERROR", f"{_DOCUMENT}: {error}") from error


def read_disks(source: Readable, document: Document) -> Iterator[None]:
    """Read what is on the disks, which is what the document says, and let the caller look after each piece.

    :raises Failure: IMPORT_ERROR or IMPORT_ERROR_PREMATURE_EOF
    """
    for name, piece in _pieces(document):
        member = _header(source, Failure("IMPORT_ERROR", "the header of a tar is damaged"))
        if member.name != name or member.size != len(piece):
            raise Failure("IMPORT_ERROR", f"Invalid XVA file: {member.name} in place of {name}")
        if _content(source, member) != piece:
            raise Failure("IMPORT_ERROR", f"Block {name} checksum failed")
        yield


def _pieces(document: Document) -> Iterator[tuple[str, bytes]]:
    for number, disk in enumerate(document.disks):
        for index, chunk in enumerate(disk.content.chunks()):
            yield f"Ref:{number}/{index:08d}", chunk


def _write(target: Writable, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    target.write(member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(_padding(member)))


def _header(source: Readable, otherwise: Failure) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(_exactly(source, _BLOCK), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        raise otherwise from None


def _content(source: Readable, member: tarfile.TarInfo) -> bytes:
    data = _exactly(source, member.size)
    _exactly(source, _padding(member))
    return data


def _padding(member: tarfile.TarInfo) -> int:
    return -member.size % _BLOCK


def _exactly(source: Readable, size: int) -> bytes:
    """Read so much, wherever the request was to end: XAPI does not look at its length."""
    try:
        data = source.read(size)
    except OSError:
        data = b""
    if len(data) < size:
        raise Failure("IMPORT_ERROR_PREMATURE_EOF")
    return data
