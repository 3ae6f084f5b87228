"""Several clients at once, on the same guest and on different guests."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from simplestack.conformance.client import Client
from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives

_CLIENTS = 8


def _at_once(client: Client, attempts: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all at once, and return the results and errors in order."""
    with ThreadPoolExecutor(_CLIENTS) as pool:
        return list(pool.map(client.outcome, attempts))


def _error_names(results: list[Any]) -> list[str]:
    return sorted(result.name for result in results if isinstance(result, ErrorResponse))


@drives("guest_update", "guest_info")
def test_two_clients_that_change_different_fields_are_both_applied(client: Client, guest: Any) -> None:
    changes: list[dict[str, Any]] = [{"memory": 256}, {"cpus": 2}]
    results = _at_once(
        client,
        [lambda body=body: client.do("guest_update", guest["id"], body=body) for body in changes],  # type: ignore[misc]  # mypy cannot infer a lambda's default
    )
    assert _error_names(results) in ([], ["Busy"]), "at most one of them fails"
    expected = dict(guest)
    for result, change in zip(results, changes, strict=True):
        if not isinstance(result, ErrorResponse):
            expected |= change
    assert client.do("guest_info", guest["id"]) == expected


@drives("guest_create", "guest_list")
def test_of_many_clients_that_want_one_name_a_single_one_gets_it(kit: Kit, client: Client) -> None:
    body = kit.body()
    results = _at_once(client, [lambda: client.do("guest_create", body=body)] * _CLIENTS)
    assert set(_error_names(results)) <= {"Conflict", "Busy"}
    assert len(_error_names(results)) == _CLIENTS - 1
    assert len([guest for guest in client.do("guest_list") if guest["name"] == body["name"]]) == 1


@drives("guest_delete", "guest_list")
def test_of_two_clients_that_delete_a_guest_one_succeeds_and_the_other_is_told_why_not(
    client: Client, guest: Any
) -> None:
    results = _at_once(client, [lambda: client.do("guest_delete", guest["id"])] * 2)
    assert results.count(None) == 1
    assert set(_error_names(results)) <= {"EntityNotFound", "Busy"}
    assert guest["id"] not in [item["id"] for item in client.do("guest_list")]


@drives("guest_start", "guest_info")
def test_of_many_clients_that_start_a_guest_one_does(client: Client, machine: Any) -> None:
    start = {"state": "start"}
    results = _at_once(client, [lambda: client.do("power_guest", machine["id"], body=start)] * _CLIENTS)
    assert results.count(None) == 1
    assert set(_error_names(results)) <= {"InvalidState", "Busy"}
    assert client.do("guest_info", machine["id"])["state"] == "STARTED"


@drives("disk_create", "disk_list")
def test_disks_that_are_added_at_once_are_all_there_or_rejected(client: Client, guest: Any) -> None:
    add = {"size": 1}
    results = _at_once(client, [lambda: client.do("disk_create", guest["id"], body=add)] * 4)
    assert set(_error_names(results)) <= {"Busy", "Conflict"}
    made = {result["id"] for result in results if not isinstance(result, ErrorResponse)}
    assert made
    listed = client.do("disk_list", guest["id"])
    assert made <= {disk["id"] for disk in listed}
    assert len(listed) == 1 + len(made)
    assert max(Counter(disk["number"] for disk in listed).values()) == 1


@drives("snapshot_create", "snapshot_list")
def test_snapshots_that_are_taken_at_once_are_all_there_or_rejected(client: Client, guest: Any) -> None:
    take = {"name": "at once"}
    results = _at_once(client, [lambda: client.do("snapshot_create", guest["id"], body=take)] * 4)
    assert set(_error_names(results)) <= {"Busy", "Conflict"}
    made = {result["id"] for result in results if not isinstance(result, ErrorResponse)}
    assert made
    assert {snapshot["id"] for snapshot in client.do("snapshot_list", guest["id"])} == made


@drives("guest_list", "guest_info")
def test_lists_that_are_asked_for_at_once_are_the_same(kit: Kit, client: Client) -> None:
    guests = [kit.make(client)] if kit.has("guest_create") else []
    lists = _at_once(client, [lambda: client.do("guest_list")] * _CLIENTS)
    assert _error_names(lists) == []
    shown = [sorted(guest["id"] for guest in item) for item in lists]
    assert shown == [shown[0]] * _CLIENTS
    assert shown[0], "a target has at least one guest"
    assert {guest["id"] for guest in guests} <= set(shown[0])
