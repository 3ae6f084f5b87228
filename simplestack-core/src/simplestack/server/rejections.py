"""Log rejected requests, with a limit for each client: a flood of them must not fill the disk."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from simplestack.operations.statuses import level_of
from simplestack.wording import shortened_line

_log = logging.getLogger("simplestack.server")

PERIOD_SECONDS = 60.0
#: The lines about all clients in a period are limited to this many times those about one client.
ALL_CLIENTS = 10
#: Number of clients with a count of their own. Further clients share one, so that memory stays bounded.
_MAX_CLIENTS = 1000
_OTHERS = "others"
#: Number of clients that the line about unlogged requests names.
_NAMED_CLIENTS = 5
#: Ends the last line about a client in a period.
_NOTE = f"; further rejected requests of this client are only counted for up to {PERIOD_SECONDS:.0f} s"


class Rejections:
    """Counts and logs the rejected requests of a process."""

    def __init__(self, max_lines: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without requests.

        :param max_lines: maximum number of lines about one client in a period
        """
        self.max_lines = max_lines
        self._clock = clock
        self._lock = threading.Lock()
        self._until_seconds = 0.0
        self._counts: Counter[str] = Counter()
        self._unlogged: Counter[str] = Counter()
        self._lines = 0

    def log(self, request_id: str, what: str, status: int, name: str, *, message: str, client: str) -> None:
        """Log a rejected request.

        :param what: how the line goes on: method and path, or when it was rejected
        :param status: HTTP status of the response
        :param name: name of the error
        :param message: message of the error
        :param client: address of the client
        """
        place = self._place(client)
        if place is None:
            return
        _log.log(
            logging.getLevelNamesMapping()[level_of(status).upper()],
            "request %s rejected%s %d %s, client %s: %s%s",
            request_id,
            what,
            status,
            name,
            client,
            shortened_line(str(message)),
            _NOTE if place == self.max_lines else "",
            extra={"request_id": request_id, "status": status, "error": name, "client_address": client},
        )

    def _place(self, client: str) -> int | None:
        """Count a request. Return which one of its client it is in this period; None if it is not logged."""
        now = self._clock()
        with self._lock:
            unlogged: Counter[str] = Counter()
            if now >= self._until_seconds:
                unlogged, self._unlogged = self._unlogged, unlogged
                self._counts = Counter()
                self._lines = 0
                self._until_seconds = now + PERIOD_SECONDS
            key = client if client in self._counts or len(self._counts) < _MAX_CLIENTS else _OTHERS
            self._counts[key] += 1
            place = self._counts[key]
            is_logged = place <= self.max_lines and self._lines < ALL_CLIENTS * self.max_lines
            if is_logged:
                self._lines += 1
            else:
                self._unlogged[key] += 1
        if unlogged:
            _report(unlogged)
        return place if is_logged else None


def _report(unlogged: Counter[str]) -> None:
    named = ", ".join(f"{client} ({count})" for client, count in unlogged.most_common(_NAMED_CLIENTS))
    more = len(unlogged) - _NAMED_CLIENTS
    also = f" and {more} more" if more > 0 else ""
    _log.warning("%d rejected requests were not logged, from %s%s", unlogged.total(), named, also)


#: The rejected requests of this process. `make_app` sets the limit from the settings.
REJECTIONS = Rejections(max_lines=100)
