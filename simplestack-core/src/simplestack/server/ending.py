"""Stop a worker process: finish requests, log out sessions, and exit in time even if a thread hangs."""

import atexit
import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable

from simplestack.dispatch.audit import end_audit

_log = logging.getLogger("simplestack.server")

#: Maximum time to log out sessions after the last request.
_CLOSING_SECONDS = 5.0
#: Gunicorn accepts a graceful timeout of 0, and `faulthandler` does not.
_LEAST_SECONDS = 0.1

_calls: list[Callable[[float], object]] = []


def call_at_end(call: Callable[[float], object]) -> None:
    """Register `call(limit_seconds)` for the end of this process, with or without gunicorn."""
    _calls.append(call)
    atexit.register(call, _CLOSING_SECONDS)


class Ending:
    """The remaining time of a stopping worker."""

    def __init__(self, limit_seconds: float) -> None:
        """Start the clock: the process exits within `limit_seconds`."""
        limit_seconds = max(limit_seconds, _LEAST_SECONDS)
        now = time.monotonic()
        closing_seconds = min(_CLOSING_SECONDS, limit_seconds / 4)
        self._requests_until_seconds = now + limit_seconds - closing_seconds
        self._closing_until_seconds = now + limit_seconds - closing_seconds / 4
        # If this thread or all of Python is blocked, a C thread writes the tracebacks and ends the process.
        faulthandler.dump_traceback_later(limit_seconds - closing_seconds / 8, exit=True)

    @property
    def seconds_for_requests(self) -> float:
        """Remaining time to wait for requests in flight."""
        return self._requests_until_seconds - time.monotonic()

    def finish(self, cut_off: list[str], queued: int, *, is_held_up: bool) -> None:
        """Log out sessions, write the logs, and exit without waiting for threads that would delay the exit.

        :param cut_off: IDs of requests without a complete response
        :param queued: number of requests that wait for a thread
        :param is_held_up: whether threads are busy: Python would wait for them at exit
        """
        if cut_off:
            count = "1 request was" if len(cut_off) == 1 else f"{len(cut_off)} requests were"
            _log.warning("stopping: %s cut off: %s", count, ", ".join(cut_off))
        if queued:
            count = "1 request was" if queued == 1 else f"{queued} requests were"
            _log.warning("stopping: %s not started: all threads were busy", count)
        # Leave some time, so that the calls can log what they did not finish.
        limit_seconds = 0.9 * max(0.0, self._closing_until_seconds - time.monotonic())
        closing = threading.Thread(target=_close, args=(limit_seconds,), name="simplestack-end", daemon=True)
        closing.start()
        closing.join(max(0.0, self._closing_until_seconds - time.monotonic()))
        if closing.is_alive():
            _log.warning(
                "stopping: logging out sessions takes too long; the remaining sessions stay logged in"
            )
        if is_held_up or closing.is_alive():
            logging.shutdown()
            os._exit(0)


def _close(limit_seconds: float) -> None:
    end_audit()
    for call in _calls:
        atexit.unregister(call)
        try:
            call(limit_seconds)
        except Exception:
            _log.exception("stopping: %r failed", call)
