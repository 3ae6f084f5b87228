"""Pages that service plugins add to the service, each plugin below its own path."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import falcon
import pluggy

from simplestack.hookspecs import services
from simplestack.markers import PROJECT_NAME
from simplestack.plugins.errors import LoadFailure, PluginFault
from simplestack.plugins.registry import Registry
from simplestack.plugins.service_loading import Service
from simplestack.plugins.wording import shown
from simplestack.server.authentication import ServiceTokens
from simplestack.server.request_id import HEADER, request_id


class Pages:
    """What ``service_routes`` gets: the part of the falcon application that is the plugin's own.

    It is added to the service once the hook has returned: a route cannot be taken back.
    """

    def __init__(self, service: Service) -> None:
        self._prefix = f"/_{service.name}"
        self._package = service.package
        #: Rejects at once what falcon does.
        self._trial: falcon.App[Any, Any] = falcon.App()
        self._additions: list[Callable[[Any], None]] = []

    def add_route(self, uri_template: str, resource: object, **options: Any) -> None:
        """Add a resource, as ``falcon.App.add_route`` does.

        :raises PluginFault: the path is not below ``/_NAME``
        """
        path = str(uri_template)
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            raise PluginFault(
                f"service_routes adds a route at {path!r}; expected one below '{self._prefix}/'"
            )
        self._add(lambda app: app.add_route(path, resource, **options))

    def add_error_handler(self, exception: type[BaseException], handler: Callable[..., None]) -> None:
        """Handle an exception class of the plugin's own, as ``falcon.App.add_error_handler`` does.

        :raises PluginFault: the class is not the plugin's
        """
        if exception.__module__.partition(".")[0] != self._package:
            raise PluginFault(
                f"service_routes adds an error handler for {shown(exception)}; "
                f"expected an exception class of the package {self._package}"
            )
        self._add(lambda app: app.add_error_handler(exception, handler))

    def add_to(self, app: Any) -> None:
        """Add all of it to the service's application."""
        for addition in self._additions:
            addition(app)

    def _add(self, addition: Callable[[Any], None]) -> None:
        addition(self._trial)
        self._additions.append(addition)


class Admission:
    """Middleware: only clients that the service serves reach the pages of plugins."""

    def __init__(self, tokens: ServiceTokens) -> None:
        self._tokens = tokens

    def process_request(self, request: falcon.Request, response: falcon.Response) -> None:
        """Check the client's service token.

        :raises Unauthorized: it has none, or a wrong one
        """
        if request.path.startswith("/_"):  # as no hypervisor's name does
            response.set_header(HEADER, request_id(request))
            request.context.client = self._tokens.holder(request)


def service_pages(registry: Registry, limit_seconds: float) -> list[Pages]:
    """Return the pages of all service plugins.

    :param limit_seconds: time limit for each plugin
    :raises SettingsError: a plugin fails at it
    """
    all_pages: list[Pages] = []
    failures: list[LoadFailure] = []
    for service in registry.services:
        pages = Pages(service)
        manager = pluggy.PluginManager(PROJECT_NAME)
        manager.add_hookspecs(services)
        manager.register(service.hooks)
        try:
            add_routes = partial(manager.hook.service_routes, app=pages)
            service.code(limit_seconds).run("service_routes(app)", add_routes)
        except PluginFault as fault:
            failures.append(service.failure(str(fault)))
            continue
        all_pages.append(pages)
    replace(registry, service_failures=tuple(failures)).check_services()
    return all_pages
