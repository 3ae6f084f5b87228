"""A policy: whoever it is, nothing is changed."""

from collections.abc import Generator, Mapping
from typing import Any

from simplestack import CallContext, PermissionDenied, ServicePlugin, ServiceSettings, hookimpl

#: Operations are named ``entity_verb``; these verbs change nothing.
READING_VERBS = frozenset({"list", "info", "export"})


class ReadOnly:
    """The policy's hooks."""

    def __init__(self, _settings: ServiceSettings) -> None:
        """Make it; it has no settings."""

    @hookimpl(wrapper=True)
    def operation_call(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        """Refuse all operations but those that read."""
        del arguments  # what is asked for does not matter, only which operation it is
        if operation.rpartition("_")[2] not in READING_VERBS:
            raise PermissionDenied(
                f"{operation} is refused: this service only reads from {context.hypervisor}"
            )
        return (yield)


plugin = ServicePlugin(name="readonly", title="Reads only", make=ReadOnly)
