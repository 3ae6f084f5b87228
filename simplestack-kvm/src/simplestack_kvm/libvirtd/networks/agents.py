"""Guest agents: programs in guests. Their responses cannot be trusted, and may never come."""

import json
import logging
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from simplestack import Busy
from simplestack_kvm.errors import has_reason
from simplestack_kvm.libvirtd.connection.bounded import NoResponse, bounded
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

#: How long an agent may take for a command. libvirt waits another 5 s for its first sign of life.
COMMAND_SECONDS = 2
#: After so long somebody else has the agent to himself, such as a backup that froze the guest's file systems.
LIMIT_SECONDS = 6.0
#: Pause after an agent did not respond: each attempt delays a request by seconds.
SILENCE_SECONDS = 60.0
#: An interface's addresses take some 100 bytes. What is longer is no list of interfaces.
MAX_RESPONSE_CHARACTERS = 1024 * 1024

_COMMAND = '{"execute": "guest-network-get-interfaces"}'
_MOST_SILENT = 10_000

_log = logging.getLogger(__name__)
#: When a guest's agent may be asked again, by host and guest.
_silent_until: dict[tuple[object, str], float] = {}


def agent_addresses(session: KvmSession, domain: "libvirt.virDomain") -> list[str]:
    """Return what a guest's agent calls its addresses: any text. Empty when it does not respond."""
    guest = (session.target, domain.UUIDString())
    if time.monotonic() < _silent_until.get(guest, 0):
        return []

    def ask() -> str | None:
        if time.monotonic() < _silent_until.get(guest, 0):
            return None  # whoever asked it just before waited in vain
        return _ask(session, domain, guest)

    try:
        response = bounded(session, guest, ask, LIMIT_SECONDS)
    except (NoResponse, Busy):
        if session.abandoned.is_set():
            _note_silence(guest, "it is busy with something else")
        return []
    return [] if response is None else list(_addresses(response))


def _ask(session: KvmSession, domain: "libvirt.virDomain", guest: tuple[object, str]) -> str | None:
    # Not interfaceAddresses: it waits for ever, unless agentSetResponseTimeout was called before. That one
    # changes the limit for everybody, so that a backup might take a guest for not frozen that is.
    command = import_module("libvirt_qemu").qemuAgentCommand
    try:
        response: str = command(domain, _COMMAND, COMMAND_SECONDS, 0)
    except libvirt.libvirtError as error:
        # VIR_ERR_RPC on a connection that lives: the response is too long for libvirt's protocol.
        is_too_long = error.get_error_code() == libvirt.VIR_ERR_RPC and session.connection.isAlive()
        if not is_too_long and not has_reason(error):
            raise
        _note_silence(guest, str(error))
        return None
    return response


def _note_silence(guest: tuple[object, str], reason: str) -> None:
    _log.info("the agent of guest %s is not asked for %g s: %s", guest[1], SILENCE_SECONDS, reason)
    now = time.monotonic()
    if len(_silent_until) >= _MOST_SILENT:
        for other in [other for other, until in list(_silent_until.items()) if until <= now]:
            _silent_until.pop(other, None)
    if len(_silent_until) < _MOST_SILENT:
        _silent_until[guest] = now + SILENCE_SECONDS


def _addresses(response: str) -> Iterator[str]:
    """Find the addresses in a response. What does not look like the agent's protocol is passed over."""
    if len(response) > MAX_RESPONSE_CHARACTERS:
        return
    try:
        returned: Any = json.loads(response)
    except (ValueError, RecursionError):
        return
    for interface in _items(returned, "return"):
        for address in _items(interface, "ip-addresses"):
            text = address.get("ip-address") if isinstance(address, dict) else None
            if isinstance(text, str):
                yield text


def _items(value: Any, key: str) -> list[Any]:
    items = value.get(key) if isinstance(value, dict) else None
    return items if isinstance(items, list) else []
