"""Guests for tests with long lists."""

from collections import Counter
from pathlib import Path

import pytest

from simplestack import DiskCreate, InsufficientStorage
from simplestack.mock.hooks import disks, guests, storages
from support.service import running_service

from .conftest import Connect


def test_ten_thousand_guests_are_there_with_a_setting_of_a_host(tmp_path: Path) -> None:
    with running_service(tmp_path, "[hypervisors.mock.hosts.many]\nseed_guests = 10_000\n") as service:
        listed = service.get("/mock/many/guests").json
        assert len(listed) == len({guest["id"] for guest in listed}) == 10_002
        assert Counter(guest["state"] for guest in listed) == {
            "STARTED": 4001,
            "STOPPED": 4001,
            "PAUSED": 2000,
        }
        assert len({guest["ip"] for guest in listed if guest["state"] == "STARTED"}) == 4001
        assert len(service.get("/mock/few/guests").json) == 2


def test_every_fourth_guest_has_two_disks(connect: Connect) -> None:
    session = connect("demo", seed_guests=10)
    listed = guests.guest_list(session)
    assert len(listed) == 12
    eighth = next(guest for guest in listed if guest.name == "guest-00008")
    assert [disk.size for disk in disks.disk_list(session, eighth.id)] == [2, 2]
    assert eighth.hdd == 4


def test_a_world_may_begin_with_more_guests_than_its_storage_has_room_for(connect: Connect) -> None:
    session = connect("demo", seed_guests=27_000, max_guests=30_000)
    assert len(guests.guest_list(session)) == 27_002
    shared = next(storage for storage in storages.storage_list(session) if storage.type == "nfs")
    with pytest.raises(InsufficientStorage):
        disks.disk_create(session, guests.guest_list(session)[0].id, DiskCreate(size=1, storage_id=shared.id))


def test_the_same_world_has_the_same_guests_in_every_database(connect: Connect, tmp_path: Path) -> None:
    session = connect("demo", seed_guests=5)
    other = connect("demo", database=str(tmp_path / "other.sqlite3"), seed_guests=5)
    assert {guest.id: guest.name for guest in guests.guest_list(session)} == {
        guest.id: guest.name for guest in guests.guest_list(other)
    }
