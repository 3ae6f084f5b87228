"""Gunicorn's arbiter, the parent of the workers. SIGHUP reads the settings again and replaces workers."""

from contextlib import suppress
from typing import Protocol

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter


class _Replaced(Exception):
    """The new workers have started, and the old ones have been told to stop."""


class Reloadable(Protocol):
    """What SIGHUP needs to know."""

    def read_settings(self) -> bool:
        """Read the settings again. Return whether they can be used."""


class ServiceArbiter(Arbiter):
    """Starts, replaces and stops the workers."""

    _is_replacing = False

    def __init__(self, app: BaseApplication, reloadable: Reloadable) -> None:
        """Create it.

        :param reloadable: the owner of the settings
        """
        super().__init__(app)
        self._reloadable = reloadable

    def handle_hup(self) -> None:
        """Replace the workers, unless the new settings cannot be used: then nothing changes."""
        if not self._reloadable.read_settings():
            return
        self._is_replacing = True
        try:
            with suppress(_Replaced):
                super().handle_hup()
        finally:
            self._is_replacing = False

    def reap_workers(self) -> None:
        """Take note of workers that have ended.

        After SIGHUP, gunicorn calls this until all old workers have ended, and handles no signal meanwhile,
        since another SIGTERM would disturb its workers. Ours ignore it. An export may take the whole graceful
        timeout, and the service has to stop within that, or to take newer settings.

        :raises _Replaced: instead of waiting
        """
        super().reap_workers()
        if self._is_replacing:
            raise _Replaced
