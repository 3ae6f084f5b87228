"""Write what a client sends into volumes, through libvirt: no file on the service's machine has it."""

import contextlib
import threading
from queue import Queue

from simplestack import CHUNK_BYTES, InsufficientStorage, gib
from simplestack.appliances import Source
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

#: What libvirt sends in one message. Longer pieces are not faster, and it copies them more often.
_MESSAGE_BYTES = 262120
_PIECES_BEHIND = 4


def upload(session: KvmSession, volume: "libvirt.virStorageVol", source: Source, *, most_bytes: int) -> int:
    """Write a source to the start of a volume; return the number of bytes.

    libvirt lets an upload go past the size that the volume was made with, until the storage is full.

    :param most_bytes: how much room there is
    :raises InsufficientStorage: the source is longer
    """
    stream = session.connection.newStream(0)
    written_bytes = 0
    try:
        volume.upload(stream, 0, 0, 0)
        with contextlib.closing(_Sender(stream)) as sender:
            while piece := source.read(CHUNK_BYTES):
                written_bytes += len(piece)
                if written_bytes > most_bytes:
                    break
                sender.send(piece)
            else:
                sender.finish()
        _check_room(volume, written_bytes, most_bytes)
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):  # what matters is on its way already
            stream.abort()
        raise
    return written_bytes


def too_large(pool: "libvirt.virStoragePool", room_bytes: int) -> InsufficientStorage:
    """Return the error for an image that a pool has no room for."""
    return InsufficientStorage(
        f"storage {pool.name()} has {gib(room_bytes):.3g} GiB left, and the image needs more: free some "
        "space, or name another storage"
    )


def _check_room(volume: "libvirt.virStorageVol", written_bytes: int, most_bytes: int) -> None:
    if written_bytes > most_bytes:
        raise too_large(volume.storagePoolLookupByVolume(), most_bytes)


class _Sender:
    """Sends pieces to libvirt in a thread, while the next ones arrive from the client.

    Until it is closed, only that thread uses the connection. If libvirt hangs, `send` does, too: few pieces
    wait.
    """

    def __init__(self, stream: "libvirt.virStream") -> None:
        self._stream = stream
        #: Pieces, and None at the end.
        self._pieces: Queue[bytes | None] = Queue(_PIECES_BEHIND)
        self._error: BaseException | None = None
        self._is_stopped = False
        #: Daemon: a host that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name="simplestack-kvm-upload", daemon=True)
        self._thread.start()

    def send(self, piece: bytes) -> None:
        """Send a piece after those before it.

        :raises libvirt.libvirtError: one of those could not be sent
        """
        self._pieces.put(piece)
        self._raise()

    def finish(self) -> None:
        """Wait until everything is sent.

        :raises libvirt.libvirtError: it could not be sent
        """
        self._end()
        self._raise()

    def close(self) -> None:
        """Send nothing more. Returns when the connection is free again."""
        self._is_stopped = True
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            self._is_stopped = True
            raise error

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            # After an error pieces are taken and not sent, so that nobody waits for a place.
            if self._is_stopped or self._error is not None:
                continue
            try:
                self._send(piece)
            except BaseException as error:  # for the thread that sends pieces
                self._error = error

    def _send(self, piece: bytes) -> None:
        position = 0
        while position < len(piece):
            position += self._stream.send(piece[position : position + _MESSAGE_BYTES])
