"""Tags of guests."""

from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives


@drives("tag_list", "tag_create", "tag_delete")
def test_tags_come_and_go_sorted(client: Client, guest: Any) -> None:
    assert client.do("tag_list", guest["id"]) == []
    assert client.do("tag_create", guest["id"], body={"name": "web"}) == ["web"]
    assert client.do("tag_create", guest["id"], body={"name": "blue"}) == ["blue", "web"]
    assert client.do("tag_list", guest["id"]) == ["blue", "web"]
    assert client.do("tag_delete", guest["id"], "web") is None
    assert client.do("tag_list", guest["id"]) == ["blue"]


@drives("tag_create", "tag_list")
def test_a_tag_that_is_there_already_is_no_error(client: Client, guest: Any) -> None:
    for _ in range(2):
        assert client.do("tag_create", guest["id"], body={"name": "web"}) == ["web"]
    assert client.do("tag_list", guest["id"]) == ["web"]


@drives("tag_create", "tag_delete", "tag_list")
def test_a_tag_is_any_name(client: Client, guest: Any) -> None:
    names = sorted(["a/b", "...", "100 %", "ü?#&", "x" * 255, "<tag/>", "a,b;c"])
    for name in names:
        client.do("tag_create", guest["id"], body={"name": name})
    assert client.do("tag_list", guest["id"]) == names
    for name in names:
        client.do("tag_delete", guest["id"], name)
    assert client.do("tag_list", guest["id"]) == []


@drives("tag_create", "tag_list", "tag_delete", "guest_info")
@pytest.mark.parametrize("name", [".", ".."])
def test_a_tag_that_clients_resolve_in_its_path_is_400_and_its_delete_spares_the_guest(
    http: HttpClient, guest: Any, name: str
) -> None:
    http.rejected("InvalidArguments", "tag_create", guest["id"], body={"name": name})
    assert http.do("tag_list", guest["id"]) == []
    # The HTTP library resolves the path, as most do: `..` leaves the guest's own path with a slash.
    deleted = http.send("DELETE", f"{http.base}/guests/{guest['id']}/tags/{name}")
    assert (deleted.status, deleted.error("tag_delete").name) == (404, "RouteNotFound")
    assert http.do("guest_info", guest["id"]) == guest


@drives("tag_create", "tag_delete", "tag_list")
def test_a_tag_of_another_guest_is_not_found_and_stays(client: Client, guest: Any, other_guest: Any) -> None:
    client.do("tag_create", guest["id"], body={"name": "web"})
    assert client.do("tag_list", other_guest["id"]) == []
    client.unknown("Tag", "tag_delete", other_guest["id"], "web")
    client.do("tag_delete", guest["id"], "web")
    client.unknown("Tag", "tag_delete", guest["id"], "web")


@drives("tag_create", "tag_list", "guest_start", "guest_shutdown")
def test_tags_outlive_a_start_and_a_stop(kit: Kit, client: Client, guest: Any) -> None:
    client.do("tag_create", guest["id"], body={"name": "web"})
    kit.bring(client, guest["id"], "STARTED")
    client.do("tag_create", guest["id"], body={"name": "hot"})
    assert client.do("tag_list", guest["id"]) == ["hot", "web"]
    kit.bring(client, guest["id"], "STOPPED")
    assert client.do("tag_list", guest["id"]) == ["hot", "web"]
