"""Disks of guests."""

from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives
from simplestack.conformance.space import total_allocated


@drives("disk_create", "disk_info", "disk_list", "guest_info")
def test_a_new_disk_has_what_was_asked_for(client: Client, guest: Any) -> None:
    made = client.do("disk_create", guest["id"], body={"size": 1.5, "name": "data ü"})
    assert (made["size"], made["name"]) == (1.5, "data ü")
    assert client.do("disk_info", guest["id"], made["id"]) == made
    disks = client.do("disk_list", guest["id"])
    assert disks[-1] == made
    assert len({disk["number"] for disk in disks}) == len(disks) == 2
    assert client.do("guest_info", guest["id"])["hdd"] == guest["hdd"] + 1.5


@drives("disk_create", "disk_list")
def test_a_disk_without_a_name_gets_one(client: Client, guest: Any) -> None:
    made = client.do("disk_create", guest["id"], body={"size": 1})
    assert made["name"]
    disks = client.do("disk_list", guest["id"])
    assert made in disks
    assert "" not in [disk["name"] for disk in disks]


@drives("disk_update", "disk_info", "disk_list")
def test_a_disk_is_renamed_and_grown(client: Client, guest: Any) -> None:
    disk = client.do("disk_list", guest["id"])[0]
    renamed = client.do("disk_update", guest["id"], disk["id"], body={"name": "root"})
    assert renamed == disk | {"name": "root"}
    grown = client.do("disk_update", guest["id"], disk["id"], body={"size": 2.25})
    assert grown == renamed | {"size": 2.25}
    assert client.do("disk_info", guest["id"], disk["id"]) == grown
    assert client.do("guest_info", guest["id"])["hdd"] == 2.25


@drives("disk_update", "disk_info", "disk_list")
def test_a_disk_never_shrinks_and_a_rejected_change_changes_nothing(client: Client, guest: Any) -> None:
    disk = client.do("disk_list", guest["id"])[0]
    changes = {"size": 0.5, "name": "smaller"}
    client.rejected("InvalidArguments", "disk_update", guest["id"], disk["id"], body=changes)
    assert client.do("disk_info", guest["id"], disk["id"]) == disk
    assert client.do("disk_update", guest["id"], disk["id"], body={"size": disk["size"]}) == disk


@drives("disk_delete", "disk_create", "disk_list", "disk_info", "guest_info")
def test_a_deleted_disk_is_gone_and_cannot_be_deleted_again(client: Client, guest: Any) -> None:
    (first,) = client.do("disk_list", guest["id"])
    made = client.do("disk_create", guest["id"], body={"size": 1})
    client.do("disk_delete", guest["id"], made["id"])
    assert client.do("disk_list", guest["id"]) == [first]
    assert client.do("guest_info", guest["id"])["hdd"] == guest["hdd"]
    client.unknown("Disk", "disk_info", guest["id"], made["id"])
    client.unknown("Disk", "disk_delete", guest["id"], made["id"])


@drives("disk_delete", "disk_create", "storage_list")
def test_a_deleted_disk_gives_its_space_back(client: Client, guest: Any) -> None:
    before = total_allocated(client)
    made = client.do("disk_create", guest["id"], body={"size": 3})
    client.do("disk_delete", guest["id"], made["id"])
    after = total_allocated(client)
    assert after == pytest.approx(before, abs=0.5)


@drives("disk_list", "disk_info", "disk_update", "disk_delete", "disk_create")
def test_the_disk_of_another_guest_is_not_found_and_stays(
    client: Client, guest: Any, other_guest: Any
) -> None:
    # Of this guest there is a second disk less: ids that are device names must not match by chance.
    foreign = client.do("disk_create", other_guest["id"], body={"size": 1})
    before = client.do("disk_list", guest["id"]), client.do("disk_list", other_guest["id"])
    client.unknown("Disk", "disk_info", guest["id"], foreign["id"])
    client.unknown("Disk", "disk_update", guest["id"], foreign["id"], body={"size": 9})
    client.unknown("Disk", "disk_delete", guest["id"], foreign["id"])
    assert (client.do("disk_list", guest["id"]), client.do("disk_list", other_guest["id"])) == before


@drives("disk_create", "disk_list")
def test_a_disk_in_a_storage_that_is_not_there_is_rejected(kit: Kit, client: Client, guest: Any) -> None:
    before = client.do("disk_list", guest["id"])
    body = {"size": 1, "storage_id": kit.name()}
    client.unknown("Storage", "disk_create", guest["id"], body=body)
    assert client.do("disk_list", guest["id"]) == before


@drives("disk_create", "disk_update", "disk_delete", "disk_list", "guest_start", "guest_shutdown")
def test_disks_of_a_running_guest_come_grow_and_go(kit: Kit, client: Client) -> None:
    guest = kit.make_bootable(client)
    before = client.do("disk_list", guest["id"])
    kit.bring(client, guest["id"], "STARTED")
    made = client.do("disk_create", guest["id"], body={"size": 1})
    grown = client.outcome(lambda: client.do("disk_update", guest["id"], made["id"], body={"size": 2}))
    if isinstance(grown, ErrorResponse):  # not every storage lets a disk grow that is in use
        assert grown.name in ("Conflict", "InvalidState"), grown
    else:
        assert grown["size"] == 2
        made = grown
    assert client.do("disk_list", guest["id"])[-1] == made
    kit.patiently(lambda: client.do("disk_delete", guest["id"], made["id"]))
    assert client.do("disk_list", guest["id"]) == before
    kit.bring(client, guest["id"], "STOPPED")
    assert client.do("disk_list", guest["id"]) == before, "after the power was cut"
