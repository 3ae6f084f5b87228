"""What is outside the base path: the service, its plugins, its health."""

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
    """A hypervisor plugin that this service has."""

    #: For people.
    title: str
    #: Of its distribution.
    version: str
    #: What pip installs.
    distribution: str
    #: Other words for it in the URL.
    aliases: list[str]


class ServiceSummary(Struct, frozen=True, kw_only=True):
    """What this server is, and its plugins."""

    #: Always ``simplestack``.
    name: str
    #: The version of simplestack-core.
    version: str
    #: The hypervisors, by the word in the URL.
    hypervisors: dict[str, PluginSummary]
    #: Versions of the service plugins, by name.
    services: dict[str, str]


class PluginDetails(PluginSummary, frozen=True, kw_only=True):
    """A hypervisor plugin and what it can do."""

    #: The word in the URL.
    name: str
    #: Whether it implements an operation, for each of the contract.
    operations: dict[str, bool]


class HealthReport(Struct, frozen=True, kw_only=True):
    """That a worker answers."""

    #: Always ``ok``.
    status: str
    #: Sessions that this worker holds with hypervisors, idle ones included.
    sessions: int
    #: Those of them that a request is using.
    busy_sessions: int


class _Page:
    """A resource that answers GET and HEAD with JSON."""

    def _send(self, request: falcon.Request, response: falcon.Response, content: Any) -> None:
        response.set_header(HEADER, request_id(request))
        response.content_type = falcon.MEDIA_JSON
        response.data = json_text(content)

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
        read_query(request)
        registry = self._dispatcher.registry
        self._send(
            request,
            response,
            ServiceSummary(
                name="simplestack",
                version=version("simplestack-core"),
                hypervisors={found.name: PluginSummary(**_summary(found)) for found in registry.plugins()},
                services={service.name: service.version for service in registry.services},
            ),
        )


class HypervisorPage(_Page):
    """``GET /{hypervisor}``: one plugin, and which operations it implements."""

    def __init__(self, dispatcher: Dispatcher, tokens: ServiceTokens) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens

    def on_get(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Show one hypervisor."""
        self._tokens.holder(request)
        read_query(request)
        found = self._dispatcher.hypervisor(segments["hypervisor"])
        implemented = found.operations
        operations = {operation.name: operation.name in implemented for operation in OPERATIONS}
        details = PluginDetails(name=found.name, operations=operations, **_summary(found))
        self._send(request, response, details)


class Health(_Page):
    """``GET /healthz``: whether this worker answers, and how many sessions it has. Needs no token."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def on_get(self, request: falcon.Request, response: falcon.Response, **_segments: str) -> None:
        """Say that all is well."""
        read_query(request)
        self._send(request, response, HealthReport(status="ok", **self._dispatcher.pool.counts()))


def _summary(found: Hypervisor) -> dict[str, Any]:
    return {
        "title": found.plugin.title,
        "version": found.version,
        "distribution": found.distribution,
        "aliases": list(found.plugin.aliases),
    }
