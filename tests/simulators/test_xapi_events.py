"""`event.from` of the XAPI simulator."""

import json
import threading
from collections.abc import Callable
from typing import Any

from simulators.refusals import refused
from simulators.xapi.server import Server
from support.service import wait_for


def test_an_empty_token_brings_all_objects_of_several_classes_at_once(session: Any) -> None:
    api = session.xenapi
    batch = api.event_from(["VM", "VDI"], "", 30.0)
    found = {event["ref"]: event for event in batch["events"]}
    assert {event["class"] for event in batch["events"]} == {"vm", "vdi"}
    assert {event["operation"] for event in batch["events"]} == {"add"}
    for ref, record in (api.VM.get_all_records() | api.VDI.get_all_records()).items():
        assert found[ref]["snapshot"] == record
        assert found[ref]["obj_uuid"] == record["uuid"]
    assert batch["valid_ref_counts"]["vm"] == str(len(api.VM.get_all()))
    assert len(found) == len(api.VM.get_all()) + len(api.VDI.get_all())


def test_a_token_brings_what_has_changed_since(session: Any, vm: str) -> None:
    api = session.xenapi
    token = api.event_from(["VM"], "", 30.0)["token"]
    api.VM.set_name_label(vm, "renamed")
    made = api.VM.clone(vm, "new")
    (gone,) = api.VM.get_by_name_label("vm-2")
    api.VM.destroy(gone)
    batch = api.event_from(["VM"], token, 30.0)
    changes = {event["ref"]: event["operation"] for event in batch["events"]}
    assert changes == {vm: "mod", made: "add", gone: "del"}
    assert batch["token"] > token
    (event,) = [event for event in batch["events"] if event["ref"] == vm]
    assert event["snapshot"]["name_label"] == "renamed"


def test_one_object_can_be_watched(session: Any, vm: str) -> None:
    api = session.xenapi
    token = api.event_from([f"VM/{vm}"], "", 30.0)["token"]
    api.VM.set_name_label(api.VM.get_by_name_label("vm-1")[0], "other")
    api.VM.set_name_label(vm, "watched")
    batch = api.event_from([f"VM/{vm}"], token, 30.0)
    assert [event["ref"] for event in batch["events"]] == [vm]


def test_without_changes_the_call_ends_after_its_time_with_none(session: Any) -> None:
    api = session.xenapi
    token = api.event_from(["task"], "", 30.0)["token"]
    assert api.event_from(["task"], token, 0.05)["events"] == []


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


def test_json_brings_the_same_records_by_either_name(session: Any, fetch: Callable[..., bytes]) -> None:
    for method in ("event.from", "event_from"):
        call = {"jsonrpc": "2.0", "method": method, "params": [session._session, ["VM"], "", 30.0], "id": 1}
        batch = json.loads(fetch("POST", "/jsonrpc", call))["result"]
        assert batch["valid_ref_counts"]["vm"] == len(batch["events"])
        records = [event["snapshot"] for event in batch["events"]]
        labels = sorted(found["name_label"] for found in records if not found["is_a_template"])
        assert labels == ["vm-0", "vm-1", "vm-2"]


def test_a_wrong_token_or_class_is_refused(session: Any) -> None:
    api = session.xenapi
    assert refused(api.event_from, ["VM"], "yesterday", 1.0) == [
        "EVENT_FROM_TOKEN_PARSE_FAILURE",
        "yesterday",
    ]
    assert refused(api.event_from, ["machine"], "", 1.0) == ["EVENT_SUBSCRIPTION_PARSE_FAILURE", "machine"]
