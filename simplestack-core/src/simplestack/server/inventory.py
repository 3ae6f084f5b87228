"""Look up what a host has, for messages about what it does not have."""

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import quote

from simplestack.dispatch.call import Call
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.operations.model import Operation
from simplestack.plugins.hypervisor import Hypervisor

#: Fields of entities with their display name.
_NAMES = ("name", "name_label")


class HostInventory:
    """The lists of the host in a request.

    :param ids: the IDs in the request's path, by name
    :param base: ``/hypervisor/host``, as the client wrote it
    """

    def __init__(
        self, dispatcher: Dispatcher, hypervisor: Hypervisor, call: Call, ids: Mapping[str, str], base: str
    ) -> None:
        self._dispatcher = dispatcher
        self._hypervisor = hypervisor
        self._call = call
        self._ids = ids
        self._base = base

    def path_of(self, listing: Operation) -> str | None:
        """Return the path of a list, as the client would write it; None if the plugin lacks the list."""
        if not self._hypervisor.implements(listing.name):
            return None
        quoted = {name: quote(value, safe=":") for name, value in self._ids.items()}
        return self._base + listing.path.format_map(quoted)

    def ids_of(self, listing: Operation, name: str) -> list[str]:
        """List entities, and return the IDs of those with a name.

        :raises SimplestackError: the hypervisor cannot list them
        """
        (kind,) = get_args(listing.result)
        field = next((field for field in _NAMES if hasattr(kind, field)), None)
        if field is None:  # such as tags, which are names
            return []
        arguments: dict[str, Any] = {
            parameter: self._ids[parameter]
            for parameter in SPEC_PARAMETERS[listing.name]
            if parameter in self._ids
        }
        if "fields" in SPEC_PARAMETERS[listing.name]:
            known = self._hypervisor.fields.get(listing.name, frozenset())
            arguments["fields"] = known & {"id", field}
        listed = self._dispatcher.call(self._call, listing.name, arguments)
        return [entity.id for entity in listed if getattr(entity, field) == name]

    def setting_with(self, value: str) -> str | None:
        """Return the name of the plugin's setting with a value; None if there is none."""
        settings, _ = self._dispatcher.registry.settings_at(self._hypervisor, self._call.target.name)
        names = settings.__struct_fields__
        return next((name for name in names if getattr(settings, name) == value), None)
