"""Write appliances: tar archives (OVA).

The descriptor comes first, then the files in the order in which it lists them, and the manifest with their
digests last, where DSP0243 allows it (5.3), too: the digests are known only when everything has been read.
"""

import hashlib
import tarfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from simplestack.appliances.members import chunk_name
from simplestack.entities.limits import GIB, MIB

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
    #: None for a file of unknown size, which is split into chunks.
    size_bytes: int | None
    #: Returns the content in pieces, as many bytes as the size. It is called once.
    content: Callable[[], Iterator[bytes]]
    #: Of a file of unknown size: that of each chunk but the last, which may be shorter. A tar archive has
    #: the size of a file before its content, so this many bytes are kept in memory.
    chunk_bytes: int = 8 * MIB


def archive_bytes(descriptor: bytes, members: Sequence[NewMember]) -> int | None:
    """Return the length of an archive; None if that of a member is unknown."""
    known = [member.size_bytes for member in members if member.size_bytes is not None]
    if len(known) < len(members):
        return None
    names = [DESCRIPTOR_NAME, *(member.name for member in members)]
    manifest_bytes = sum(len(_line(name, hashlib.sha256().hexdigest())) for name in names)
    sizes = [len(descriptor), *known, manifest_bytes]
    return sum(_BLOCK_BYTES + size + len(_padding(size)) for size in sizes) + len(_END)


def archive_chunks(descriptor: bytes, members: Sequence[NewMember]) -> Generator[bytes]:
    """Yield an archive in pieces.

    :raises ValueError: a member has another length than it should
    """
    yield _whole(DESCRIPTOR_NAME, descriptor)
    manifest = _line(DESCRIPTOR_NAME, hashlib.sha256(descriptor).hexdigest())
    for member in members:
        if member.size_bytes is None:
            files = _chunks(member)
        else:
            files = iter([(member.name, member.size_bytes, member.content())])
        for name, size_bytes, content in files:
            digest = yield from _file(name, size_bytes, content)
            manifest += _line(name, digest)
    yield _whole(_MANIFEST_NAME, manifest) + _END


def _file(name: str, announced_bytes: int, content: Iterable[bytes]) -> Generator[bytes, None, str]:
    """Yield a file, and return its digest."""
    yield _header(name, announced_bytes)
    digest, size_bytes = hashlib.sha256(), 0
    for piece in content:
        digest.update(piece)
        size_bytes += len(piece)
        yield piece
    if size_bytes != announced_bytes:
        raise ValueError(f"{name} has {size_bytes} bytes, not {announced_bytes}")
    if padding := _padding(size_bytes):
        yield padding
    return digest.hexdigest()


def _chunks(member: NewMember) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield the name, the size and the content of each chunk. A content must be read before the next one."""
    held = _Held(member.content())
    number = 0
    while True:
        size_bytes = held.fill(member.chunk_bytes)
        if not size_bytes and number:
            break
        yield chunk_name(member.name, number), size_bytes, held.take(size_bytes)
        number += 1


class _Held:
    """The next pieces of a file, which are held until it is known whether they are a whole chunk."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held: deque[bytes] = deque()
        self._held_bytes = 0

    def fill(self, size_bytes: int) -> int:
        """Read ahead until this much is held, and return how much is: less only at the end of the file."""
        while self._held_bytes < size_bytes and self._read():
            pass
        return min(size_bytes, self._held_bytes)

    def take(self, size_bytes: int) -> Iterator[bytes]:
        """Yield the first bytes of what is held. For each piece that is released, the next one is read.

        So the sender of the file and its receiver work at the same time.
        """
        while size_bytes:
            piece = self._held.popleft()
            if len(piece) > size_bytes:
                self._held.appendleft(piece[size_bytes:])
                piece = piece[:size_bytes]
            size_bytes -= len(piece)
            self._held_bytes -= len(piece)
            yield piece
            self._read()

    def _read(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._held.append(piece)
        self._held_bytes += len(piece)
        return True


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


class ArchiveStream:
    """An archive whose sources end with it.

    A class and not a generator: one that never began would not run its ``finally``.
    """

    def __init__(self, chunks: Generator[bytes], end: Callable[[], object]) -> None:
        """Give the archive.

        :param chunks: what `archive_chunks` returned
        :param end: ends the sources; it is called once or more
        """
        self._chunks = chunks
        self._end = end

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Stop reading, and end the sources."""
        try:
            self._chunks.close()
        finally:
            self._end()
