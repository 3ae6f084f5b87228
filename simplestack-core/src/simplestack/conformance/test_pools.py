"""Pools."""

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives


@drives("pool_info")
def test_the_pool_is_the_same_whoever_asks(kit: Kit, client: Client) -> None:
    volatile = {"used_memory"}
    shown, again = client.do("pool_info"), kit.stack.do("pool_info")
    assert {name: shown[name] for name in shown.keys() - volatile} == {
        name: again[name] for name in again.keys() - volatile
    }
    assert shown["total_memory"] >= 16, "total_memory is in MiB"


@drives("pool_info", "guest_list")
def test_the_memory_of_the_pool_has_room_for_the_guests_that_run(kit: Kit, client: Client) -> None:
    if kit.has("guest_create") and kit.has("guest_start"):
        kit.bring(client, kit.make(client)["id"], "STARTED")
    running = [guest["memory"] for guest in client.do("guest_list") if guest["state"] == "STARTED"]
    assert max(running, default=0) <= client.do("pool_info")["total_memory"]
