"""Network interfaces of guests."""

import secrets
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives
from simplestack.entities.network import NetworkInterface

#: A whole number of KiB/s and of Mbit/s: hypervisors have one or the other.
_RATE = 128_000_000


def _contract(interface: Any) -> dict[str, Any]:
    """Return the fields of the contract: a plugin may add fields."""
    return {name: interface[name] for name in NetworkInterface.__struct_fields__}


@pytest.fixture
def interface(kit: Kit, client: Client, guest: Any) -> Any:
    """Return a new network interface of `guest`."""
    kit.require("network_interface_create")
    return client.do("network_interface_create", guest["id"], body={"network": kit.networks[0]})


@drives("network_interface_create", "network_interface_info", "network_interface_list")
def test_a_new_interface_is_on_the_network_that_was_asked_for(
    kit: Kit, client: Client, guest: Any, interface: Any
) -> None:
    assert (interface["network"], interface["active"]) == (kit.networks[0], True)
    assert int(interface["mac"][:2], 16) & 1 == 0, "the MAC address of an interface is unicast"
    assert client.do("network_interface_info", guest["id"], interface["id"]) == interface
    assert client.do("network_interface_list", guest["id"])[-1] == interface


@drives("network_interface_create", "network_interface_info")
def test_an_interface_keeps_the_mac_that_was_asked_for_in_any_letter_case(
    kit: Kit, client: Client, guest: Any
) -> None:
    mac = "02:" + secrets.token_hex(5).upper()
    mac = ":".join([mac[:2], *(mac[start : start + 2] for start in range(3, 13, 2))])
    body = {"network": kit.networks[0], "mac": mac}
    made = client.do("network_interface_create", guest["id"], body=body)
    assert made["mac"].lower() == mac.lower()
    for word in (mac, mac.lower()):
        assert client.do("network_interface_info", guest["id"], word) == made


@drives("network_interface_create", "network_interface_list")
def test_a_mac_that_the_guest_has_is_rejected(kit: Kit, client: Client, guest: Any, interface: Any) -> None:
    before = client.do("network_interface_list", guest["id"])
    body = {"network": kit.networks[0], "mac": interface["mac"]}
    client.rejected("Conflict", "network_interface_create", guest["id"], body=body)
    assert client.do("network_interface_list", guest["id"]) == before


@drives("network_interface_create", "network_list")
def test_a_network_is_named_by_its_id_too(kit: Kit, client: Client, guest: Any) -> None:
    (network,) = [item for item in client.do("network_list") if item["name_label"] == kit.networks[0]]
    made = client.do("network_interface_create", guest["id"], body={"network": network["id"]})
    assert made["network"] == kit.networks[0]


@drives("network_interface_create", "network_interface_update", "network_interface_list")
def test_a_network_that_is_not_there_is_rejected_and_changes_nothing(
    kit: Kit, client: Client, guest: Any, interface: Any
) -> None:
    before = client.do("network_interface_list", guest["id"])
    body = {"network": kit.name()}
    client.unknown("Network", "network_interface_create", guest["id"], body=body)
    client.unknown(
        "Network", "network_interface_update", guest["id"], interface["id"], body=body | {"active": False}
    )
    assert client.do("network_interface_list", guest["id"]) == before


@drives("network_interface_update", "network_interface_info")
@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"ratelimit": _RATE},
        {"locking_mode": "locked", "ipv4_allowed": ["192.0.2.7"], "ipv6_allowed": ["2001:db8::7"]},
        {"locking_mode": "disabled"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_update_changes_what_it_names_and_nothing_else(
    client: Client, guest: Any, interface: Any, change: dict[str, Any]
) -> None:
    updated = client.do("network_interface_update", guest["id"], interface["id"], body=change)
    assert _contract(updated) == _contract(interface) | change
    assert client.do("network_interface_info", guest["id"], interface["id"]) == updated


@drives("network_interface_update")
@pytest.mark.parametrize("nothing", [None, False, 0])
def test_a_rate_limit_is_lifted(client: Client, guest: Any, interface: Any, nothing: object) -> None:
    client.do("network_interface_update", guest["id"], interface["id"], body={"ratelimit": _RATE})
    lifted = client.do("network_interface_update", guest["id"], interface["id"], body={"ratelimit": nothing})
    assert lifted == interface


@drives("network_interface_update", "network_list")
def test_an_interface_moves_to_another_network_and_stays_what_it_is(
    kit: Kit, client: Client, guest: Any, interface: Any
) -> None:
    assert len(kit.networks) == 2, "the host lists only one network: name another with --other-network"
    body = {"network": kit.networks[1]}
    moved = client.do("network_interface_update", guest["id"], interface["id"], body=body)
    assert moved == interface | body


@drives("network_interface_delete", "network_interface_list", "network_interface_info")
def test_a_deleted_interface_is_gone_and_cannot_be_deleted_again(
    client: Client, guest: Any, interface: Any
) -> None:
    client.do("network_interface_delete", guest["id"], interface["id"])
    assert interface["id"] not in [item["id"] for item in client.do("network_interface_list", guest["id"])]
    client.unknown("NetworkInterface", "network_interface_info", guest["id"], interface["id"])
    client.unknown("NetworkInterface", "network_interface_delete", guest["id"], interface["id"])


@drives(
    "network_interface_info",
    "network_interface_update",
    "network_interface_delete",
    "network_interface_list",
)
def test_the_interface_of_another_guest_is_not_found_and_stays(
    client: Client, guest: Any, other_guest: Any, interface: Any
) -> None:
    before = client.do("network_interface_list", guest["id"])
    update, delete = "network_interface_update", "network_interface_delete"
    client.unknown("NetworkInterface", "network_interface_info", other_guest["id"], interface["id"])
    client.unknown("NetworkInterface", update, other_guest["id"], interface["id"], body={"active": False})
    client.unknown("NetworkInterface", delete, other_guest["id"], interface["id"])
    assert client.do("network_interface_list", guest["id"]) == before


@drives(
    "network_interface_create",
    "network_interface_update",
    "network_interface_delete",
    "network_interface_list",
    "guest_start",
)
def test_interfaces_of_a_running_guest_come_change_and_go(kit: Kit, client: Client) -> None:
    guest = kit.make_bootable(client)
    before = client.do("network_interface_list", guest["id"])
    kit.bring(client, guest["id"], "STARTED")
    made = client.do("network_interface_create", guest["id"], body={"network": kit.networks[0]})
    down = client.do("network_interface_update", guest["id"], made["id"], body={"active": False})
    assert down == made | {"active": False}
    kit.patiently(lambda: client.do("network_interface_delete", guest["id"], made["id"]))
    assert client.do("network_interface_list", guest["id"]) == before
