"""Faults of the XAPI simulator that end sessions."""

import json
from collections.abc import Callable
from typing import Any

from simulators.xapi.server import Server


def test_all_sessions_end_before_a_message_that_was_ordered_to_end_them(
    server: Server, session: Any, vm: str, fetch: Callable[..., bytes]
) -> None:
    fetch("POST", "/simulator/faults", {"message": "VM.set_name_label", "effect": "end sessions"})
    call = {"method": "VM.set_name_label", "params": (session._session, vm, "mine"), "jsonrpc": "2.0"}
    answer = json.loads(fetch("POST", "/jsonrpc", call | {"id": 1}))
    assert answer["error"]["message"] == "SESSION_INVALID"
    assert list(server.simulator.database.all("session")) == []
    assert server.simulator.database.get("VM", vm)["name_label"] == "vm-0"
