"""The one hook that service plugins (audit, policy, metering) wrap: entry points ``simplestack.services``."""

from collections.abc import Mapping
from typing import Any

from simplestack.entities.call_context import CallContext
from simplestack.markers import hookspec


@hookspec(firstresult=True)
def operation_call(operation: str, arguments: Mapping[str, Any], context: CallContext) -> Any:
    """Perform an operation of any hypervisor.

    Core has the only implementation. A service plugin wraps it, and so sees every operation, those added
    later included:

    .. code-block:: python

        @hookimpl(wrapper=True)
        def operation_call(operation, arguments, context):
            if operation == "guest_delete" and context.user != "admin":
                raise PermissionDenied("only admin deletes guests")
            return (yield)

    What is raised before the ``yield`` rejects the call: nothing has been connected to then. The ``yield``
    gives the result. Return it, or another of the same type. Anything else is a defect: clients get a 500,
    and the log names the plugin. An export that is not returned is closed.

    :param operation: the hook's name, such as ``guest_info``
    :param arguments: the hook's arguments but the session; read-only
    :param context: who asks for what; no secrets
    """
