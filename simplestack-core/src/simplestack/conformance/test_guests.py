"""Guests."""

from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives
from simplestack.conformance.space import total_allocated


@drives("guest_list", "guest_info")
def test_each_guest_of_the_list_is_what_is_shown_of_it(kit: Kit, client: Client) -> None:
    if kit.has("guest_create"):
        kit.make(client)
    listed = client.do("guest_list")
    assert listed
    for guest in listed[:20]:
        assert client.do("guest_info", guest["id"]) == guest


@drives("guest_create", "guest_info", "guest_list")
def test_a_new_guest_has_what_was_asked_for(kit: Kit, client: Client) -> None:
    body = kit.body(memory=192, cpus=2, disks=[{"size": 1.5}, {"size": 1}])
    made = client.do("guest_create", body=body)
    assert (made["name"], made["memory"], made["cpus"]) == (body["name"], 192, 2)
    assert made["hdd"] == 2.5
    assert (made["state"], made["host"], made["ip"]) == ("STOPPED", None, None)
    assert client.do("guest_info", made["id"]) == made
    assert made in client.do("guest_list")


@drives("guest_create")
def test_a_guest_that_shall_start_runs_once_it_exists(kit: Kit, client: Client) -> None:
    made = kit.make(client, start=True)
    assert made["state"] == "STARTED"
    assert made["host"]
    assert client.do("guest_info", made["id"])["state"] == "STARTED"


@drives("guest_create", "disk_list")
def test_a_guest_made_of_an_image_has_its_disk_first(kit: Kit, client: Client) -> None:
    if kit.options.image is None:
        pytest.skip(f"{kit.hypervisor} was given no --image, only a --template")
    made = kit.make(client, image=kit.options.image)
    disks = client.do("disk_list", made["id"])
    assert [disk["size"] for disk in disks][1:] == [1]
    assert made["hdd"] == pytest.approx(sum(disk["size"] for disk in disks))


@drives("guest_create", "disk_list")
def test_a_guest_made_of_a_template_is_a_copy_of_its_own(kit: Kit, client: Client) -> None:
    template = kit.options.template or kit.make(client)["id"]
    body = {"name": kit.name(), "template": template}
    made = client.do("guest_create", body=body)
    again = client.do("guest_create", body=body | {"name": kit.name()})
    assert made["id"] != again["id"]
    assert made["state"] == "STOPPED"
    disk = client.do("disk_list", made["id"])[0]
    client.do("disk_update", made["id"], disk["id"], body={"size": disk["size"] + 1})
    assert client.do("disk_list", again["id"])[0]["size"] == disk["size"]


@drives("guest_create", "network_interface_list")
def test_a_guest_gets_an_interface_on_each_network_it_is_made_with(kit: Kit, client: Client) -> None:
    assert kit.networks, "the host lists no network: name one with --network"
    wanted = [{"network": name} for name in kit.networks]
    made = kit.make(client, network_interfaces=wanted)
    interfaces = client.do("network_interface_list", made["id"])
    assert [interface["network"] for interface in interfaces] == kit.networks


@drives("guest_create", "media_info")
def test_a_guest_is_made_with_an_iso_in_its_drive(kit: Kit, client: Client) -> None:
    made = kit.make(client, iso=kit.options.iso)
    assert client.do("media_info", made["id"]) == {"name": kit.options.iso}


@drives("guest_create", "guest_list")
@pytest.mark.parametrize(
    ("entity", "wrong"),
    [
        ("Network", {"network_interfaces": [{"network": "simplestack-kit-nowhere"}]}),
        ("Storage", {"disks": [{"size": 1}, {"size": 1, "storage": "simplestack-kit-nowhere"}]}),
        ("Storage", {"storage": "simplestack-kit-nowhere"}),
        ("Image", {"image": "simplestack-kit-nowhere"}),
        ("ISO", {"iso": "simplestack-kit-nowhere"}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_guest_that_cannot_be_made_leaves_nothing_behind(
    kit: Kit, client: Client, entity: str, wrong: dict[str, Any]
) -> None:
    body = kit.body(**wrong)
    client.unknown(entity, "guest_create", body=body)
    assert [guest for guest in client.do("guest_list") if guest["name"] == body["name"]] == []


@drives("guest_create", "guest_list")
def test_a_name_that_is_taken_is_rejected(kit: Kit, client: Client, guest: Any) -> None:
    client.rejected("Conflict", "guest_create", body=kit.body(name=guest["name"]))
    assert [item["id"] for item in client.do("guest_list") if item["name"] == guest["name"]] == [guest["id"]]


@drives("guest_update", "guest_info")
@pytest.mark.parametrize(
    "change", [{"memory": 256}, {"cpus": 2}, {"hdd": 2.5}], ids=lambda change: next(iter(change))
)
def test_an_update_changes_what_it_names_and_nothing_else(
    client: Client, guest: Any, change: dict[str, Any]
) -> None:
    updated = client.do("guest_update", guest["id"], body=change)
    assert updated == guest | change
    assert client.do("guest_info", guest["id"]) == guest | change


@drives("guest_update", "guest_info", "guest_list")
def test_a_renamed_guest_keeps_its_id_and_frees_its_name(kit: Kit, client: Client, guest: Any) -> None:
    name = kit.name()
    assert client.do("guest_update", guest["id"], body={"name": name}) == guest | {"name": name}
    assert client.do("guest_info", guest["id"])["name"] == name
    assert kit.make(client, name=guest["name"])["id"] != guest["id"]


@drives("guest_update", "disk_list")
def test_hdd_grows_the_last_disk(client: Client, guest: Any) -> None:
    client.do("disk_create", guest["id"], body={"size": 1})
    client.do("guest_update", guest["id"], body={"hdd": 3.5})
    assert [disk["size"] for disk in client.do("disk_list", guest["id"])] == [1, 2.5]


@drives("guest_update", "guest_info")
def test_everything_that_can_be_rejected_is_rejected_before_anything_is_changed(
    kit: Kit, client: Client, guest: Any
) -> None:
    changes = {"name": kit.name(), "memory": 256, "hdd": 0.5}
    client.rejected("InvalidArguments", "guest_update", guest["id"], body=changes)
    assert client.do("guest_info", guest["id"]) == guest


@drives("guest_update", "guest_info")
def test_a_guest_cannot_take_the_name_of_another(client: Client, guest: Any, other_guest: Any) -> None:
    changes = {"name": other_guest["name"], "cpus": 2}
    client.rejected("Conflict", "guest_update", guest["id"], body=changes)
    assert client.do("guest_info", guest["id"]) == guest


@drives("guest_update")
def test_an_update_that_changes_nothing_is_no_error(client: Client, guest: Any) -> None:
    same = {"name": guest["name"], "memory": guest["memory"], "cpus": guest["cpus"], "hdd": guest["hdd"]}
    assert client.do("guest_update", guest["id"], body={}) == guest
    assert client.do("guest_update", guest["id"], body=same) == guest


@drives("guest_update", "guest_list", "guest_info")
def test_a_template_is_not_listed_until_it_is_a_guest_again(client: Client, guest: Any) -> None:
    client.do("guest_update", guest["id"], body={"template": True})
    assert guest["id"] not in [item["id"] for item in client.do("guest_list")]
    assert client.do("guest_info", guest["id"])["name"] == guest["name"]
    client.rejected("InvalidState", "power_guest", guest["id"], body={"state": "start"})
    client.do("guest_update", guest["id"], body={"template": False})
    assert client.do("guest_info", guest["id"]) in client.do("guest_list")


@drives("guest_update", "guest_start", "guest_info")
def test_a_running_guest_is_changed_or_says_which_state_it_needs(
    kit: Kit, client: Client, guest: Any
) -> None:
    kit.bring(client, guest["id"], "STARTED")
    running = client.do("guest_info", guest["id"])
    for change in ({"cpus": guest["cpus"] + 1}, {"memory": guest["memory"] * 2}):
        error = client.rejected("InvalidState", "guest_update", guest["id"], body=change)
        assert error.details["current"] == "STARTED"
        assert error.details["needed"]
        shown = client.do("guest_info", guest["id"])
        assert (shown["cpus"], shown["memory"]) == (running["cpus"], running["memory"])


@drives("guest_delete", "guest_list")
def test_a_deleted_guest_is_gone_and_cannot_be_deleted_again(client: Client, guest: Any) -> None:
    assert client.do("guest_delete", guest["id"]) is None
    assert guest["id"] not in [item["id"] for item in client.do("guest_list")]
    client.unknown("Guest", "guest_info", guest["id"])
    client.unknown("Guest", "guest_delete", guest["id"])


@drives("guest_delete", "guest_start", "guest_suspend", "guest_info")
@pytest.mark.parametrize("state", ["STARTED", "PAUSED"])
def test_a_guest_that_is_not_stopped_is_not_deleted(kit: Kit, client: Client, guest: Any, state: str) -> None:
    kit.bring(client, guest["id"], state)
    error = client.rejected("InvalidState", "guest_delete", guest["id"])
    assert (error.details["current"], error.details["needed"]) == (state, "STOPPED")
    shown = client.do("guest_info", guest["id"])
    assert (shown["state"], shown["hdd"]) == (state, guest["hdd"])


@drives("guest_delete", "guest_create", "storage_list")
def test_a_deleted_guest_gives_its_space_back(kit: Kit, client: Client) -> None:
    before = total_allocated(client)
    guest = kit.make(client, disks=[{"size": 1}, {"size": 2}])
    client.do("guest_delete", guest["id"])
    after = total_allocated(client)
    assert after == pytest.approx(before, abs=0.5)
