"""Copies of guests."""

from typing import Any

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives


@drives("guest_clone", "guest_info", "guest_list", "disk_list")
def test_a_clone_has_what_the_guest_has_and_an_identity_of_its_own(
    kit: Kit, client: Client, guest: Any
) -> None:
    client.do("disk_create", guest["id"], body={"size": 1.5})
    guest = client.do("guest_info", guest["id"])
    clone = client.do("guest_clone", guest["id"], body={"name": kit.name()})
    assert clone["id"] != guest["id"]
    assert clone == guest | {"id": clone["id"], "name": clone["name"]}
    assert client.do("guest_info", clone["id"]) == clone
    assert clone in client.do("guest_list")
    sizes = [[disk["size"] for disk in client.do("disk_list", of["id"])] for of in (guest, clone)]
    assert sizes == [[1, 1.5], [1, 1.5]]


@drives("guest_clone", "network_interface_list", "network_interface_create")
def test_a_clone_has_mac_addresses_of_its_own(kit: Kit, client: Client, guest: Any) -> None:
    client.do("network_interface_create", guest["id"], body={"network": kit.networks[0]})
    clone = client.do("guest_clone", guest["id"], body={"name": kit.name()})
    of_guest, of_clone = (client.do("network_interface_list", item["id"]) for item in (guest, clone))
    assert of_guest, "the guest has the interface that was added"
    assert [item["network"] for item in of_clone] == [item["network"] for item in of_guest]
    assert {item["mac"] for item in of_clone}.isdisjoint(item["mac"] for item in of_guest)


@drives("guest_clone", "guest_update", "disk_update", "disk_list", "guest_delete", "guest_info")
def test_a_clone_is_independent(kit: Kit, client: Client, guest: Any) -> None:
    clone = client.do("guest_clone", guest["id"], body={"name": kit.name()})
    before = client.do("disk_list", guest["id"])
    (disk,) = client.do("disk_list", clone["id"])
    client.do("disk_update", clone["id"], disk["id"], body={"size": 3, "name": "grown"})
    client.do("guest_update", clone["id"], body={"memory": 256, "cpus": 2})
    assert client.do("disk_list", guest["id"]) == before
    assert client.do("guest_info", guest["id"]) == guest

    client.do("guest_delete", guest["id"])
    assert client.do("disk_list", clone["id"])[0]["size"] == 3
    kit.bring(client, clone["id"], "STARTED")


@drives("guest_clone", "snapshot_create", "snapshot_list")
def test_a_clone_has_no_snapshots(kit: Kit, client: Client, guest: Any) -> None:
    client.do("snapshot_create", guest["id"], body={"name": "before"})
    clone = client.do("guest_clone", guest["id"], body={"name": kit.name()})
    assert client.do("snapshot_list", clone["id"]) == []


@drives("guest_clone", "guest_list")
def test_a_clone_with_a_name_that_is_taken_is_rejected(client: Client, guest: Any, other_guest: Any) -> None:
    before = len(client.do("guest_list"))
    client.rejected("Conflict", "guest_clone", guest["id"], body={"name": other_guest["name"]})
    client.rejected("Conflict", "guest_clone", guest["id"], body={"name": guest["name"]})
    assert len(client.do("guest_list")) == before


@drives("guest_clone", "guest_start", "guest_list")
def test_a_running_guest_is_cloned_as_stopped_or_rejected_with_the_state_it_needs(
    kit: Kit, client: Client, guest: Any
) -> None:
    kit.bring(client, guest["id"], "STARTED")
    result = client.outcome(lambda: client.do("guest_clone", guest["id"], body={"name": kit.name()}))
    if isinstance(result, dict):
        assert result["state"] == "STOPPED"
    else:
        assert result.name == "InvalidState"
        assert (result.details["current"], result.details["needed"]) == ("STARTED", "STOPPED")
