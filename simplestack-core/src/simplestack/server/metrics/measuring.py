"""Measure each request that reaches the application."""

import time
from typing import TYPE_CHECKING, Any

import falcon

from simplestack.dispatch.streams import WatchedChunks
from simplestack.server.metrics.environ import OPERATION, PLACE
from simplestack.sessions.maker import Place

if TYPE_CHECKING:
    from simplestack.server.metrics.figures import Figures

_STARTED = "simplestack.started_seconds"
#: Operations of the pages outside the base path, by path.
PAGES = {
    "/": "service_info",
    "/{hypervisor}": "plugin_info",
    "/healthz": "health_info",
    "/readyz": "readiness_info",
    "/metrics": "metrics_info",
    "/openapi.json": "document_info",
    "/docs": "reference_page",
    "/docs/{asset}": "reference_page",
}
#: Pages that service plugins have added.
PLUGIN_PAGE = "plugin_page"


class Measuring:
    """Middleware. It must be the first, so that it measures the others."""

    def __init__(self, figures: "Figures") -> None:
        self._figures = figures

    def process_request(self, request: falcon.Request, _response: falcon.Response) -> None:
        """Start the clock."""
        request.env[_STARTED] = time.perf_counter()

    def process_response(
        self, request: falcon.Request, response: falcon.Response, _resource: object, _succeeded: object
    ) -> None:
        """Count the response; an export after its last byte."""
        chunks = response.stream
        if isinstance(chunks, WatchedChunks):
            status = response.status_code
            response.stream = WatchedChunks(chunks, lambda *_: self._end(request.env, status))
        else:
            self._end(request.env, response.status_code, request.uri_template)

    def _end(self, env: dict[str, Any], status: int, template: str | None = None) -> None:
        operation: str = env.get(OPERATION) or _page(template)
        place: Place | None = env.get(PLACE)
        self._figures.request_ended(operation, place, status, time.perf_counter() - env[_STARTED])


def _page(template: str | None) -> str:
    """Return the operation of a page; empty for a path that the service does not have."""
    if template is None:
        return ""
    return PLUGIN_PAGE if template.startswith("/_") else PAGES.get(template, "")
