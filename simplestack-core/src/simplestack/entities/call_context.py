"""The context of a call: hypervisor, host, user and request ID, and further calls for the same user."""

from contextvars import ContextVar
from typing import Any

from msgspec import Struct

#: The run of the operation that this thread performs; core sets it. It bypasses the service plugins, which
#: could log whatever they are given.
current_run: ContextVar[Any] = ContextVar("simplestack.run", default=None)


class CallContext(Struct, frozen=True, kw_only=True):
    """Who calls an operation, and on which host. It has no secrets, so service plugins may log it."""

    #: The plugin's name, not an alias.
    hypervisor: str
    #: The host as the client wrote it.
    host: str
    #: The user name at the hypervisor.
    user: str
    #: The ID of the request in the log; ``-`` for calls of a :class:`~simplestack.Stack`.
    request_id: str
    #: The name of the service token in the request; None without one.
    client: str | None = None
    #: The client's address; None for calls of a :class:`~simplestack.Stack` and through a Unix socket.
    client_address: str | None = None

    def call(self, hook: str, /, **arguments: Any) -> Any:
        """Call a hook for the same caller at the same host, and return what it returns.

        .. code-block:: python

            if "protected" in context.call("tag_list", guest_id=arguments["guest_id"]):
                raise PermissionDenied("this guest is tagged 'protected'")

        The call takes a session of the caller from the pool, or makes one, and has the time limit of its own
        operation. It does not pass the service plugins again. Its audit line names the operation of the
        request in ``nested_in``. The result is checked.

        Any hook can be called, also one that changes something: a plugin may tag what a request has created.
        The caller's own rights apply. The exceptions are imports and exports: they stream an image, which
        belongs to one client.

        :param hook: the hook's name
        :param arguments: its arguments but the session. ``fields`` may be left out for all fields. A body is
            core's type, the plugin's own, or a dict as in JSON.
        :raises SimplestackError: what the hook raises; OperationNotSupported where the plugin lacks it;
            InvalidArguments for an ID or a name that no client could send
        :raises TypeError: there is no such hook, or it does not take these arguments
        :raises RuntimeError: the wrapper that was given this context has returned, or this is another thread
        """
        run = current_run.get()
        if run is None or run.has_ended or run.call.context is not self:
            raise RuntimeError(
                f"context.call({hook!r}): works in the thread of the request, until the wrapper has returned"
            )
        return run.call_nested(hook, arguments)
