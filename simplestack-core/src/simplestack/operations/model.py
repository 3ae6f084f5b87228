"""The type of the rows of the operations table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import Struct

#: Path of one host. The paths of all operations start with it.
BASE_PATH = "/{hypervisor}/{host}"


class HookCall(NamedTuple):
    """The hook for a request, and its arguments without the session."""

    hook: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonBody:
    """A JSON object in the request."""

    type: type[Struct]
    required: bool = True
    #: Name of the hook's argument that takes the body. A plugin may annotate it with a subclass of `type`.
    argument: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBody:
    """A disk image in the request, and its description in the query."""

    #: The query parameters. A list is a parameter that may be repeated.
    query: type[Struct]
    #: Name of the hook's argument that takes the query; None if it is empty.
    argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the REST contract. Its path is only here."""

    name: str
    method: str
    #: Path below :data:`BASE_PATH`. Names in braces are arguments of the hook.
    path: str
    #: Type that the hook returns: an entity, a ``list`` of entities, ``Export``, or None.
    result: Any
    status: int = 200
    #: What the operation does. Default: the first sentence of its first hook's docstring.
    summary: str | None = None
    body: JsonBody | StreamBody | None = None
    #: Path of the created entity below the base path. Names in braces are IDs from the path, or the result's
    #: ``id`` or the body's ``name``.
    location: str | None = None
    #: Whether the operation copies a guest's disks or memory, which may take an hour; or the hooks that do.
    moves_data: bool | tuple[str, ...] = False
    #: Hooks that the operation may call. It calls the first one, unless `choose` is set.
    hooks: tuple[str, ...] = ()
    #: Chooses the hook and its arguments from the body. Default: the first hook gets the body.
    choose: Callable[[Any], HookCall] | None = None
    #: Makes the response from the request's body. Default: the response is what the hook returned.
    response: Callable[[Any], Struct] | None = None

    def __post_init__(self) -> None:
        if not self.hooks:
            object.__setattr__(self, "hooks", (self.name,))

    @property
    def route(self) -> str:
        """The path including :data:`BASE_PATH`, with names in braces."""
        return BASE_PATH + self.path.rstrip("/")

    @property
    def long_hooks(self) -> tuple[str, ...]:
        """The hooks that copy a guest's disks or memory."""
        if isinstance(self.moves_data, tuple):
            return self.moves_data
        return self.hooks if self.moves_data else ()

    def call(self, ids: Mapping[str, str], body: Any) -> HookCall:
        """Return the hook to call for a request, and its arguments without the session.

        :param ids: the IDs in the path, by name
        :param body: the decoded body, or None
        """
        if self.choose is not None:
            hook, arguments = self.choose(body)
            return HookCall(hook, {**ids, **arguments})
        if isinstance(self.body, JsonBody) and self.body.argument is not None:
            return HookCall(self.name, {**ids, self.body.argument: body})
        return HookCall(self.name, dict(ids))
