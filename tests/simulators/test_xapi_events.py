"""`event.from` of the XAPI simulator."""

import json
import re
import ssl
import threading
from collections.abc import Callable
from typing import Any

from simulators.https import running
from simulators.refusals import refused
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator
from support.service import wait_for


def test_an_empty_token_brings_all_objects_of_several_classes_at_once(session: Any) -> None:
    api = session.xenapi
    batch = api.event_from(["VM", "VDI"], "", 30.0)
    found = {event["ref"]: event for event in batch["events"]}
    assert {event["class"] for event in batch["events"]} == {"vm", "vdi"}
    assert {event["operation"] for event in batch["events"]} == {"add"}
    for ref, record in (api.VM.get_all_records() | api.VDI.get_all_records()).items():
        assert found[ref]["snapshot"] == record
        assert found[ref].keys() == {"id", "timestamp", "class", "operation", "ref", "snapshot"}
        assert (int(found[ref]["id"]) > 0, found[ref]["timestamp"]) == (True, "0.0")
    assert batch["valid_ref_counts"]["vm"] == len(api.VM.get_all())
    assert len(found) == len(api.VM.get_all()) + len(api.VDI.get_all())


def test_a_token_brings_what_has_changed_since(session: Any, vm: str) -> None:
    api = session.xenapi
    token = api.event_from(["VM"], "", 30.0)["token"]
    api.VM.set_name_label(vm, "renamed")
    made = api.VM.clone(vm, "new")
    (gone,) = api.VM.get_by_name_label("vm-2")
    api.VM.destroy(gone)
    batch = api.event_from(["VM"], token, 30.0)
    changes = [(event["operation"], event["ref"]) for event in batch["events"]]
    assert changes == [("add", made), ("mod", vm), ("del", gone)]
    assert batch["token"] > token
    assert batch["events"][1]["snapshot"]["name_label"] == "renamed"
    assert "snapshot" not in batch["events"][2]


def test_only_the_last_500_removals_of_a_class_are_told(server: Server, session: Any) -> None:
    database = server.simulator.database
    image = database.add("VDI", {})
    removed = [database.add("VM", {}) for _ in range(501)]
    token = session.xenapi.event_from(["VM", "VDI"], "", 30.0)["token"]
    for found in (image, *removed):
        database.remove(found)
    events = session.xenapi.event_from(["VM", "VDI"], token, 30.0)["events"]
    assert {event["operation"] for event in events} == {"del"}
    assert [event["ref"] for event in events] == [image.ref, *(found.ref for found in removed[1:])]


def test_one_object_can_be_watched(session: Any, vm: str) -> None:
    api = session.xenapi
    token = api.event_from([f"VM/{vm}"], "", 30.0)["token"]
    api.VM.set_name_label(api.VM.get_by_name_label("vm-1")[0], "other")
    api.VM.set_name_label(vm, "watched")
    batch = api.event_from([f"VM/{vm}"], token, 30.0)
    assert [event["ref"] for event in batch["events"]] == [vm]


def test_without_changes_the_call_ends_after_its_time_with_none(session: Any) -> None:
    api = session.xenapi
    token = api.event_from(["VM"], "", 30.0)["token"]
    assert api.event_from(["VM"], token, 0.05)["events"] == []


def test_a_call_that_waits_is_woken_by_a_change(
    server: Server, session: Any, connect: Callable[..., Any], vm: str
) -> None:
    token = session.xenapi.event_from(["VM"], "", 30.0)["token"]
    batches: list[Any] = []
    waiting = connect(server)
    server.simulator.counts.clear()
    thread = threading.Thread(target=lambda: batches.append(waiting.xenapi.event_from(["VM"], token, 30.0)))
    thread.start()
    wait_for(lambda: server.simulator.counts["event_from"], what="the call to come")
    session.xenapi.VM.set_name_label(vm, "woken")
    thread.join(20)
    assert [event["ref"] for event in batches[0]["events"]] == [vm]


def test_changes_that_come_in_the_delay_are_told_at_once_and_those_of_tasks_without_one(
    context: ssl.SSLContext, connect: Callable[..., Any]
) -> None:
    simulator = Simulator(event_delay_seconds=1)
    with running(Server(simulator, context)) as server:
        waiting, session = connect(server), connect(server)
        token = session.xenapi.event_from(["VM"], "", 30.0)["token"]
        batches: list[Any] = []
        simulator.counts.clear()
        thread = threading.Thread(
            target=lambda: batches.append(waiting.xenapi.event_from(["VM", "task"], token, 30.0))
        )
        thread.start()
        wait_for(lambda: simulator.counts["event_from"], what="the call to come")
        changed = list(simulator.database.all("VM"))
        for vm in changed:
            vm["name_description"] = "changed"
        task = session.xenapi.task.create("label", "")
        assert [event["ref"] for event in session.xenapi.event_from(["task"], "", 30.0)["events"]] == [task]
        assert not batches, "the other call has not ended yet"
        thread.join(20)
        assert [event["ref"] for event in batches[0]["events"]] == [task, *(vm.ref for vm in changed)]


def test_json_brings_the_same_records_by_either_name(session: Any, fetch: Callable[..., bytes]) -> None:
    for method in ("event.from", "event_from"):
        call = {"jsonrpc": "2.0", "method": method, "params": [session._session, ["VM"], "", 30.0], "id": 1}
        batch = json.loads(fetch("POST", "/jsonrpc", call))["result"]
        assert batch["valid_ref_counts"]["vm"] == len(batch["events"])
        records = [event["snapshot"] for event in batch["events"]]
        labels = sorted(found["name_label"] for found in records if not found["is_a_template"])
        assert labels == ["Control domain on host: xen-1", "vm-0", "vm-1", "vm-2"]


def test_a_token_is_two_numbers_and_no_other_text(session: Any) -> None:
    api = session.xenapi
    token = api.event_from(["VM"], "", 30.0)["token"]
    assert re.fullmatch(r"[0-9]{20},[0-9]{20}", token)
    for wrong in ("yesterday", "7", token.partition(",")[0], f"{token},7"):
        assert refused(api.event_from, ["VM"], wrong, 1.0) == ["EVENT_FROM_TOKEN_PARSE_FAILURE", wrong]


def test_a_class_that_nobody_knows_matches_nothing(session: Any) -> None:
    batch = session.xenapi.event_from(["machine", "vdi"], "", 30.0)
    assert {event["class"] for event in batch["events"]} == {"vdi"}


def test_an_empty_token_waits_too_when_there_is_nothing(
    server: Server, session: Any, connect: Callable[..., Any]
) -> None:
    batches: list[Any] = []
    waiting = connect(server)
    server.simulator.counts.clear()
    thread = threading.Thread(target=lambda: batches.append(waiting.xenapi.event_from(["task"], "", 30.0)))
    thread.start()
    wait_for(lambda: server.simulator.counts["event_from"], what="the call to come")
    task = session.xenapi.task.create("label", "")
    thread.join(20)
    assert [(event["operation"], event["ref"]) for event in batches[0]["events"]] == [("add", task)]
    assert session.xenapi.event_from(["SR/OpaqueRef:NULL"], "", 0.0)["events"] == []


def test_the_end_of_its_session_ends_a_call_that_waits(server: Server, session: Any) -> None:
    ref = session._session
    answers: list[Any] = []
    server.simulator.counts.clear()
    # Not by the SDK's own way, which would log in again.
    thread = threading.Thread(target=lambda: answers.append(session.event_from(ref, ["task"], "", 30.0)))
    thread.start()
    wait_for(lambda: server.simulator.counts["event_from"], what="the call to come")
    server.simulator.end_sessions()
    thread.join(20)
    assert answers == [{"Status": "Failure", "ErrorDescription": ["SESSION_INVALID", ref]}]


def test_a_change_is_told_that_was_only_injected(session: Any, vm: str) -> None:
    api = session.xenapi
    token = api.event.inject("VM", vm)
    assert [event["ref"] for event in api.event_from(["VM"], token, 30.0)["events"]] == [vm]
    assert refused(api.event.inject, "VM", "x") == ["HANDLE_INVALID", "VM", "x"]
    assert refused(api.event.inject, "vm", vm) == ["HANDLE_INVALID", "vm", vm]
