"""Write what a client sends into volumes, through libvirt: no file on the service's machine has it."""

import contextlib

from simplestack import CHUNK_BYTES, InsufficientStorage, gib
from simplestack_kvm.appliance.incoming import Source
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.sdk import libvirt

#: What libvirt sends in one message. Longer pieces are not faster, and it copies them more often.
_MESSAGE_BYTES = 262120


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
        while piece := source.read(CHUNK_BYTES):
            written_bytes += len(piece)
            _check_room(volume, written_bytes, most_bytes)
            _send(stream, piece)
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


def _send(stream: "libvirt.virStream", piece: bytes) -> None:
    position = 0
    while position < len(piece):
        position += stream.send(piece[position : position + _MESSAGE_BYTES])
