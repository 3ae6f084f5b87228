"""Networks."""

import random
from typing import Any

from simplestack.conformance.client import Client
from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives

_ATTEMPTS = 20


@drives("network_list", "network_info")
def test_each_network_of_the_list_can_be_shown(client: Client) -> None:
    networks = client.do("network_list")
    assert networks, "a target has at least one network"
    for network in networks:
        assert network["name_label"]
        assert client.do("network_info", network["id"]) == network


@drives("network_vlan_create", "network_info", "network_list")
def test_a_network_on_a_vlan_is_made_once(kit: Kit, client: Client) -> None:
    body = {
        "name": kit.name(),
        "description": "Made by Simplestack's conformance kit",
        "from_network": kit.options.trunk,
        "other_config": {"simplestack-kit": "1"},
    }
    made, tag = _on_a_free_vlan(kit, client, body)
    assert (made["name_label"], made["name_description"]) == (body["name"], body["description"])
    assert made["other_config"]["simplestack-kit"] == "1"
    assert client.do("network_info", made["id"]) == made
    assert made in client.do("network_list")

    other_tag = next(free for free in kit.options.vlans if free != tag)
    client.rejected("Conflict", "network_vlan_create", body=body | {"vlan": other_tag})
    client.rejected("Conflict", "network_vlan_create", body=body | {"vlan": tag, "name": kit.name()})
    assert [item["id"] for item in client.do("network_list") if item["name_label"] == body["name"]] == [
        made["id"]
    ]


@drives("network_vlan_create", "network_list")
def test_a_vlan_on_a_network_that_is_not_there_is_rejected(kit: Kit, client: Client) -> None:
    before = client.do("network_list")
    body = {"name": kit.name(), "from_network": kit.name(), "vlan": kit.options.vlans[0]}
    client.unknown("Network", "network_vlan_create", body=body)
    assert client.do("network_list") == before


def _on_a_free_vlan(kit: Kit, client: Client, body: dict[str, Any]) -> tuple[Any, int]:
    for tag in random.sample(kit.options.vlans, min(_ATTEMPTS, len(kit.options.vlans))):
        try:
            made = client.do("network_vlan_create", body=body | {"vlan": tag})
        except ErrorResponse as error:
            if error.name != "Conflict":
                raise
        else:
            kit.lasting.append(body["name"])
            return made, tag
    raise AssertionError(f"--vlans {kit.options.vlans}: none of {_ATTEMPTS} tags that were tried is free")
