"""Requests over HTTPS connections that are kept. A change is never sent twice."""

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from simplestack.errors import UNKNOWN_OUTCOME, HypervisorError, HypervisorTimeout, HypervisorUnavailable
from simplestack.https.connections import HttpsConnection
from simplestack.https.settings import TlsSettings
from simplestack.sessions.targets import Target

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpsRequest:
    """A request to a hypervisor."""

    #: What clients read in messages, such as the hypervisor's name of the call.
    name: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The HTTP method. Default: GET without a body, POST with one.
    method: str | None = None
    #: Whether it changes nothing.
    is_read: bool = False
    #: Whether it may be sent again if the connection breaks before the response. A read always may.
    is_repeatable: bool = False


class HttpsClient:
    """Sends requests to a host on connections that it keeps. Several threads may use it."""

    def __init__(
        self,
        target: Target,
        settings: TlsSettings,
        *,
        port: int = http.client.HTTPS_PORT,
        max_idle: int = 1,
    ) -> None:
        """Connect to nothing yet.

        :param port: port of hosts whose name has none
        :param max_idle: how many idle connections are kept
        """
        self.target = target
        self._settings = settings
        self._port = port
        self._max_idle = max_idle
        self._idle: list[HttpsConnection] = []
        self._lock = threading.Lock()

    def send(
        self, request: HttpsRequest, read: Callable[[http.client.HTTPResponse], T], limit_seconds: float
    ) -> T:
        """Send a request, and return the result of `read` for its response.

        If the connection breaks, a request that may be repeated is sent once more.

        :param limit_seconds: time limit for all of it
        :raises HypervisorUnavailable: the host cannot be reached, and the request had no effect
        :raises HypervisorTimeout: no response in time
        :raises HypervisorError: `UNKNOWN_OUTCOME`: the connection broke after a change was sent
        """
        deadline = time.monotonic() + limit_seconds
        method = request.method or ("GET" if request.body is None else "POST")
        is_second = False
        while True:
            connection = self._take(min(limit_seconds, self._settings.connect_timeout_seconds))
            try:
                connection.set_deadline(deadline)
                connection.request(method, request.path, request.body, request.headers)
                response = connection.getresponse()
                result = read(response)
                response.read()  # to the end, to reuse the connection
            except TimeoutError:
                connection.close()
                effect = "" if request.is_read else "; whether it took effect is unknown"
                raise HypervisorTimeout(
                    f"{self.target} did not respond to {request.name} within {limit_seconds:.3g} s{effect}"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.close()  # what ended this one has ended the idle ones, too
                if not (request.is_read or request.is_repeatable):
                    raise self._unknown_outcome(request) from None
                if is_second:
                    raise HypervisorUnavailable(
                        f"the connection to {self.target} broke twice: {connection.cause_of(error)}"
                    ) from None
                is_second = True
            except BaseException:
                connection.close()  # the rest of the response would come before the next one
                raise
            else:
                self._keep(connection)
                return result

    def close(self) -> None:
        """Close the idle connections. Further requests connect again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, limit_seconds: float) -> HttpsConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            if not connection.was_closed:
                return connection
            connection.close()
        connection = HttpsConnection(self.target, self._settings, port=self._port)
        connection.connect(limit_seconds)
        return connection

    def _keep(self, connection: HttpsConnection) -> None:
        if connection.sock is not None:  # otherwise the host closes it after this response
            with self._lock:
                if len(self._idle) < self._max_idle:
                    self._idle.append(connection)
                    return
        connection.close()

    def _unknown_outcome(self, request: HttpsRequest) -> HypervisorError:
        return HypervisorError(
            f"the connection to {self.target} broke before the response to {request.name}: whether it took "
            "effect is unknown, so check before you try again",
            UNKNOWN_OUTCOME,
        )
