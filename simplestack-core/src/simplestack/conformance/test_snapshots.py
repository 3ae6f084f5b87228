"""Snapshots of guests."""

from pathlib import Path
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.images import disk_digests
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives
from simplestack.conformance.space import total_allocated


@pytest.fixture
def snapshot(kit: Kit, client: Client, guest: Any) -> Any:
    """Return a snapshot of `guest`."""
    kit.require("snapshot_create")
    return client.do("snapshot_create", guest["id"], body={"name": "before ü"})


@drives("snapshot_create", "snapshot_info", "snapshot_list")
def test_a_new_snapshot_has_the_name_that_was_asked_for(client: Client, guest: Any, snapshot: Any) -> None:
    assert snapshot["name"] == "before ü"
    assert snapshot["state"] in (None, "STOPPED")
    assert client.do("snapshot_info", guest["id"], snapshot["id"]) == snapshot
    assert client.do("snapshot_list", guest["id"]) == [snapshot]


@drives("snapshot_create", "snapshot_list")
def test_snapshots_are_listed_oldest_first_and_one_without_a_name_gets_the_time(
    client: Client, guest: Any, snapshot: Any
) -> None:
    unnamed = client.do("snapshot_create", guest["id"])
    assert unnamed["name"].startswith("20")
    assert unnamed["name"].endswith("Z")
    third = client.do("snapshot_create", guest["id"], body={"name": "third"})
    listed = [item["id"] for item in client.do("snapshot_list", guest["id"])]
    assert listed == [snapshot["id"], unnamed["id"], third["id"]]


@drives("snapshot_revert", "guest_update", "disk_list", "guest_info")
def test_a_revert_undoes_what_was_changed_since(client: Client, guest: Any, snapshot: Any) -> None:
    """Disks that came since are not tried: a plugin may keep them, where no operation could remove them."""
    disks = client.do("disk_list", guest["id"])
    client.do("guest_update", guest["id"], body={"memory": 256, "cpus": 2})
    reverted = client.do("snapshot_revert", guest["id"], snapshot["id"])
    assert reverted["id"] == snapshot["id"]
    shown = client.do("guest_info", guest["id"])
    assert {name: shown[name] for name in ("id", "name", "memory", "cpus", "hdd", "state")} == {
        name: guest[name] for name in ("id", "name", "memory", "cpus", "hdd", "state")
    }
    assert [disk["size"] for disk in client.do("disk_list", guest["id"])] == [disk["size"] for disk in disks]


@drives("snapshot_create", "snapshot_revert", "guest_export", "guest_start", "guest_shutdown")
def test_a_revert_brings_back_what_was_on_the_disks(kit: Kit, client: Client, tmp_path: Path) -> None:
    guest = kit.make_bootable(client)
    client.export(guest["id"], tmp_path / "then")
    snapshot = client.do("snapshot_create", guest["id"], body={"name": "then"})
    kit.bring(client, guest["id"], "STARTED")
    kit.patiently(lambda: client.do("power_guest", guest["id"], body={"state": "stop"}))
    client.do("snapshot_revert", guest["id"], snapshot["id"])
    kit.bring(client, guest["id"], "STOPPED")
    client.export(guest["id"], tmp_path / "now")
    assert disk_digests(tmp_path / "now") == disk_digests(tmp_path / "then")


@drives("snapshot_revert", "guest_start", "guest_info")
def test_a_stopped_moment_is_gone_back_to_while_the_guest_runs(
    kit: Kit, client: Client, guest: Any, snapshot: Any
) -> None:
    kit.bring(client, guest["id"], "STARTED")
    client.do("snapshot_revert", guest["id"], snapshot["id"])
    assert client.do("guest_info", guest["id"])["state"] == "STOPPED"


@drives("snapshot_create", "guest_start", "guest_suspend", "guest_info")
@pytest.mark.parametrize("state", ["STARTED", "PAUSED"])
def test_a_snapshot_is_taken_in_any_state_and_leaves_the_guest_in_it(
    kit: Kit, client: Client, guest: Any, state: str
) -> None:
    kit.bring(client, guest["id"], state)
    made = client.do("snapshot_create", guest["id"], body={"name": "hot"})
    assert made["state"] in (None, state)
    assert client.do("guest_info", guest["id"])["state"] == state


@drives("snapshot_delete", "snapshot_list", "snapshot_info", "guest_info")
def test_a_deleted_snapshot_is_gone_and_those_taken_after_it_stay(
    client: Client, guest: Any, snapshot: Any
) -> None:
    later = client.do("snapshot_create", guest["id"], body={"name": "later"})
    client.do("snapshot_delete", guest["id"], snapshot["id"])
    assert [item["id"] for item in client.do("snapshot_list", guest["id"])] == [later["id"]]
    client.unknown("Snapshot", "snapshot_info", guest["id"], snapshot["id"])
    client.unknown("Snapshot", "snapshot_delete", guest["id"], snapshot["id"])
    client.do("snapshot_revert", guest["id"], later["id"])
    assert client.do("guest_info", guest["id"])["hdd"] == guest["hdd"]


@drives("snapshot_info", "snapshot_revert", "snapshot_delete", "snapshot_list", "guest_info")
def test_the_snapshot_of_another_guest_is_not_found_and_stays(
    client: Client, guest: Any, other_guest: Any, snapshot: Any
) -> None:
    changed = client.do("guest_update", guest["id"], body={"memory": 256})
    for operation in ("snapshot_info", "snapshot_revert", "snapshot_delete"):
        client.unknown("Snapshot", operation, other_guest["id"], snapshot["id"])
    assert client.do("snapshot_list", guest["id"]) == [snapshot]
    assert client.do("snapshot_list", other_guest["id"]) == []
    assert client.do("guest_info", guest["id"]) == changed
    assert client.do("guest_info", other_guest["id"]) == other_guest


@drives("snapshot_create", "guest_delete", "storage_list")
def test_a_guest_is_deleted_with_its_snapshots_and_gives_their_space_back(kit: Kit, client: Client) -> None:
    before = total_allocated(client)
    guest = kit.make(client)
    snapshot = client.do("snapshot_create", guest["id"], body={"name": "before"})
    client.do("guest_delete", guest["id"])
    client.unknown("Guest", "snapshot_info", guest["id"], snapshot["id"])
    after = total_allocated(client)
    assert after == pytest.approx(before, abs=0.5)
