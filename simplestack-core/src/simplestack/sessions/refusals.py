"""Logins that were refused a moment ago: a client in a loop must not lock an account."""

import time
from collections import OrderedDict

from simplestack.errors import Unauthorized
from simplestack.sessions.maker import SessionKey

_MAX_REFUSALS = 1024


class Refusals:
    """The latest refusals. Whoever uses it holds the pool's lock."""

    def __init__(self) -> None:
        self._refusals: OrderedDict[SessionKey, tuple[float, str]] = OrderedDict()

    def remember(self, key: SessionKey, error: Unauthorized, seconds: float) -> None:
        """Refuse this login for so long without asking."""
        self._refusals[key] = (time.monotonic() + seconds, error.message)
        if len(self._refusals) > _MAX_REFUSALS:
            self._refusals.popitem(last=False)

    def check(self, key: SessionKey) -> None:
        """Pass a login that was not refused lately.

        :raises Unauthorized: it was
        """
        if not self._refusals:
            return
        until, message = self._refusals.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise Unauthorized(message)
        self._refusals.pop(key, None)
