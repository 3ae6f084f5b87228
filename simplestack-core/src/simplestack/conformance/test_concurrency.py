"""Several clients at once, on one guest and beside one another."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives
from simplestack.conformance.refusals import Refusal

_CLIENTS = 8


def _at_once(client: Client, attempts: Iterable[Callable[[], Any]]) -> list[Any]:
    """Try all at once; return the answers and refusals in their order."""
    with ThreadPoolExecutor(_CLIENTS) as pool:
        return list(pool.map(client.outcome, attempts))


def _refusals(answers: list[Any]) -> list[str]:
    return sorted(answer.name for answer in answers if isinstance(answer, Refusal))


@drives("guest_update", "guest_info")
def test_two_clients_that_change_different_members_are_both_heeded(client: Client, guest: Any) -> None:
    changes: list[dict[str, Any]] = [{"memory": 256}, {"cpus": 2}]
    answers = _at_once(
        client,
        [lambda body=body: client.do("guest_update", guest["id"], body=body) for body in changes],  # type: ignore[misc]  # mypy cannot infer a lambda's default
    )
    assert _refusals(answers) in ([], ["Busy"]), "one may be in the way of the other, not both"
    expected = dict(guest)
    for answer, change in zip(answers, changes, strict=True):
        if not isinstance(answer, Refusal):
            expected |= change
    assert client.do("guest_info", guest["id"]) == expected


@drives("guest_create", "guest_list")
def test_of_many_clients_that_want_one_name_a_single_one_gets_it(kit: Kit, client: Client) -> None:
    body = kit.body()
    answers = _at_once(client, [lambda: client.do("guest_create", body=body)] * _CLIENTS)
    assert set(_refusals(answers)) <= {"Conflict", "Busy"}
    assert len(_refusals(answers)) == _CLIENTS - 1
    assert len([guest for guest in client.do("guest_list") if guest["name"] == body["name"]]) == 1


@drives("guest_delete", "guest_list")
def test_of_two_clients_that_delete_a_guest_one_succeeds_and_the_other_is_told_why_not(
    client: Client, guest: Any
) -> None:
    answers = _at_once(client, [lambda: client.do("guest_delete", guest["id"])] * 2)
    assert answers.count(None) == 1
    assert set(_refusals(answers)) <= {"EntityNotFound", "Busy"}
    assert guest["id"] not in [found["id"] for found in client.do("guest_list")]


@drives("guest_start", "guest_info")
def test_of_many_clients_that_start_a_guest_one_does(client: Client, machine: Any) -> None:
    start = {"state": "start"}
    answers = _at_once(client, [lambda: client.do("power_guest", machine["id"], body=start)] * _CLIENTS)
    assert answers.count(None) == 1
    assert set(_refusals(answers)) <= {"InvalidState", "Busy"}
    assert client.do("guest_info", machine["id"])["state"] == "STARTED"


@drives("disk_create", "disk_list")
def test_disks_that_are_added_at_once_are_all_there_or_refused(client: Client, guest: Any) -> None:
    add = {"size": 1}
    answers = _at_once(client, [lambda: client.do("disk_create", guest["id"], body=add)] * 4)
    assert set(_refusals(answers)) <= {"Busy", "Conflict"}
    made = {answer["id"] for answer in answers if not isinstance(answer, Refusal)}
    assert made
    listed = client.do("disk_list", guest["id"])
    assert made <= {disk["id"] for disk in listed}
    assert len(listed) == 1 + len(made)
    assert max(Counter(disk["number"] for disk in listed).values()) == 1


@drives("snapshot_create", "snapshot_list")
def test_snapshots_that_are_taken_at_once_are_all_there_or_refused(client: Client, guest: Any) -> None:
    take = {"name": "at once"}
    answers = _at_once(client, [lambda: client.do("snapshot_create", guest["id"], body=take)] * 4)
    assert set(_refusals(answers)) <= {"Busy", "Conflict"}
    made = {answer["id"] for answer in answers if not isinstance(answer, Refusal)}
    assert made
    assert {snapshot["id"] for snapshot in client.do("snapshot_list", guest["id"])} == made


@drives("guest_list", "guest_info")
def test_lists_that_are_asked_for_at_once_are_the_same(kit: Kit, client: Client) -> None:
    guests = [kit.make(client)] if kit.has("guest_create") else []
    lists = _at_once(client, [lambda: client.do("guest_list")] * _CLIENTS)
    assert _refusals(lists) == []
    shown = [sorted(guest["id"] for guest in found) for found in lists]
    assert shown == [shown[0]] * _CLIENTS
    assert shown[0], "a target has at least one guest"
    assert {guest["id"] for guest in guests} <= set(shown[0])
