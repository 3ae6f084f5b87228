"""What a hypervisor plugin says of itself: the object behind its entry point."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from simplestack.config.settings import HypervisorSettings
from simplestack.errors import SimplestackError
from simplestack.identity.credentials import Credentials
from simplestack.sessions.targets import Target

S = TypeVar("S", bound=HypervisorSettings)


def _no_translation(_error: Exception) -> SimplestackError | None:
    return None


def _no_warnings(_settings: Any) -> list[str]:
    return []


def _nothing_around(_settings: Any) -> None:
    return None


def _nothing_mounted(_app: Any, _settings: Any, _admit: Callable[[Any], Any]) -> None:
    return None


def _always_usable(_session: Any) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class HypervisorPlugin(Generic[S]):
    """A hypervisor plugin. Its entry point is in the group ``simplestack.hypervisors``.

    Neither it nor its hook modules import the vendor's SDK at import time: that waits for ``connect``.
    """

    #: The word in the URL: lower-case letters, digits, ``-``.
    name: str
    #: For people: ``KVM (libvirt)``.
    title: str
    #: Makes a session: ``connect(target, credentials, settings)``. It may connect only to what the target
    #: names. It raises Unauthorized when the hypervisor rejects the credentials, HypervisorUnavailable or
    #: HypervisorTimeout when the hypervisor cannot be reached or does not respond. Where the hypervisor does
    #: not check the password itself, ``connect`` must (:func:`simplestack.check_account`).
    connect: Callable[[Target, Credentials, S], Any]
    #: Logs a session out, in any thread, also a session that is broken. It raises when the hypervisor could
    #: not be told: then it is called again later, at most three more times.
    disconnect: Callable[[Any], None]
    #: Modules of ``@hookimpl`` functions.
    hooks: tuple[ModuleType, ...]
    #: Other words in the URL.
    aliases: tuple[str, ...] = ()
    #: The type of ``[hypervisors.NAME]``.
    settings: type[S]
    #: Translates an exception of the SDK that ``connect`` or a hook let through; None for an unknown one.
    #: So hooks catch only what they know more about, such as which id was not found.
    translate: Callable[[Exception], SimplestackError | None] = _no_translation
    #: Tells without a round trip whether a session that has been lying idle is still alive.
    check: Callable[[Any], bool] = _always_usable
    #: Whether several threads may use one session at once. Otherwise a request has it alone.
    shares_sessions: bool = False
    #: Whether every hook returns within :func:`simplestack.time_left_seconds` by itself, because each call of
    #: the SDK has a time-out. Otherwise core runs each hook in a thread of its own, which costs 0.1 ms, and
    #: abandons that thread when the time is up.
    enforces_time_limits: bool = False
    #: Called when settings are read, for the general ones and those of each host that has its own: reports
    #: what an operator should know (verification that is off, accounts that are missing), as lines for the
    #: log.
    warnings: Callable[[S], list[str]] = _no_warnings
    #: Called once when settings are read, with the general ones: returns what goes around every hook, a
    #: function of the hook's name and of what calls it that returns what is called in its place; or None.
    around: Callable[[S], Callable[[str, Callable[..., Any]], Callable[..., Any]] | None] = _nothing_around
    #: Called once by each worker of a starting REST service: adds resources of the plugin's own to it, below
    #: ``/_NAME/``. It gets an object with ``add_route`` and ``add_error_handler`` of the service's falcon
    #: application, the settings, and a function that passes the requests of clients that the service serves,
    #: and raises Unauthorized for others. Errors that it handles are exception classes of the plugin's own.
    mount: Callable[[Any, S, Callable[[Any], Any]], None] = _nothing_mounted
    #: A JSON file of examples for the OpenAPI document: by operation, the ids of its path (``parameters``),
    #: its JSON body (``request``) and its JSON response (``answer``), each where there is one.
    examples: Path | None = None
