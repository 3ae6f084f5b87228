"""Write what a client sends into volumes, through libvirt: no file on the service's machine has it."""

import contextlib
from collections.abc import Callable
from functools import partial
from queue import Full, Queue

from simplestack import CHUNK_BYTES, HypervisorTimeout, InsufficientStorage, gib
from simplestack.appliances import Source
from simplestack_kvm.libvirtd.connection.own_thread import OwnThread, wait_seconds
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

#: What libvirt sends in one message. Longer pieces are not faster, and it copies them more often.
_MESSAGE_BYTES = 262120
#: Whole messages: a rest would cost as much as one. It is a little less than `CHUNK_BYTES`.
_PIECE_BYTES = CHUNK_BYTES // _MESSAGE_BYTES * _MESSAGE_BYTES
_PIECES_BEHIND = 4


def upload(session: KvmSession, volume: "libvirt.virStorageVol", source: Source, *, most_bytes: int) -> int:
    """Write a source to the start of a volume; return the number of bytes.

    libvirt lets an upload go past the size that the volume was made with, until the storage is full.

    :param most_bytes: how much room there is
    :raises InsufficientStorage: the source is longer
    :raises HypervisorTimeout: libvirt takes no more of it, or does not say that it has stored it
    """
    written_bytes = 0
    sender = _Sender(session, volume)
    try:
        while piece := source.read(_PIECE_BYTES):
            written_bytes += len(piece)
            if written_bytes > most_bytes:
                break
            sender.send(piece)
        else:
            sender.finish()
        sender.stop()
    except BaseException:
        with contextlib.suppress(HypervisorTimeout):  # what matters is on its way already
            sender.stop()
        raise
    if written_bytes > most_bytes:
        raise too_large(volume.storagePoolLookupByVolume(), most_bytes)
    return written_bytes


def too_large(pool: "libvirt.virStoragePool", room_bytes: int) -> InsufficientStorage:
    """Return the error for an image that a pool has no room for."""
    return InsufficientStorage(
        f"storage {pool.name()} has {gib(room_bytes):.3g} GiB left, and the image needs more: free some "
        "space, or name another storage"
    )


class _Sender:
    """Sends pieces to libvirt in a thread, while the next ones arrive from the client.

    Until it is stopped, only that thread uses the connection. If libvirt hangs, the thread is given up at the
    operation's time limit: few pieces wait.
    """

    def __init__(self, session: KvmSession, volume: "libvirt.virStorageVol") -> None:
        self._stream = session.connection.newStream(0)
        volume.upload(self._stream, 0, 0, 0)
        #: Pieces, and None at the end.
        self._pieces: Queue[bytes | None] = Queue(_PIECES_BEHIND)
        self._error: BaseException | None = None
        self._is_stopped = False
        self._thread = OwnThread("simplestack-kvm-upload", self._run, session.abandoned)

    def send(self, piece: bytes) -> None:
        """Send a piece after those before it.

        :raises libvirt.libvirtError: one of those could not be sent
        :raises HypervisorTimeout: libvirt takes no more
        """
        self._put(piece)
        self._raise()

    def finish(self) -> None:
        """Wait until everything is stored.

        :raises libvirt.libvirtError: it could not be
        :raises HypervisorTimeout: libvirt does not say so
        """
        self._put(None)
        self._thread.wait()
        self._raise()

    def stop(self) -> None:
        """Send nothing more, and wait until the connection is free again.

        :raises HypervisorTimeout: it is not
        """
        self._is_stopped = True
        with contextlib.suppress(Full):  # the thread finds out with the next piece
            self._pieces.put_nowait(None)
        self._thread.wait()

    def _put(self, piece: bytes | None) -> None:
        try:
            self._pieces.put(piece, timeout=wait_seconds())
        except Full:
            self._is_stopped = True
            raise self._thread.give_up() from None

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._is_stopped and (piece := self._pieces.get()) is not None:
                # After an error pieces are taken and not sent, so that nobody waits for a place.
                if self._error is None:
                    self._attempt(partial(self._send, piece))
            if self._error is None and not self._is_stopped:
                self._attempt(self._stream.finish)
        finally:
            if self._error is not None or self._is_stopped:
                with contextlib.suppress(libvirt.libvirtError):  # what matters is on its way already
                    self._stream.abort()

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:  # for the thread that sends pieces
            self._error = error

    def _send(self, piece: bytes) -> None:
        position = 0
        while position < len(piece):
            position += self._stream.send(piece[position : position + _MESSAGE_BYTES])
