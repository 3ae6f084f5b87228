"""Write appliances: tar archives (OVA) whose length is known before their first byte.

The descriptor comes first, then the files in the order in which it lists them, and the manifest with their
digests last, where DSP0243 allows it (5.3), too: the digests are known only when everything has been read.
"""

import hashlib
import tarfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from simplestack.entities.limits import GIB

DESCRIPTOR_NAME = "guest.ovf"
_MANIFEST_NAME = "guest.mf"
_BLOCK_BYTES = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK_BYTES)
#: Where the eleven octal digits of a ustar header end.
_USTAR_BYTES = 8 * GIB


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMember:
    """A file of an archive."""

    name: str
    size_bytes: int
    #: Returns the content in pieces, as many bytes as the size. It is called once.
    content: Callable[[], Iterator[bytes]]


def archive_bytes(descriptor: bytes, members: Sequence[NewMember]) -> int:
    """Return the length of an archive."""
    names = [DESCRIPTOR_NAME, *(member.name for member in members)]
    manifest_bytes = sum(len(_line(name, hashlib.sha256().hexdigest())) for name in names)
    sizes = [len(descriptor), *(member.size_bytes for member in members), manifest_bytes]
    return sum(_BLOCK_BYTES + size + len(_padding(size)) for size in sizes) + len(_END)


def archive_chunks(descriptor: bytes, members: Sequence[NewMember]) -> Generator[bytes]:
    """Yield an archive in pieces.

    :raises ValueError: a member has another length than it should
    """
    yield _whole(DESCRIPTOR_NAME, descriptor)
    manifest = _line(DESCRIPTOR_NAME, hashlib.sha256(descriptor).hexdigest())
    for member in members:
        yield _header(member.name, member.size_bytes)
        digest, size_bytes = hashlib.sha256(), 0
        for piece in member.content():
            digest.update(piece)
            size_bytes += len(piece)
            yield piece
        if size_bytes != member.size_bytes:
            raise ValueError(f"{member.name} has {size_bytes} bytes, not {member.size_bytes}")
        if padding := _padding(size_bytes):
            yield padding
        manifest += _line(member.name, digest.hexdigest())
    yield _whole(_MANIFEST_NAME, manifest) + _END


def _whole(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + _padding(len(content))


def _header(name: str, size_bytes: int) -> bytes:
    """Return a header of ustar. Where that cannot have the length, it is in base 256, as GNU tar writes it.

    VMware's products and VirtualBox read that, and not pax headers.
    """
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    return member.tobuf(tarfile.USTAR_FORMAT if size_bytes < _USTAR_BYTES else tarfile.GNU_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % _BLOCK_BYTES)


def _line(name: str, digest: str) -> bytes:
    return f"SHA256({name})= {digest}\n".encode()
