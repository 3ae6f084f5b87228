"""Pages that plugins add to the REST service. A plugin that fails at it is not used."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import falcon

from simplestack.plugins.errors import LoadFailure, PluginFault
from simplestack.plugins.registry import Registry
from simplestack.plugins.wording import shown

_log = logging.getLogger("simplestack.plugins")


class Pages:
    """What a plugin's ``mount`` gets: the part of the falcon application that is the plugin's own.

    It is added to the service once ``mount`` has returned: a route cannot be taken back.
    """

    def __init__(self, name: str, package: str) -> None:
        self._prefix = f"/_{name}"
        self._package = package
        #: Rejects at once what falcon does.
        self._trial: falcon.App[Any, Any] = falcon.App()
        self._additions: list[Callable[[Any], None]] = []

    def add_route(self, uri_template: str, resource: object, **options: Any) -> None:
        """Add a resource, as ``falcon.App.add_route`` does.

        :raises PluginFault: the path is not below ``/_NAME``
        """
        path = str(uri_template)
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            raise PluginFault(f"mount adds a route at {path!r}; expected one below '{self._prefix}/'")
        self._add(lambda app: app.add_route(path, resource, **options))

    def add_error_handler(self, exception: type[BaseException], handler: Callable[..., None]) -> None:
        """Handle an exception class of the plugin's own, as ``falcon.App.add_error_handler`` does.

        :raises PluginFault: the class is not the plugin's
        """
        if exception.__module__.partition(".")[0] != self._package:
            raise PluginFault(
                f"mount adds an error handler for {shown(exception)}; "
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


def mount_pages(registry: Registry, app: Any, admit: Callable[[Any], Any], limit_seconds: float) -> Registry:
    """Let each plugin add its pages; return the registry without those that failed at it.

    :param admit: raises Unauthorized for a client that the service does not serve
    :param limit_seconds: time limit for each plugin
    """
    for found in registry.plugins():
        pages = Pages(found.name, found.package)
        settings = registry.settings[found.name].general
        code = found.code(limit_seconds)
        try:
            code.run("mount(app, settings, admit)", partial(found.plugin.mount, pages, settings, admit))
            code.run("adding the routes of mount", partial(pages.add_to, app))
        except PluginFault as fault:
            failure = LoadFailure(found.name, found.distribution, found.version, str(fault))
            _log.error("not loaded: %s", failure)
            registry = registry.without(found, failure)
    return registry
