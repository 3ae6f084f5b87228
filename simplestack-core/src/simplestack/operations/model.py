"""What a row of the operations table says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec import Struct

#: Path of one host: every operation is below it.
BASE_PATH = "/{hypervisor}/{host}"


class HookCall(NamedTuple):
    """Which hook answers a request, with which arguments besides the session and the ids of the path."""

    hook: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonBody:
    """A JSON object in the request."""

    type: type[Struct]
    required: bool = True
    #: The hook's argument that takes the whole body. A plugin may narrow its type there.
    argument: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBody:
    """A raw image in the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of the operations of the REST contract: the only place that knows its path."""

    name: str
    method: str
    #: Below :data:`BASE_PATH`; names in braces are arguments of the hook.
    path: str
    #: What the hook returns: an entity, ``list`` of one, ``Export``, or None.
    result: Any
    status: int = 200
    #: What it does, where that is not what its first hook's docstring says first.
    summary: str | None = None
    body: JsonBody | StreamBody | None = None
    #: Path of the thing made, below the base path: from the ids of the path, the result's ``id`` or the
    #: body's members.
    location: str | None = None
    #: Whether it copies or writes out a guest's data, so that it may take an hour; where only some of its
    #: hooks do, those.
    moves_data: bool | tuple[str, ...] = False
    #: The hooks that it may call; the first unless `choose` says which.
    hooks: tuple[str, ...] = ()
    #: Turns the body into a call, where it is not simply passed on.
    choose: Callable[[Any], HookCall] | None = None
    #: Makes the answer from the body, where it is not what the hook returned.
    answer: Callable[[Any], Struct] | None = None

    def __post_init__(self) -> None:
        if not self.hooks:
            object.__setattr__(self, "hooks", (self.name,))

    @property
    def route(self) -> str:
        """The whole path, with the names of its variables in braces."""
        return BASE_PATH + self.path.rstrip("/")

    @property
    def long_hooks(self) -> tuple[str, ...]:
        """The hooks that copy or write out a guest's data."""
        if isinstance(self.moves_data, tuple):
            return self.moves_data
        return self.hooks if self.moves_data else ()

    def call(self, ids: Mapping[str, str], body: Any) -> HookCall:
        """Say which hook to call for a request, and with what but the session."""
        if self.choose is not None:
            hook, arguments = self.choose(body)
            return HookCall(hook, {**ids, **arguments})
        if isinstance(self.body, JsonBody) and self.body.argument is not None:
            return HookCall(self.name, {**ids, self.body.argument: body})
        return HookCall(self.name, dict(ids))
