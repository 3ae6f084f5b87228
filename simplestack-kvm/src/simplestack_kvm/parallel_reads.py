"""Read something of many volumes, over several connections at once.

libvirt reads from one volume in one round trip, and a host may have thousands. A connection is used by one
thread only, so reading faster takes more connections. They are a help and not needed: what they do not
deliver, the session's own connection reads.
"""

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from threading import BoundedSemaphore, Thread
from typing import TypeVar

from simplestack import SimplestackError, time_left_seconds
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.session import KvmSession

#: Further connections that this process has at most for this, to all hosts.
MAX_FURTHER_CONNECTIONS = 8
#: A further connection is worth its making from so many volumes on.
VOLUMES_PER_CONNECTION = 200
#: What an operation needs of its time limit after it has looked at the volumes.
RESERVE_SECONDS = 15.0

T = TypeVar("T")
#: Pool and name.
Key = tuple[str, str]

_log = logging.getLogger(__name__)
_free_connections = BoundedSemaphore(MAX_FURTHER_CONNECTIONS)


def read_volumes(
    session: KvmSession,
    volumes: Mapping[Key, "libvirt.virStorageVol"],
    read: Callable[["libvirt.virStorageVol"], T],
) -> dict[Key, T]:
    """Return what `read` returns for each volume, without those for which there is not enough time.

    :param read: called in any thread, each time with a volume of that thread's own connection
    """
    results: dict[Key, T] = {}
    # Everybody takes the next one: next() on one iterator is atomic.
    left = iter(list(volumes))
    for _ in range(len(volumes) // VOLUMES_PER_CONNECTION):
        if session.reopen is None or not _free_connections.acquire(blocking=False):
            break
        arguments = session.reopen, left, read, results
        Thread(target=_help, args=arguments, name="simplestack-kvm-volumes", daemon=True).start()
    # What a helper has taken and not delivered is read again.
    for key in itertools.chain(left, volumes):
        if key in results:
            continue
        if time_left_seconds() < RESERVE_SECONDS:
            break
        results[key] = read(volumes[key])
    return results


def _help(
    connect: Callable[[], "libvirt.virConnect"],
    left: Iterator[Key],
    read: Callable[["libvirt.virStorageVol"], T],
    results: dict[Key, T],
) -> None:
    try:
        with contextlib.closing(connect()) as connection:
            pools = connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
            volumes = {
                (pool.name(), volume.name()): volume for pool in pools for volume in pool.listAllVolumes()
            }
            for key in left:
                if key in volumes:
                    results[key] = read(volumes[key])
    except (libvirt.libvirtError, SimplestackError):
        # Too many connections for the host, for example. The session's own connection reads the rest.
        _log.info("a further connection does not help to read volumes", exc_info=True)
    finally:
        _free_connections.release()
