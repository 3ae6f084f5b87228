"""The hooks of service plugins, such as policies. :class:`~simplestack.ServicePlugin` describes a plugin."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from simplestack.entities.call_context import CallContext
from simplestack.markers import hookspec


class Routes(Protocol):
    """The part of the REST service's falcon application that is a service plugin's own."""

    def add_route(self, uri_template: str, resource: object, **options: Any) -> None:
        """Add a resource, as ``falcon.App.add_route`` does.

        :param uri_template: a path below ``/_NAME``, where NAME is the plugin's
        """
        ...

    def add_error_handler(self, exception: type[BaseException], handler: Callable[..., None]) -> None:
        """Handle an exception class of the plugin's package, as ``falcon.App.add_error_handler`` does.

        :param handler: called as ``handler(request, response, error, parameters)``
        """
        ...


@hookspec(firstresult=True)
def operation_call(operation: str, arguments: Mapping[str, Any], context: CallContext) -> Any:
    """Perform an operation of any hypervisor.

    Core has the only implementation. A service plugin wraps it, so it sees every operation, including
    operations that are added later:

    .. code-block:: python

        class Settings(ServiceSettings, frozen=True, kw_only=True):
            #: Who may delete guests.
            admins: list[str] = []

        class Policy:
            def __init__(self, settings):
                self._admins = settings.admins

            @hookimpl(wrapper=True)
            def operation_call(self, operation, arguments, context):
                if operation == "guest_delete" and context.user not in self._admins:
                    raise PermissionDenied(f"{context.user} may not delete guests")
                return (yield)

        plugin = ServicePlugin(name="policy", title="Policy", settings=Settings, make=Policy)

    Its entry point is ``policy = "my_package:plugin"`` in the group ``simplestack.services``.

    Raise an error before the ``yield`` to reject the call before core connects to the host; the audit line
    has the error's message as its ``reason``. The ``yield`` returns the result. Return it, or another result
    of the same type; otherwise clients get 500, and the log names the plugin. Core closes an export that is
    not returned.

    :meth:`context.call <simplestack.CallContext.call>` calls another hook for the same caller. With it a
    policy looks before it decides, or tags what a request has created:

    .. code-block:: python

        @hookimpl(wrapper=True)
        def operation_call(operation, arguments, context):
            if operation == "guest_delete":
                if "protected" in context.call("tag_list", guest_id=arguments["guest_id"]):
                    raise PermissionDenied("this guest is tagged 'protected'")
            result = yield
            if operation == "guest_create":
                context.call("tag_create", guest_id=result.id, name=f"owner:{context.user}")
            return result

    Each call takes a session from the pool and gives it back. The operation has its own during the
    ``yield`` alone, so one session per host is enough. Only an export keeps its session until its last
    byte: a call after its ``yield`` needs a second one, and raises HypervisorUnavailable where none
    becomes free. If a call after the ``yield`` raises, the client reads that error, although the
    operation has taken effect.

    :param operation: the hook's name, such as ``guest_info``
    :param arguments: the hook's arguments without the session; read-only. The ``stream`` of an import is a
        :class:`~simplestack.WrappableStream`. The user data and the network configuration of a new guest are
        secrets: do not log them. They are in ``guest`` of ``guest_create`` and ``cloud_init`` of
        ``guest_clone``, whose ``repr`` does not show them
    :param context: hypervisor, host, user and request ID; no secrets
    """


@hookspec
def service_routes(app: Routes) -> None:
    """Add the plugin's own pages to the REST service, below ``/_NAME/``.

    Called when the service starts: in each worker, and before that in the process that forks them, to see
    whether it succeeds. The service does not start where it fails. Falcon is imported here or in a module of
    the pages, not with the plugin, which loads without the server, too.

    .. code-block:: python

        class Counts:
            def __init__(self, counts):
                self._counts = counts

            def on_get(self, request, response):
                response.media = self._counts

        class Metering:
            ...

            @hookimpl
            def service_routes(self, app):
                app.add_route("/_metering/counts", Counts(self._counts))

    Core has checked the client's service token when a page is called; ``request.context.client`` is the name
    of its holder, or None where the service asks for none. A page may raise a
    :class:`~simplestack.SimplestackError`: it becomes the same JSON error as an operation's. Segments of the
    path arrive percent-encoded.

    :param app: where to add routes and error handlers
    """
