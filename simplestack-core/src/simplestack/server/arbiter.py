"""Gunicorn's arbiter, the parent of the workers. SIGHUP reads the settings again and replaces workers."""

import signal
from types import FrameType
from typing import Protocol

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class _StopRequested(Exception):
    """A signal to stop the service has arrived while the arbiter waits for old workers."""


class Reloadable(Protocol):
    """What SIGHUP needs to know."""

    def read_settings(self) -> bool:
        """Read the settings again. Return whether they can be used."""


class ServiceArbiter(Arbiter):
    """Starts, replaces and stops the workers."""

    _is_replacing = False
    _must_stop = False

    def __init__(self, app: BaseApplication, reloadable: Reloadable) -> None:
        """Create it.

        :param reloadable: the owner of the settings
        """
        super().__init__(app)
        self._reloadable = reloadable

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Queue a signal for the main loop."""
        self._must_stop = self._must_stop or sig in _STOP_SIGNALS
        super().signal(sig, frame)

    def handle_hup(self) -> None:
        """Replace the workers, unless the new settings cannot be used: then nothing changes."""
        if not self._reloadable.read_settings():
            return
        self._is_replacing = True
        try:
            super().handle_hup()
        except _StopRequested:  # the main loop handles it next
            pass
        finally:
            self._is_replacing = False

    def reap_workers(self) -> None:
        """Take note of workers that have ended.

        After SIGHUP, gunicorn calls this until all old workers have ended, and handles no signal meanwhile.
        An export may take the whole graceful timeout, and the service has to stop within that.

        :raises _StopRequested: the service has to stop
        """
        super().reap_workers()
        if self._is_replacing and self._must_stop:
            raise _StopRequested
