"""The description of a service plugin: the object that its entry point names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from simplestack.config.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)


def _no_warnings(_settings: Any) -> list[str]:
    return []


@dataclass(frozen=True, kw_only=True)
class ServicePlugin(Generic[S]):
    """A service plugin: policy, metering. Its entry point is in the group ``simplestack.services``."""

    #: The name of the entry point, and of the settings: lower-case letters, digits, ``_`` and ``-``.
    name: str
    #: For people: ``Policy of the test lab``.
    title: str
    #: Returns an object whose methods, marked with ``@hookimpl``, are the plugin's hooks: ``make(settings)``.
    #: Most plugins name a class here. Called once when settings are read. The service forks its workers after
    #: that, so open files and connections later, in the first call.
    make: Callable[[S], object]
    #: The type of ``[services.NAME]``.
    settings: type[S] = ServiceSettings  # type: ignore[assignment]  # a plugin without settings leaves it out
    #: Whether the plugin is off unless ``server.services`` names it. Otherwise it is in use once installed.
    opt_in: bool = False
    #: Called when settings are read: reports what an operator should know, as lines for the log.
    warnings: Callable[[S], list[str]] = _no_warnings
