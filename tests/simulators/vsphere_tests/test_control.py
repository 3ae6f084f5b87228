"""Faults to order, latency, counts and state of the vSphere simulator."""

import contextlib
import http.client
import json
import threading
import time
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.json_reader import JsonRequest
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Fetch
from simulators.vsphere_tests.test_tasks import ended, until


@pytest.fixture
def order(fetch: Fetch) -> Any:
    """Give `order(method, **rule)`, which orders a fault over HTTP."""

    def ordered(method: str, **rule: Any) -> None:
        assert fetch("POST", "/simulator/faults", {"method": method, **rule}) == (204, b"")

    return ordered


def test_calls_are_counted(client: Client, fetch: Fetch, vm: Any) -> None:
    assert fetch("DELETE", "/simulator/counts")[0] == 204
    client.retrieve(vim.VirtualMachine, "name")
    client.retrieve(vim.VirtualMachine, "name")
    client.content.searchIndex.FindChild(vm, "x")
    status, body = fetch("GET", "/simulator/counts")
    assert (status, json.loads(body)) == (200, {"RetrievePropertiesEx": 2, "FindChild": 1})


def test_a_certain_call_fails_with_a_fault_to_order(client: Client, order: Any, vm: Any) -> None:
    order("PowerOnVM_Task", fault="InvalidPowerState", properties={"existingState": "suspended"}, after=1)
    assert ended(client, vm.PowerOn()).state == "success"
    with pytest.raises(vim.fault.InvalidPowerState) as raised:
        vm.PowerOn()
    assert raised.value.existingState == "suspended"
    assert ended(client, vm.PowerOff()).state == "success"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"method": "Nothing", "effect": "hang"}, "there is no method 'Nothing'"),
        ({"method": "CurrentTime", "fault": "Nothing"}, "Nothing"),
        ({"method": "CurrentTime", "fault": "AboutInfo"}, "is no fault"),
        ({"method": "CurrentTime", "fault": "DuplicateName"}, "CurrentTime does not declare DuplicateName"),
        (
            {"method": "CurrentTime", "fault": "NotSupported", "effect": "fail task"},
            "CurrentTime has no task",
        ),
        ({"method": "CurrentTime", "effect": "hold"}, "CurrentTime has no task"),
        ({"method": "CurrentTime"}, "`fault`"),
        ({"method": "CurrentTime", "fault": "NotSupported", "effect": "hang"}, "`fault`"),
        ({"method": "CurrentTime", "fault": "NotSupported", "properties": {"a": 1}}, "NotSupported with"),
        ({"method": "CurrentTime", "effect": "explode"}, "explode"),
        ({"method": "CurrentTime", "effect": "hang", "more": 1}, "more"),
    ],
)
def test_a_fault_that_cannot_be_is_rejected(fetch: Fetch, rule: dict[str, Any], said: str) -> None:
    status, body = fetch("POST", "/simulator/faults", rule)
    assert status == 400
    assert said in body.decode()


def test_a_connection_is_dropped_before_a_call_takes_effect(client: Client, order: Any) -> None:
    servers = client.find(vim.Folder, "servers")
    order("CreateFolder", effect="drop before")
    with pytest.raises((http.client.HTTPException, OSError)):
        servers.CreateFolder("mine")
    assert servers.CreateFolder("mine").name == "mine"


def test_a_connection_is_dropped_after_a_call_took_effect(client: Client, order: Any) -> None:
    servers = client.find(vim.Folder, "servers")
    order("CreateFolder", effect="drop after")
    with pytest.raises((http.client.HTTPException, OSError)):
        servers.CreateFolder("mine")
    with pytest.raises(vim.fault.DuplicateName):
        servers.CreateFolder("mine")


def test_a_call_that_hangs_is_let_go_when_faults_are_removed(
    client: Client, order: Any, fetch: Fetch, simulator: Simulator
) -> None:
    order("CurrentTime", effect="hang")
    failures: list[BaseException] = []

    def hang() -> None:
        try:
            client.service.CurrentTime()
        except (http.client.HTTPException, OSError) as error:
            failures.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    with simulator.database.lock:
        while not simulator.counts["CurrentTime"]:
            simulator.database.changes.wait(0.01)
    assert thread.is_alive()
    while thread.is_alive():  # it is counted a little before it hangs
        fetch("DELETE", "/simulator/faults")
        thread.join(0.1)
    assert failures


def test_all_sessions_end_before_a_call_that_was_ordered_to_end_them(client: Client, order: Any) -> None:
    order("CurrentTime", effect="end sessions")
    with pytest.raises(vim.fault.NotAuthenticated):
        client.service.CurrentTime()


def test_held_tasks_go_on_when_faults_are_removed(client: Client, order: Any, fetch: Fetch, vm: Any) -> None:
    order("PowerOnVM_Task", effect="hold", progress=70)
    task = vm.PowerOn()
    until(client, task, "info.progress", 70)
    assert vm.runtime.powerState == "poweredOff"
    fetch("DELETE", "/simulator/faults")
    assert ended(client, task).state == "success"


def test_options_are_set_while_it_runs(fetch: Fetch, simulator: Simulator) -> None:
    options = {"latency_seconds": 0.001, "task_seconds": 0.002, "session_idle_seconds": 3, "session_limit": 4}
    assert fetch("POST", "/simulator/options", options)[0] == 204
    assert (simulator.latency_seconds, simulator.tasks.seconds) == (0.001, 0.002)
    assert (simulator.sessions.idle.total_seconds(), simulator.sessions.limit) == (3, 4)
    assert fetch("POST", "/simulator/options", {"nothing": 1})[0] == 400


def test_each_call_takes_its_time(client: Client, fetch: Fetch) -> None:
    assert fetch("POST", "/simulator/options", {"latency_seconds": 0.05})[0] == 204
    start = time.monotonic()
    client.service.CurrentTime()
    assert time.monotonic() - start >= 0.05


def test_a_journal_has_all_calls_as_they_came(
    client: Client, connect: Any, fetch: Fetch, simulator: Simulator
) -> None:
    old = connect(version="6.5")
    simulator.journal = []
    client.service.CurrentTime()
    old.service.CurrentTime()
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vim.Task("gone", client.stub).info
    path = "/sdk/vim25/8.0.1.0/ServiceInstance/ServiceInstance/CurrentTime"
    session = client.cookie.partition('"')[2].partition('"')[0]
    assert fetch("POST", path, {}, **{"vmware-api-session-id": session})[0] == 200
    versions = [version for version, _ in simulator.journal]
    assert [call.method for _, call in simulator.journal] == [*["CurrentTime"] * 2, "Fetch", "CurrentTime"]
    assert versions[0] == versions[2] == versions[3] != versions[1]
    assert isinstance(simulator.journal[3][1], JsonRequest)
    assert simulator.rejections == []


def test_the_state_tells_what_is_left(client: Client, fetch: Fetch, vm: Any) -> None:
    ended(client, vm.PowerOn())
    _, body = fetch("GET", "/simulator/state")
    state = json.loads(body)
    assert state["vms"] == ["debian-12", "shop-db", "vm-0", "vm-1", "vm-2"]
    assert state["sessions"] == ["administrator@vsphere.local"]
    assert state["tasks"] == {"task-1": "success"}
    assert state["defects"] == []
    assert "[shared-1] vm-0/vm-0.vmdk" in state["files"]
    assert state["objects"]["HostSystem"] == 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/simulator/nothing", 404),
        ("POST", "/simulator/counts", 404),
        ("GET", "/", 404),
        ("GET", "/sdk", 404),
        ("PUT", "/sdk", 404),
        ("HEAD", "/nothing", 404),
    ],
)
def test_other_paths_are_not_found(fetch: Fetch, method: str, path: str, status: int) -> None:
    assert fetch(method, path)[0] == status


def test_a_request_needs_a_length_and_not_too_much(fetch: Fetch) -> None:
    assert fetch("POST", "/sdk", b"", **{"Content-Length": str(2**40)})[0] == 413


def test_a_request_may_come_in_chunks(server: Any, trusting: Any, client: Client) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=20)
    with contextlib.closing(connection):
        connection.request(
            "POST", "/sdk", iter([b"<a", b"/>"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True
        )
        response = connection.getresponse()
        assert response.status == 500
        assert b'Unexpected element "a"' in response.read()
        connection.putrequest("POST", "/sdk")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(b"x\r\n")
        assert connection.getresponse().status == 400
