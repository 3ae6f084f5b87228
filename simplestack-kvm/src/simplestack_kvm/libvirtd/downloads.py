"""Read whole volumes through libvirt.

libvirtd sends a volume as fast as the connection takes it. libvirt's client library keeps what nobody has
read yet in memory, as much as arrives, whenever its event loop runs. So a volume is read in windows, and no
more than one of them can be in memory however slowly a client reads.
"""

import contextlib
from collections.abc import Generator, Iterator
from typing import Any

from simplestack import CHUNK_BYTES, MIB, Busy, HypervisorError
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.sdk import libvirt

WINDOW_BYTES = 16 * MIB
#: libvirt's messages have less.
_RECEIVE_BYTES = 256 * 1024
#: What `recvFlags` returns before a hole.
_AT_HOLE = -3
_ZEROS = bytes(CHUNK_BYTES)


def download(session: KvmSession, volume: "libvirt.virStorageVol", size_bytes: int) -> Iterator[bytes]:
    """Yield the content of a volume that is a file or a block device, in pieces of at most `CHUNK_BYTES`.

    Holes of files are not transferred.

    :param size_bytes: its present length
    :raises Busy: it is shorter meanwhile
    """
    kind: Any = volume.info()  # the binding's own annotation says str
    is_file = kind[0] == libvirt.VIR_STORAGE_VOL_FILE
    flags = libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM if is_file else 0
    for offset in range(0, size_bytes, WINDOW_BYTES):
        length = min(WINDOW_BYTES, size_bytes - offset)
        received = 0
        with contextlib.closing(_window(session, volume, offset, length, flags)) as pieces:
            for piece in pieces:
                received += len(piece)
                if received > length:
                    raise HypervisorError("libvirt sent more of a volume than it was asked for")
                yield piece
        if received < length:
            raise Busy("a disk of the guest became shorter while it was read: try again")


def _window(
    session: KvmSession, volume: "libvirt.virStorageVol", offset: int, length: int, flags: int
) -> Generator[bytes]:
    stream = session.connection.newStream(0)
    try:
        volume.download(stream, offset, length, flags)
        yield from _pieces(stream)
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):  # what matters is on its way already
            stream.abort()
        raise


def _pieces(stream: "libvirt.virStream") -> Iterator[bytes]:
    """Yield what a stream sends, its holes as zeros."""
    gathered: list[bytes] = []
    while True:
        received = stream.recvFlags(_RECEIVE_BYTES, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if isinstance(received, bytes) and received:
            gathered.append(received)
            if sum(map(len, gathered)) + _RECEIVE_BYTES <= CHUNK_BYTES:
                continue
        if gathered:
            yield b"".join(gathered)
            gathered.clear()
        if isinstance(received, bytes):
            if not received:
                return
        elif received == _AT_HOLE:
            yield from _zeros(stream.recvHole())
        else:
            raise HypervisorError(f"libvirt's stream returned {received}")


def _zeros(count: int) -> Iterator[bytes]:
    for start in range(0, count, CHUNK_BYTES):
        left = count - start
        yield _ZEROS if left >= CHUNK_BYTES else bytes(left)
