"""Sessions: the password is checked, and every failed call returns its session."""

import secrets
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives

_UNKNOWN = "00000000-0000-4000-8000-000000000000"


@drives("guest_list")
def test_a_wrong_password_is_rejected_and_the_right_one_goes_on_working(kit: Kit, client: Client) -> None:
    client.do("guest_list")
    stranger = client.with_password(f"wrong-{secrets.token_urlsafe(8)}")
    if kit.options.any_password:
        assert stranger.do("guest_list") == client.do("guest_list")
    else:
        for _ in range(2):
            stranger.rejected("Unauthorized", "guest_list")
    client.do("guest_list")
    assert client.busy_sessions() == 0


@drives("guest_info")
@pytest.mark.parametrize("times", [1, 40], ids=["once", "often"])
def test_what_is_not_found_gives_its_session_back(client: Client, times: int) -> None:
    for _ in range(times):
        client.unknown("Guest", "guest_info", _UNKNOWN)
    assert client.busy_sessions() == 0


@drives("guest_start", "guest_info")
def test_a_call_that_the_state_does_not_allow_returns_its_session(
    kit: Kit, client: Client, machine: Any
) -> None:
    kit.bring(client, machine["id"], "STARTED")
    for _ in range(20):
        client.rejected("InvalidState", "power_guest", machine["id"], body={"state": "start"})
    assert client.busy_sessions() == 0


@drives("guest_create", "guest_list")
def test_a_create_that_fails_half_way_gives_its_session_back(kit: Kit, client: Client) -> None:
    body = kit.body(network_interfaces=[{"network": "simplestack-kit-nowhere"}])
    for _ in range(5):
        client.unknown("Network", "guest_create", body=body)
    assert client.busy_sessions() == 0


@drives("guest_export")
def test_an_export_gives_its_session_back_when_it_has_been_read(
    client: Client, guest: Any, tmp_path: Any
) -> None:
    client.export(guest["id"], tmp_path / "image")
    assert client.busy_sessions() == 0
