"""Read whole volumes through libvirt.

libvirtd sends a volume as fast as the connection takes it. libvirt's client library keeps what nobody has
read yet in memory, as much as arrives, whenever its event loop runs. So a volume is read in windows, and no
more than one of them can be in memory however slowly a client reads.
"""

import contextlib
from collections.abc import Generator, Iterator
from queue import Empty, Queue
from typing import Any, Self

from simplestack import CHUNK_BYTES, MIB, Busy, HypervisorError, HypervisorTimeout
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.connection.own_thread import OwnThread, wait_seconds
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

WINDOW_BYTES = 16 * MIB
#: libvirtd reads so much at once, and sends it in two messages, since one has at most 24 bytes less.
_READ_BYTES = 256 * 1024
#: What `recvFlags` returns before a hole.
_AT_HOLE = -3
_ZEROS = bytes(CHUNK_BYTES)
#: To look for holes costs libvirtd a tenth of its work, so holes must be more than one part in so many.
_WORTHWHILE = 16
_PIECES_AHEAD = 4


def download(session: KvmSession, volume: "libvirt.virStorageVol", size_bytes: int) -> "ReadAhead":
    """Return the content of a volume that is a file or a block device, in pieces of at most `CHUNK_BYTES`.

    Holes of files are not transferred. Close what is returned: until then it uses the connection.

    :param size_bytes: the volume's present length
    :raises Busy: from the iterator: the volume is shorter meanwhile
    :raises HypervisorTimeout: from the iterator: libvirt sends no more of it
    """
    return ReadAhead(_windows(session, volume, size_bytes), session.abandoned)


class ReadAhead:
    """Reads a few pieces ahead in a thread, while others are checked and sent: libvirtd need not wait.

    If libvirt hangs, the thread is given up at the operation's time limit.
    """

    def __init__(self, pieces: Generator[bytes], abandoned: Abandoned) -> None:
        """Begin to read.

        :param abandoned: that of the session whose connection the pieces come from
        """
        self._pieces = pieces
        #: Pieces, and at the end None or an error.
        self._read: Queue[bytes | BaseException | None] = Queue(_PIECES_AHEAD)
        self._is_closed = False
        self._thread = OwnThread("simplestack-kvm-download", self._run, abandoned)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            piece = self._read.get(timeout=wait_seconds())
        except Empty:
            self._is_closed = True
            piece = self._thread.give_up()
        if isinstance(piece, bytes):
            return piece
        self._read.put(piece)  # for whoever asks again
        if piece is None:
            raise StopIteration
        raise piece

    def close(self) -> None:
        """Stop reading. Returns when the connection is free again, or was given up."""
        self._is_closed = True
        with contextlib.suppress(Empty):  # the thread may wait for a place: one is enough
            self._read.get_nowait()
        with contextlib.suppress(HypervisorTimeout):  # what matters is on its way already
            self._thread.wait()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            with contextlib.closing(self._pieces) as pieces:
                for piece in pieces:
                    if self._is_closed:
                        return
                    self._read.put(piece)
        except BaseException as error:  # for the thread that reads
            end = error
        if not self._is_closed:
            self._read.put(end)


def _windows(session: KvmSession, volume: "libvirt.virStorageVol", size_bytes: int) -> Generator[bytes]:
    info: Any = volume.info()  # the binding's own annotation says str
    kind, _capacity_bytes, allocation_bytes = info
    has_holes = size_bytes - allocation_bytes > size_bytes // _WORTHWHILE
    is_sparse = kind == libvirt.VIR_STORAGE_VOL_FILE and has_holes
    flags = libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM if is_sparse else 0
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
    gathered_bytes = 0
    while True:
        # No more than what is left of a read: the binding makes a buffer of this size, and clears it.
        wanted_bytes = _READ_BYTES - gathered_bytes % _READ_BYTES
        received = stream.recvFlags(wanted_bytes, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if isinstance(received, bytes) and received:
            gathered.append(received)
            gathered_bytes += len(received)
            if gathered_bytes < CHUNK_BYTES:
                continue
        if gathered:
            yield b"".join(gathered)
            gathered.clear()
            gathered_bytes = 0
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
