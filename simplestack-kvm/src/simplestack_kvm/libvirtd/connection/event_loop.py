"""libvirt's event loop: keep-alive messages need one. One thread for each process, made after the fork."""

import logging
import os
import threading
import time

from simplestack_kvm.sdk import libvirt

_log = logging.getLogger("simplestack.kvm")

_RETRY_SECONDS = 1
#: Pause after each round. Each call of libvirt's takes its connection out of the loop and puts it back. Both
#: wake a loop that waits for events, so that the calls take 1.4 times as long. Keep-alive takes seconds.
_PAUSE_SECONDS = 0.02


class _Loop:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False

    def start(self) -> None:
        with self._lock:
            if self._running:
                return
            libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=self._run, name="simplestack-kvm-events", daemon=True).start()
            self._running = True

    def forget(self) -> None:
        """Start afresh in a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._running = False

    def _run(self) -> None:
        while True:
            try:
                libvirt.virEventRunDefaultImpl()
            except libvirt.libvirtError:
                _log.exception("libvirt's event loop failed; it goes on")
                time.sleep(_RETRY_SECONDS)
            time.sleep(_PAUSE_SECONDS)


_loop = _Loop()
os.register_at_fork(after_in_child=_loop.forget)


def start_event_loop() -> None:
    """Start the loop, unless it runs. Connections made before it are not kept alive."""
    _loop.start()
