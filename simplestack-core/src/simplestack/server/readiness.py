"""``GET /readyz``: whether requests may be sent to this worker. It needs no token."""

from collections.abc import Callable

import falcon
from msgspec import Struct

from simplestack.server.meta import Page
from simplestack.server.problems import HttpProblem
from simplestack.server.queries import read_query


class ReadinessReport(Struct, frozen=True, kw_only=True):
    """Readiness of a worker process."""

    #: Always ``ready``.
    status: str


class Readiness(Page):
    """The page, and what it depends on."""

    def __init__(self, *, has_plugins: bool) -> None:
        """Create the page.

        :param has_plugins: whether the plugins that the service needs were loaded
        """
        self._has_plugins = has_plugins
        #: Returns whether the worker is stopping. The worker sets it.
        self.is_stopping: Callable[[], bool] = lambda: False

    def on_get(self, request: falcon.Request, response: falcon.Response, **_segments: str) -> None:
        """Send the report.

        :raises HttpProblem: 503: the service is stopping, or a plugin could not be loaded
        """
        read_query(request)
        if self.is_stopping():
            raise HttpProblem(503, "the service is stopping: send requests to another one")
        if not self._has_plugins:  # which one is not told: this page needs no token
            raise HttpProblem(503, "a hypervisor plugin could not be loaded: the service's log says why")
        self._send(request, response, ReadinessReport(status="ready"))
