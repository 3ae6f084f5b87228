"""What is outside the base path: the service, its plugins, its health."""

from importlib.metadata import version
from typing import Any

import falcon
from msgspec import json

from simplestack.operations.dispatch import Dispatcher
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.authentication import ServiceTokens
from simplestack.server.request_id import HEADER, request_id


class _Page:
    """A resource that answers GET and HEAD with JSON."""

    def _send(self, request: falcon.Request, response: falcon.Response, content: Any) -> None:
        response.set_header(HEADER, request_id(request))
        response.content_type = falcon.MEDIA_JSON
        response.data = json.encode(content)

    def on_head(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Answer as GET does; the server leaves the body out."""
        self.on_get(request, response, **segments)

    def on_get(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Answer with what the page shows."""
        raise NotImplementedError


class Index(_Page):
    """``GET /``: what this server is, its plugins and their versions."""

    def __init__(self, dispatcher: Dispatcher, tokens: ServiceTokens) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens

    def on_get(self, request: falcon.Request, response: falcon.Response, **_segments: str) -> None:
        """List the hypervisors."""
        self._tokens.holder(request)
        registry = self._dispatcher.registry
        self._send(
            request,
            response,
            {
                "name": "simplestack",
                "version": version("simplestack-core"),
                "hypervisors": {found.name: _summary(found) for found in registry.plugins()},
                "services": {service.name: service.version for service in registry.services},
            },
        )


class HypervisorPage(_Page):
    """``GET /{hypervisor}``: one plugin, and which operations it implements."""

    def __init__(self, dispatcher: Dispatcher, tokens: ServiceTokens) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens

    def on_get(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Show one hypervisor."""
        self._tokens.holder(request)
        found = self._dispatcher.hypervisor(segments["hypervisor"])
        implemented = found.operations
        operations = {operation.name: operation.name in implemented for operation in OPERATIONS}
        self._send(request, response, {"name": found.name, **_summary(found), "operations": operations})


class Health(_Page):
    """``GET /healthz``: whether this worker answers, and how many sessions it has. Needs no token."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def on_get(self, request: falcon.Request, response: falcon.Response, **_segments: str) -> None:
        """Say that all is well."""
        self._send(request, response, {"status": "ok", **self._dispatcher.pool.counts()})


def _summary(found: Hypervisor) -> dict[str, Any]:
    return {
        "title": found.plugin.title,
        "version": found.version,
        "distribution": found.distribution,
        "aliases": list(found.plugin.aliases),
    }
