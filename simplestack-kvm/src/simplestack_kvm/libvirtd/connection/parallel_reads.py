"""Read something of many volumes or domains, over several connections at once.

libvirt describes one of them in one round trip, and a host may have thousands. A connection is used by one
thread only, so reading faster takes more connections. They are a help and not needed: what they do not
deliver, the session's own connection reads.
"""

import contextlib
import itertools
import logging
from collections.abc import Callable, Hashable, Iterator, Mapping
from threading import BoundedSemaphore, Event, Thread
from typing import TypeVar

from simplestack import SimplestackError, time_left_seconds
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

#: Further connections that this process has at most for this, to all hosts.
MAX_FURTHER_CONNECTIONS = 8
#: A further connection is worth its making from so many things on.
THINGS_PER_CONNECTION = 200
#: What an operation needs of its time limit after it has read: at most this, and at most a third.
RESERVE_SECONDS = 15.0

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")

_log = logging.getLogger(__name__)
_free_connections = BoundedSemaphore(MAX_FURTHER_CONNECTIONS)


def read_all(
    session: KvmSession, find: Callable[["libvirt.virConnect"], Mapping[K, T]], read: Callable[[T], R]
) -> tuple[Mapping[K, T], dict[K, R]]:
    """Return all things and what `read` returns for each, without those for which there is not enough time.

    :param find: returns the things, on a connection
    :param read: called in any thread, each time with a thing of that thread's own connection
    """
    reserve_seconds = min(RESERVE_SECONDS, time_left_seconds() / 3)
    things = find(session.connection)
    results: dict[K, R] = {}
    is_over = Event()
    # Everybody takes the next one: next() on one iterator is atomic.
    left = iter(list(things))
    for _ in range(len(things) // THINGS_PER_CONNECTION):
        if session.reopen is None or not _free_connections.acquire(blocking=False):
            break
        arguments = session.reopen, find, left, read, results
        options = {"is_over": is_over}
        Thread(
            target=_help, args=arguments, kwargs=options, name="simplestack-kvm-reads", daemon=True
        ).start()
    try:
        # What a helper has taken and not delivered is read again.
        for key in itertools.chain(left, things):
            if key in results:
                continue
            if time_left_seconds() < reserve_seconds:
                break
            results[key] = read(things[key])
    finally:
        is_over.set()
    return things, dict(results)  # a helper may deliver one more


def _help(
    connect: Callable[[], "libvirt.virConnect"],
    find: Callable[["libvirt.virConnect"], Mapping[K, T]],
    left: Iterator[K],
    read: Callable[[T], R],
    results: dict[K, R],
    *,
    is_over: Event,
) -> None:
    try:
        with contextlib.closing(connect()) as connection:
            things = find(connection)
            for key in left:
                if is_over.is_set():
                    break
                if key in things:
                    results[key] = read(things[key])
    except (libvirt.libvirtError, SimplestackError):
        # Too many connections for the host, for example. The session's own connection reads the rest.
        _log.info("a further connection does not help to read", exc_info=True)
    finally:
        _free_connections.release()
