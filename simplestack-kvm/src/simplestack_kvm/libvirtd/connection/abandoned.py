"""Whether a call on a connection was given up, and what waits for its end."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Abandoned:
    """Says that a call on a connection was given up. It may hang for ever: do not use the connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._hanging = 0
        self._actions: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Tell whether a call was given up, even if it has ended since."""
        return self._is_set

    def set(self) -> None:
        """Note that a call is given up."""
        with self._lock:
            self._is_set = True
            self._hanging += 1

    def end(self) -> None:
        """Note that a call that was given up has ended after all."""
        with self._lock:
            self._hanging -= 1
        self._act()

    def afterwards(self, action: Callable[[], object]) -> None:
        """Do something with the connection as soon as nothing hangs any more, in the thread that did."""
        with self._lock:
            self._actions.append(action)
        self._act()

    def _act(self) -> None:
        while True:
            with self._lock:
                if self._hanging or not self._actions:
                    return
                action = self._actions.pop(0)
            try:
                action()
            except Exception:  # nobody waits for it
                _log.exception("cannot tidy up after a call that was given up")
