"""The pages outside the base path: service, plugins, health."""

from importlib.metadata import version
from typing import Any

import falcon
from msgspec import Struct

from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.authentication import ServiceTokens
from simplestack.server.json_text import json_text
from simplestack.server.queries import read_query
from simplestack.server.request_id import HEADER, request_id


class PluginSummary(Struct, frozen=True, kw_only=True):
    """A hypervisor plugin of this service."""

    #: Title for people.
    title: str
    #: Version of the distribution.
    version: str
    #: Name of the plugin's distribution.
    distribution: str
    #: Other names of the hypervisor in URLs.
    aliases: list[str]


class ServiceSummary(Struct, frozen=True, kw_only=True):
    """The service and its plugins."""

    #: Always ``simplestack``.
    name: str
    #: Version of simplestack-core.
    version: str
    #: Hypervisor plugins, by name in URLs.
    hypervisors: dict[str, PluginSummary]
    #: Versions of the plugins that extend the service, by name.
    services: dict[str, str]


class PluginDetails(PluginSummary, frozen=True, kw_only=True):
    """A hypervisor plugin and its operations."""

    #: Name of the hypervisor in URLs.
    name: str
    #: Whether the hypervisor supports an operation, for all operations.
    operations: dict[str, bool]


class HealthReport(Struct, frozen=True, kw_only=True):
    """Health of a worker process."""

    #: Always ``ok``.
    status: str
    #: Number of sessions of this worker with hypervisors, including idle ones.
    sessions: int
    #: Number of these sessions that requests use.
    busy_sessions: int


class Page:
    """A resource with a JSON response to GET and HEAD."""

    def _send(self, request: falcon.Request, response: falcon.Response, content: Any) -> None:
        response.set_header(HEADER, request_id(request))
        response.content_type = falcon.MEDIA_JSON
        response.data = json_text(content)

    def on_head(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Respond as to GET. The server omits the body."""
        self.on_get(request, response, **segments)

    def on_get(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Send the page."""
        raise NotImplementedError


class Index(Page):
    """``GET /``: the service, its plugins and their versions."""

    def __init__(self, dispatcher: Dispatcher, tokens: ServiceTokens) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens

    def on_get(self, request: falcon.Request, response: falcon.Response, **_segments: str) -> None:
        """List the hypervisors."""
        self._tokens.holder(request)
        read_query(request)
        registry = self._dispatcher.registry
        self._send(
            request,
            response,
            ServiceSummary(
                name="simplestack",
                version=version("simplestack-core"),
                hypervisors={each.name: PluginSummary(**_summary(each)) for each in registry.plugins()},
                services={service.name: service.version for service in registry.services},
            ),
        )


class HypervisorPage(Page):
    """``GET /{hypervisor}``: a plugin and the operations that it implements."""

    def __init__(self, dispatcher: Dispatcher, tokens: ServiceTokens) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens

    def on_get(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Show one hypervisor."""
        self._tokens.holder(request)
        read_query(request)
        hypervisor = self._dispatcher.hypervisor(segments["hypervisor"])
        implemented = hypervisor.operations
        operations = {operation.name: operation.name in implemented for operation in OPERATIONS}
        details = PluginDetails(name=hypervisor.name, operations=operations, **_summary(hypervisor))
        self._send(request, response, details)


class Health(Page):
    """``GET /healthz``: whether this worker responds, and its number of sessions. It needs no token."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def on_get(self, request: falcon.Request, response: falcon.Response, **_segments: str) -> None:
        """Send the health report."""
        read_query(request)
        self._send(request, response, HealthReport(status="ok", **self._dispatcher.pool.counts()))


def _summary(hypervisor: Hypervisor) -> dict[str, Any]:
    return {
        "title": hypervisor.plugin.title,
        "version": hypervisor.version,
        "distribution": hypervisor.distribution,
        "aliases": list(hypervisor.plugin.aliases),
    }
