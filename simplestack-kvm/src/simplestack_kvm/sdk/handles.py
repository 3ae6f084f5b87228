"""Frees libvirt's handles outside of garbage collections.

libvirt keeps the last error of each thread, and libvirt-python reads it when it makes the exception. A
garbage collection can run in between. If it frees a handle that was part of a reference cycle, the freeing
clears the error, and the exception has no code and no message. So handles that a collection finds go to a
thread of their own, which frees them.
"""

import gc
import os
import threading
from queue import SimpleQueue
from types import ModuleType
from typing import Any


def free_outside_collections(libvirt: ModuleType) -> None:
    """Change the classes of libvirt-python so that no handle is freed inside a garbage collection.

    Handles that go out of use in any other way are freed at once, as before. Call this once for each process.
    """
    releases = _Releases()
    for kind in vars(libvirt).values():
        if isinstance(kind, type) and "__del__" in vars(kind):
            _defer(kind, releases)


class _Releases:
    """Handles that a collection has found, and the thread that frees them."""

    def __init__(self) -> None:
        self._collecting_thread: int | None = None
        self._inherited: list[SimpleQueue[object]] = []
        self._start()
        gc.callbacks.append(self._watch)
        os.register_at_fork(after_in_child=self._start_in_child)

    def is_collecting(self) -> bool:
        """Tell whether the calling thread is inside a collection; an interpreter runs one at a time."""
        return self._collecting_thread == threading.get_ident()

    def add(self, handle: object) -> None:
        """Pass a handle to the thread. SimpleQueue is made for calls from inside a collection."""
        self._queue.put(handle)

    def _watch(self, phase: str, _info: dict[str, int]) -> None:
        self._collecting_thread = threading.get_ident() if phase == "start" else None

    def _start(self) -> None:
        self._queue: SimpleQueue[object] = SimpleQueue()
        # Daemon: a connection to a host that is silent can take long to close, and must not keep the process.
        threading.Thread(
            target=_free_all, args=(self._queue,), name="simplestack-kvm-handles", daemon=True
        ).start()

    def _start_in_child(self) -> None:
        """Start afresh in a forked child. The parent's handles stay: freeing one could end its connection."""
        self._collecting_thread = None
        self._inherited.append(self._queue)
        self._start()


def _free_all(queue: SimpleQueue[object]) -> None:
    while True:
        queue.get()  # drops the last reference, so the handle's own __del__ frees it here


def _defer(kind: Any, releases: _Releases) -> None:
    free = kind.__del__

    def __del__(self: Any) -> None:  # noqa: N807  replaces the class's own
        if getattr(self, "_o", None) is None or not releases.is_collecting():
            free(self)
            return
        # Only the C handle moves: `self` stays garbage, with everything that it refers to.
        handle = kind.__new__(kind)
        handle._o, self._o = self._o, None  # noqa: SLF001  libvirt-python's name of the C handle
        releases.add(handle)

    kind.__del__ = __del__
