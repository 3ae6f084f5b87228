"""Power: every transition, and every error, from each state."""

from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives

_HOOKS = {
    "start": "guest_start",
    "stop": "guest_shutdown",
    "force_stop": "guest_shutdown",
    "pause": "guest_suspend",
    "resume": "guest_resume",
    "reboot": "guest_reboot",
    "forced reboot": "guest_reboot",
}
_REJECTED = {
    "STOPPED": ("stop", "force_stop", "pause", "resume", "reboot", "forced reboot"),
    "STARTED": ("start", "resume"),
    "PAUSED": ("start", "stop", "pause", "reboot", "forced reboot"),
}
_REACHED = {"STOPPED": (), "STARTED": ("guest_start",), "PAUSED": ("guest_start", "guest_suspend")}


@drives("guest_info")
@pytest.mark.parametrize(
    ("state", "action"),
    [
        pytest.param(
            state,
            action,
            marks=drives(*dict.fromkeys((*_REACHED[state], _HOOKS[action]))),
            id=f"{action}-{state}",
        )
        for state, actions in _REJECTED.items()
        for action in actions
    ],
)
def test_an_action_that_the_state_does_not_allow_is_rejected_and_changes_nothing(
    kit: Kit, client: Client, machine: Any, state: str, action: str
) -> None:
    kit.bring(client, machine["id"], state)
    operation, body = _request(action)
    error = client.rejected("InvalidState", operation, machine["id"], body=body)
    assert error.details["current"] == state
    assert state not in error.details["needed"].split(" or ")
    assert client.do("guest_info", machine["id"])["state"] == state


@drives("guest_start", "guest_shutdown", "guest_info")
def test_a_guest_is_started_and_its_power_cut(client: Client, machine: Any) -> None:
    _act(client, machine, "start", "STARTED")
    assert client.do("guest_info", machine["id"])["host"]
    _act(client, machine, "force_stop", "STOPPED")
    stopped = client.do("guest_info", machine["id"])
    assert (stopped["ip"], stopped["host"]) == (None, None)


@drives("guest_start", "guest_suspend", "guest_resume", "guest_shutdown", "guest_info")
def test_a_guest_is_paused_goes_on_and_its_power_is_cut_while_it_is_paused(
    client: Client, machine: Any
) -> None:
    _act(client, machine, "start", "STARTED")
    _act(client, machine, "pause", "PAUSED")
    _act(client, machine, "resume", "STARTED")
    _act(client, machine, "pause", "PAUSED")
    _act(client, machine, "force_stop", "STOPPED")
    _act(client, machine, "start", "STARTED")


@drives("guest_start", "guest_reboot", "guest_info")
def test_a_guest_that_is_reset_runs_on(client: Client, machine: Any) -> None:
    _act(client, machine, "start", "STARTED")
    _act(client, machine, "forced reboot", "STARTED")


@drives("guest_start", "guest_shutdown", "guest_info")
def test_a_guests_operating_system_shuts_down_when_it_is_asked(kit: Kit, client: Client) -> None:
    guest = kit.make_bootable(client) if kit.has("guest_create") else _borrowed(kit, client)
    _act(client, guest, "start", "STARTED")
    kit.patiently(lambda: client.do("power_guest", guest["id"], body={"state": "stop"}))
    assert client.do("guest_info", guest["id"])["state"] == "STOPPED"


@drives("guest_start", "guest_reboot", "guest_info")
def test_a_guests_operating_system_is_asked_to_reboot(kit: Kit, client: Client) -> None:
    guest = kit.make_bootable(client) if kit.has("guest_create") else _borrowed(kit, client)
    _act(client, guest, "start", "STARTED")
    for body in (None, {"force": False}):
        kit.patiently(lambda body=body: client.do("reboot_guest", guest["id"], body=body))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    assert client.do("guest_info", guest["id"])["name"] == guest["name"]


@drives("guest_start", "guest_info", "guest_list")
def test_the_list_shows_the_state_that_the_guest_is_in(client: Client, machine: Any) -> None:
    _act(client, machine, "start", "STARTED")
    (listed,) = [guest for guest in client.do("guest_list") if guest["id"] == machine["id"]]
    assert listed["state"] == "STARTED"


def _act(client: Client, guest: Any, action: str, becomes: str) -> None:
    operation, body = _request(action)
    assert client.do(operation, guest["id"], body=body) is None
    assert client.do("guest_info", guest["id"])["state"] == becomes, f"after {action}"


def _request(action: str) -> tuple[str, dict[str, Any]]:
    if action.endswith("reboot"):
        return "reboot_guest", {"force": action.startswith("forced")}
    return "power_guest", {"state": action}


def _borrowed(kit: Kit, client: Client) -> Any:
    assert kit.options.guest is not None
    kit.bring(client, kit.options.guest, "STOPPED")
    return client.do("guest_info", kit.options.guest)
