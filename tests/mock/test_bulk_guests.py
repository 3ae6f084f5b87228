"""Guests for tests with long lists."""

from collections import Counter
from pathlib import Path

import pytest

from simplestack import Conflict
from simplestack.mock.hooks import disks, guests
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


def test_guests_can_be_added_in_bulk_up_to_the_bound(connect: Connect) -> None:
    session = connect("demo", max_guests=20)
    with session.change():
        session.add_bulk_guests(10)
    with pytest.raises(Conflict, match=r"the bound in \[hypervisors.mock\] is 20"), session.change():
        session.add_bulk_guests(10)
    found = guests.guest_list(session)
    assert len(found) == 12
    last = next(guest for guest in found if guest.name == "guest-00008")
    assert [disk.size for disk in disks.disk_list(session, last.id)] == [2, 2]
    assert last.hdd == 4


def test_the_same_world_has_the_same_guests_in_every_database(connect: Connect, tmp_path: Path) -> None:
    session = connect()
    for count in (3, 2):
        with session.change():
            session.add_bulk_guests(count)
    other = connect("demo", database=str(tmp_path / "other.sqlite3"), seed_guests=5)
    assert {guest.id: guest.name for guest in guests.guest_list(session)} == {
        guest.id: guest.name for guest in guests.guest_list(other)
    }
