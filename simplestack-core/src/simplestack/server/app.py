"""The WSGI application."""

import ipaddress
import logging
from typing import TYPE_CHECKING, Any

import falcon

from simplestack.config.load import Configuration
from simplestack.config.settings import ServerSettings
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.errors import PermissionDenied
from simplestack.plugins.registry import Registry
from simplestack.server.authentication import ServiceTokens
from simplestack.server.client_address import TrustedProxies
from simplestack.server.documents import OpenApiPage, ReferencePage
from simplestack.server.ending import call_at_end
from simplestack.server.meta import Health, HypervisorPage, Index
from simplestack.server.metrics.folder import metrics_folder, restore_metrics_folder
from simplestack.server.metrics.measuring import Measuring
from simplestack.server.metrics.page import MetricsPage
from simplestack.server.pages import call_at_rejection
from simplestack.server.paths import RawPath
from simplestack.server.plugin_pages import Admission, service_pages
from simplestack.server.problems import add_error_handlers
from simplestack.server.readiness import Readiness
from simplestack.server.rejections import REJECTIONS
from simplestack.server.responder import Service
from simplestack.server.router import add_routes
from simplestack.sessions.meter import NO_METER

if TYPE_CHECKING:
    from simplestack.server.metrics.figures import Figures

_log = logging.getLogger("simplestack.server")

App = falcon.App[Any, Any]


class Application(App):
    """The WSGI application, with the settings for its worker."""

    server_settings: ServerSettings
    readiness: Readiness


def make_app(configuration: Configuration, registry: Registry, *, local_only: bool = False) -> App:
    """Create the application from loaded settings and plugins.

    :param local_only: reject clients on other machines
    :raises SettingsError: a service plugin cannot add its pages
    """
    server = configuration.server
    figures = _figures(server)
    dispatcher = Dispatcher(
        registry,
        max_sessions=server.max_sessions,
        threads=server.threads,
        audit=server.audit,
        audit_format=server.audit_format or server.log_format,
        trace=server.trace_hooks,
        meter=figures or NO_METER,
    )
    call_at_end(dispatcher.close)
    REJECTIONS.max_lines = server.max_rejection_lines_per_minute
    tokens = ServiceTokens(server.tokens)
    proxies = [TrustedProxies(server.trusted_proxies)] if server.trusted_proxies else []
    local = [_LocalOnly()] if local_only else []
    middleware: list[Any] = [*proxies, RawPath(), *local, Admission(tokens)]
    if figures is not None:
        tokens.on_rejected = figures.token_rejected
        call_at_rejection(figures.request_rejected)
        middleware.insert(0, Measuring(figures))
    app = Application(middleware=middleware)
    app.server_settings = server
    app.readiness = Readiness(has_plugins=_has_plugins(configuration, registry))
    add_error_handlers(app)
    add_routes(app, Service(dispatcher, tokens, server.max_json_bytes))
    app.add_route("/", Index(dispatcher, tokens))
    app.add_route("/healthz", Health(dispatcher))
    app.add_route("/readyz", app.readiness)
    page_tokens = tokens if server.metrics_need_token else None
    app.add_route("/metrics", MetricsPage(dispatcher, page_tokens))
    app.add_route(
        "/openapi.json", OpenApiPage(dispatcher, tokens, metrics_need_token=server.metrics_need_token)
    )
    app.add_route("/docs", ReferencePage())
    app.add_route("/docs/{asset}", ReferencePage())
    app.add_route("/{hypervisor}", HypervisorPage(dispatcher, tokens))
    for pages in service_pages(registry, server.plugin_timeout_seconds):
        pages.add_to(app)
    return app


def _figures(server: ServerSettings) -> "Figures | None":
    """Return what counts requests and sessions; None without prometheus-client, or if they cannot be kept."""
    folder = metrics_folder()
    if folder is None:
        return None
    from simplestack.server.metrics.figures import Figures  # noqa: PLC0415  it needs prometheus-client

    try:
        restore_metrics_folder(folder)
        return Figures(folder, with_hosts=server.metrics_hosts)
    except OSError as error:  # a worker that does not start would end the service
        _log.error("no metrics of this worker: %s", error)
        return None


def _has_plugins(configuration: Configuration, registry: Registry) -> bool:
    """Return whether all plugins that the settings name were loaded, or any if they name none."""
    if configuration.server.hypervisors is None:
        return bool(registry.hypervisors)
    return not registry.failures


class _LocalOnly:
    """Prevents other machines from using a service without settings as a relay into its network."""

    def process_request(self, request: falcon.Request, _response: falcon.Response) -> None:
        """Reject clients on other machines."""
        peer = request.env.get("REMOTE_ADDR", "")
        try:
            is_local = ipaddress.ip_address(peer).is_loopback
        except ValueError:
            is_local = peer == ""  # a Unix socket has no address
        if not is_local:
            raise PermissionDenied(
                "this service accepts only clients on its own machine; to serve others, set "
                "server.hypervisors and allowed_hosts of each hypervisor"
            )
