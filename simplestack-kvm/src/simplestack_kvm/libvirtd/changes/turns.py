"""Requests take turns where libvirt can only replace what was read before, such as an interface as a whole.

Turns hold within a worker process. Of two processes or tools that meet in the milliseconds in between, the
later one overwrites what the other has changed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from simplestack import Busy
from simplestack_kvm.sdk import libvirt

#: How long a request waits for its turn.
TURN_SECONDS = 10.0

_locks: WeakValueDictionary[tuple[str, str], threading.Lock] = WeakValueDictionary()
_locks_lock = threading.Lock()


@contextmanager
def turn(changed: "libvirt.virDomain | str", what: str) -> Iterator[None]:
    """Do something to a guest or a bridge while no other request of this process does the same.

    :param changed: a guest, or what else is changed, by a name that no other host has
    :param what: what is done, such as ``renaming a disk of the guest``
    :raises Busy: another request does it for too long
    """
    key = changed if isinstance(changed, str) else changed.UUIDString()
    with _locks_lock:
        lock = _locks.setdefault((key, what), threading.Lock())
    if not lock.acquire(timeout=TURN_SECONDS):
        raise Busy(f"another request is {what}: try again when it is done")
    try:
        yield
    finally:
        lock.release()
