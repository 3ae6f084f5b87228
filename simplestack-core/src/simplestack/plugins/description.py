"""What a hypervisor plugin says of itself: the object behind its entry point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    #: What the plugin was tested against, and what not: ``XAPI simulator; not against a real pool``. The
    #: command ``simplestack plugins`` shows it.
    tested_against: str = ""
    #: The fields of requests that not every hypervisor has, and that this one supports, by hook:
    #: ``{"guest_create": ("firmware", "user_data")}``. Core rejects the others with 501. The hooks are
    #: ``guest_create`` (``firmware``, ``user_data``, ``network_config``, ``hostname``, ``ssh_keys``),
    #: ``guest_clone`` (those without ``firmware``; it takes ``cloud_init``) and ``guest_import`` (the fields
    #: of :class:`~simplestack.GuestImport`; it takes ``description``).
    optional_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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
    #: A JSON file of examples for the OpenAPI document: by operation, the ids of its path (``parameters``),
    #: its JSON body (``request``) and its JSON response (``response``), each where there is one.
    examples: Path | None = None
