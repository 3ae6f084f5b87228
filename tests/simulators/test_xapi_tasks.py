"""Tasks of the XAPI simulator: who may touch them, and how they end."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.refusals import refused
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server
from support.service import wait_for

Client = Callable[..., Any]


def ended(session: Any, task: str) -> dict[str, Any]:
    """Wait for a task to end."""
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    record: dict[str, Any] = session.xenapi.task.get_record(task)
    return record


def test_a_task_begins_empty(session: Any) -> None:
    record = session.xenapi.task.get_record(session.xenapi.task.create("label", "description"))
    assert (record["name_label"], record["name_description"]) == ("label", "description")
    assert (record["status"], record["progress"], record["result"]) == ("pending", 0.0, "")
    assert (record["type"], record["error_info"], record["current_operations"]) == ("<none/>", [], {})


def test_a_message_that_returns_nothing_has_an_empty_value_as_its_result(session: Any, vm: str) -> None:
    record = ended(session, session.xenapi.Async.VM.start(vm, False, False))
    assert (record["status"], record["result"]) == ("success", "<value></value>")


def test_a_task_that_is_destroyed_before_it_ends_is_there_until_then(
    server: Server, session: Any, vm: str
) -> None:
    api = session.xenapi
    server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
    task = api.Async.VM.start(vm, False, False)
    api.task.destroy(task)
    assert api.task.get_current_operations(task) == {"task": "destroy"}
    assert api.task.get_status(task) == "pending"
    server.simulator.faults.clear()
    wait_for(lambda: task not in api.task.get_all(), what="the task to go")
    assert api.VM.get_power_state(vm) == "Running"


def test_a_task_that_nobody_adopted_is_ended_by_its_client(session: Any) -> None:
    api = session.xenapi
    task = api.task.create("label", "")
    api.task.destroy(task)
    assert api.task.get_status(task) == "pending"
    api.task.set_status(task, "cancelled")
    assert refused(lambda: api.task.get_status(task)) == ["HANDLE_INVALID", "task", task]
    other = api.task.create("label", "")
    api.task.set_status(other, "success")
    api.task.destroy(other)
    assert refused(lambda: api.task.destroy(other)) == ["HANDLE_INVALID", "task", other]


def test_a_client_says_how_far_its_own_task_is_and_what_came_of_it(session: Any) -> None:
    api = session.xenapi
    task = api.task.create("label", "")
    api.task.set_progress(task, 0.5)
    api.task.set_result(task, "something")
    api.task.set_error_info(task, ["CODE", "parameter"])
    api.task.set_other_config(task, {"key": "value"})
    record = api.task.get_record(task)
    assert (record["progress"], record["result"]) == (0.5, "something")
    assert (record["error_info"], record["other_config"]) == (["CODE", "parameter"], {"key": "value"})


@pytest.mark.parametrize("status", ["pending", "cancelling", "success", "failure", "cancelled"])
def test_to_cancel_a_task_is_a_wish_in_any_state(session: Any, status: str) -> None:
    api = session.xenapi
    task = api.task.create("label", "")
    api.task.set_status(task, status)
    api.task.cancel(task)
    assert list(api.task.get_current_operations(task).values()) == ["cancel"]
    assert api.task.get_status(task) == status


def test_what_is_cancelled_before_it_begins_has_no_effect_and_no_reason(
    server: Server, session: Any, vm: str
) -> None:
    api = session.xenapi
    server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
    task = api.Async.VM.start(vm, False, False)
    api.task.cancel(task)
    record = ended(session, task)
    assert (record["status"], record["progress"], record["error_info"]) == ("cancelled", 1.0, [])
    assert api.VM.get_power_state(vm) == "Halted"


def test_a_task_that_its_client_has_ended_keeps_that_status(server: Server, session: Any, vm: str) -> None:
    api = session.xenapi
    server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
    task = api.Async.VM.start(vm, False, False)
    api.task.set_status(task, "failure")
    server.simulator.faults.clear()
    wait_for(lambda: api.VM.get_power_state(vm) == "Running", what="the start")
    record = api.task.get_record(task)
    assert (record["status"], record["result"], record["error_info"]) == ("failure", "", [])


def test_who_may_only_read_may_touch_tasks_of_its_own(server: Server, session: Any, connect: Client) -> None:
    reader = connect(server, "reader").xenapi
    own = reader.task.create("label", "")
    reader.task.set_progress(own, 0.5)
    reader.task.set_result(own, "something")
    reader.task.set_error_info(own, ["CODE"])
    reader.task.cancel(own)
    reader.task.set_status(own, "success")
    reader.task.destroy(own)
    assert own not in reader.task.get_all()


def test_who_may_only_read_may_touch_no_other_task(server: Server, session: Any, connect: Client) -> None:
    reader = connect(server, "reader").xenapi
    other = session.xenapi.task.create("label", "")
    denied = [
        "RBAC_PERMISSION_DENIED",
        "task.destroy/any",
        "No permission in user session. (Roles with this permission: pool-admin)",
    ]
    for call in (
        lambda: reader.task.set_progress(other, 0.5),
        lambda: reader.task.set_result(other, "something"),
        lambda: reader.task.set_error_info(other, ["CODE"]),
        lambda: reader.task.set_status(other, "success"),
        lambda: reader.task.cancel(other),
        lambda: reader.task.destroy(other),
    ):
        assert refused(call) == denied
    own = reader.task.create("label", "")
    session.xenapi.task.set_status(own, "success")
    session.xenapi.task.destroy(own)
    record = session.xenapi.task.get_record(other)
    assert (record["status"], record["progress"], record["current_operations"]) == ("pending", 0.0, {})
