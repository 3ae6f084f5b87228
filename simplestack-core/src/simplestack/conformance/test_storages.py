"""Storages."""

from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.marks import drives
from simplestack.conformance.space import allocated_by_storage, roomiest_storage, total_allocated


@drives("storage_list", "storage_info")
def test_each_storage_of_the_list_can_be_shown(client: Client) -> None:
    storages = client.do("storage_list")
    assert storages, "a target has at least one storage"
    for storage in storages:
        shown = client.do("storage_info", storage["id"])
        for field in ("id", "name", "type"):
            assert shown[field] == storage[field]
        if storage["size"] is None or shown["size"] is None:
            continue
        assert shown["size"] == pytest.approx(storage["size"], abs=0.1)


@drives("storage_list", "disk_create")
def test_a_new_disk_is_promised_its_gib(client: Client, guest: Any) -> None:
    before = total_allocated(client)
    client.do("disk_create", guest["id"], body={"size": 2})
    assert total_allocated(client) - before == pytest.approx(2, abs=0.5), "allocated_space is in GiB"


@drives("storage_list", "disk_create", "disk_info")
def test_a_disk_is_made_in_the_storage_that_is_named_by_id_or_by_name(client: Client, guest: Any) -> None:
    roomiest = roomiest_storage(client)
    for word in (roomiest["id"], roomiest["name"]):
        before = allocated_by_storage(client)
        client.do("disk_create", guest["id"], body={"size": 1, "storage_id": word})
        after = allocated_by_storage(client)
        assert [name for name in after if after[name] - before[name] > 0.5] == [roomiest["id"]]
