"""Recently failed logins, so that a client in a loop does not lock an account."""

import time
from collections import OrderedDict

from simplestack.errors import Unauthorized
from simplestack.sessions.maker import SessionKey

_MAX_REMEMBERED = 1024


class FailedLogins:
    """Recently failed logins. The caller must hold the pool's lock."""

    def __init__(self) -> None:
        self._failures: OrderedDict[SessionKey, tuple[float, str]] = OrderedDict()

    def remember(self, key: SessionKey, error: Unauthorized, seconds: float) -> None:
        """Reject this login for some seconds without asking the hypervisor."""
        self._failures[key] = (time.monotonic() + seconds, error.message)
        self._failures.move_to_end(key)
        if len(self._failures) > _MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def check(self, key: SessionKey) -> None:
        """Check that this login has not failed recently.

        :raises Unauthorized: it has
        """
        failure = self._failures.get(key)
        if failure is not None:
            until_seconds, message = failure
            if time.monotonic() < until_seconds:
                raise Unauthorized(message)
