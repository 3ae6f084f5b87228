"""The CD drive."""

from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives


@drives("media_info", "media_mount", "media_unmount")
@pytest.mark.parametrize("state", ["STOPPED", pytest.param("STARTED", marks=drives("guest_start"))])
def test_an_iso_is_mounted_again_and_ejected(kit: Kit, client: Client, guest: Any, state: str) -> None:
    kit.bring(client, guest["id"], state)
    assert client.do("media_info", guest["id"]) == {"name": None}
    for _ in range(2):
        assert client.do("media_mount", guest["id"], body={"name": kit.options.iso}) is None
        assert client.do("media_info", guest["id"]) == {"name": kit.options.iso}
    for nothing in (None, ""):
        assert client.do("media_mount", guest["id"], body={"name": nothing}) is None
        assert client.do("media_info", guest["id"]) == {"name": None}


@drives("media_info", "media_mount")
def test_an_iso_that_is_not_there_is_rejected_and_the_one_in_the_drive_stays(
    kit: Kit, client: Client, guest: Any
) -> None:
    client.do("media_mount", guest["id"], body={"name": kit.options.iso})
    client.unknown("ISO", "media_mount", guest["id"], body={"name": "simplestack-kit-nowhere.iso"})
    client.unknown("ISO", "media_mount", guest["id"], body={"name": "../../etc/passwd"})
    assert client.do("media_info", guest["id"]) == {"name": kit.options.iso}


@drives("media_info", "media_mount", "disk_list", "guest_info", "guest_delete")
def test_a_drive_is_no_disk_and_its_iso_outlives_the_guest(
    kit: Kit, client: Client, guest: Any, other_guest: Any
) -> None:
    before = client.do("disk_list", guest["id"])
    client.do("media_mount", guest["id"], body={"name": kit.options.iso})
    assert client.do("disk_list", guest["id"]) == before
    assert client.do("guest_info", guest["id"])["hdd"] == guest["hdd"]
    client.do("guest_delete", guest["id"])
    client.do("media_mount", other_guest["id"], body={"name": kit.options.iso})
    assert client.do("media_info", other_guest["id"]) == {"name": kit.options.iso}
