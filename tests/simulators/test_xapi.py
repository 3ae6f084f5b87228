"""The XAPI simulator: it refuses what XAPI refuses, and its facts are those that XenAPI's authors publish."""

import contextlib
import functools
import http.client
import json
import ssl
import threading
import urllib.error
import xmlrpc.client
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from project.repository import ROOT
from simulators.https import running
from simulators.refusals import refused
from simulators.xapi.datamodel import classes
from simulators.xapi.server import Server
from simulators.xapi.sessions import MAX_SESSIONS
from simulators.xapi.simulator import Simulator
from support.service import wait_for

#: XenAPI's published data model, where it is at hand.
PUBLISHED = ROOT.parent / "shared/data/xenapi-datamodel.json"

NO_PERMISSION = "No permission in user session. (Roles with this permission: pool-admin)"

Fetch = Callable[..., bytes]
Send = Callable[..., Any]


def raw(server: Server, trusting: ssl.SSLContext, method: str, *parameters: Any) -> Any:
    """Call without the SDK, which logs in by itself when a session is over."""
    url = f"https://127.0.0.1:{server.port}"
    with xmlrpc.client.ServerProxy(url, context=trusting) as proxy:
        return getattr(proxy, method)(*parameters)


@pytest.fixture
def send(server: Server, trusting: ssl.SSLContext) -> Send:
    """Give `send(method, *parameters)`, which calls without the SDK."""
    return functools.partial(raw, server, trusting)


def json_call(fetch: Fetch, method: str, *parameters: Any, version: str | None = "2.0") -> Any:
    call = {"method": method, "params": parameters, "id": 7}
    return json.loads(fetch("POST", "/jsonrpc", call if version is None else call | {"jsonrpc": version}))


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"{PUBLISHED} is not here")
def test_fields_and_messages_are_those_of_the_published_data_model() -> None:
    published = {found["name"]: found for found in json.loads(PUBLISHED.read_text())}
    for class_ in classes().values():
        facts = published[class_.name]
        if class_.name != "event":  # its records are written by event.from
            fields = {name: (found.type.name, found.qualifier) for name, found in class_.fields.items()}
            assert fields == {found["name"]: (found["type"], found["qualifier"]) for found in facts["fields"]}
        ours = {
            name: (
                [(each.name, each.type.name, each.required) for each in message.parameters],
                message.returns.name,
            )
            for name, message in class_.messages.items()
        }
        theirs = {
            message["name"]: (
                [(each["name"], each["type"], each["required"]) for each in message["params"]],
                message["result"][0],
            )
            for message in facts["messages"]
        }
        assert ours == theirs


def test_the_sdk_logs_in_reads_and_logs_out(session: Any) -> None:
    records = session.xenapi.VM.get_all_records()
    labels = sorted(found["name_label"] for found in records.values() if not found["is_a_template"])
    assert labels == ["Control domain on host: xen-1", "vm-0", "vm-1", "vm-2"]
    ref, record = next(iter(records.items()))
    assert session.xenapi.VM.get_by_uuid(record["uuid"]) == ref
    assert session.xenapi.VM.get_by_name_label(record["name_label"]) == [ref]
    assert session.xenapi.VM.get_record(ref) == record
    assert record["memory_static_max"] == str(512 * 1024**2)
    assert record["snapshot_time"] == xmlrpc.client.DateTime("19700101T00:00:00Z")
    assert set(record) == set(classes()["VM"].fields)
    session.xenapi.session.logout()


def test_a_wrong_password_and_an_unknown_user_are_refused_alike(server: Server, connect: Any) -> None:
    for user, password in (("root", "wrong"), ("nobody", "secret")):
        details = refused(connect, server, user, password)
        assert details == ["SESSION_AUTHENTICATION_FAILED", user, "Authentication failure"]


def test_a_session_that_is_over_is_invalid(server: Server, session: Any, trusting: ssl.SSLContext) -> None:
    ref = session._session
    assert raw(server, trusting, "VM.get_all", ref)["Status"] == "Success"
    session.xenapi.session.logout()
    answer = raw(server, trusting, "VM.get_all", ref)
    assert answer == {"Status": "Failure", "ErrorDescription": ["SESSION_INVALID", ref]}


def test_a_session_that_was_idle_for_too_long_is_invalid(
    context: ssl.SSLContext, trusting: ssl.SSLContext, connect: Any
) -> None:
    with running(Server(Simulator(session_idle=timedelta(0)), context)) as server:
        ref = connect(server)._session
        assert raw(server, trusting, "VM.get_all", ref)["ErrorDescription"] == ["SESSION_INVALID", ref]


def test_the_oldest_session_of_an_originator_makes_room(server: Server, trusting: ssl.SSLContext) -> None:
    simulator = server.simulator
    log_in = ("session.login_with_password", "root", "secret", "1.0")
    other = raw(server, trusting, *log_in, "another")["Value"]
    refs = [
        simulator.sessions.log_in("root", "secret", "one", simulator.master.ref)
        for _ in range(MAX_SESSIONS + 1)
    ]
    assert raw(server, trusting, "VM.get_all", refs[0])["ErrorDescription"] == ["SESSION_INVALID", refs[0]]
    for ref in (refs[1], refs[-1], other):
        assert raw(server, trusting, "VM.get_all", ref)["Status"] == "Success"


def test_a_role_that_only_reads_cannot_write(server: Server, connect: Any) -> None:
    session = connect(server, "reader")
    (ref, *_) = session.xenapi.VM.get_all()
    details = refused(lambda: session.xenapi.VM.set_name_label(ref, "mine"))
    assert details == ["RBAC_PERMISSION_DENIED", "vm.set_name_label", NO_PERMISSION]
    assert session.xenapi.VM.get_name_label(ref) == "vm-0"


def test_a_task_tells_that_somebody_may_not(server: Server, connect: Any) -> None:
    session = connect(server, "reader")
    (ref, *_) = session.xenapi.VM.get_all()
    task = session.xenapi.Async.VM.start(ref, False, False)
    wait_for(lambda: session.xenapi.task.get_status(task) == "failure", what="the task to fail")
    assert session.xenapi.task.get_error_info(task) == ["RBAC_PERMISSION_DENIED", "vm.start", NO_PERMISSION]


def test_another_users_sessions_are_counted_by_name(server: Server, send: Send) -> None:
    simulator = server.simulator
    refs = [
        simulator.sessions.log_in("reader", "secret", f"originator {number}", simulator.master.ref)
        for number in range(MAX_SESSIONS + 1)
    ]
    assert send("VM.get_all", refs[0])["ErrorDescription"] == ["SESSION_INVALID", refs[0]]
    assert send("VM.get_all", refs[1])["Status"] == "Success"


def test_a_slave_sends_its_clients_to_the_master(
    server: Server, context: ssl.SSLContext, connect: Any
) -> None:
    with running(Server(server.simulator, context, master_address="192.0.2.1")) as slave:
        assert refused(lambda: connect(slave)) == ["HOST_IS_SLAVE", "192.0.2.1"]


def test_a_master_that_becomes_a_slave_answers_no_message_any_more(server: Server, session: Any) -> None:
    assert session.xenapi.VM.get_all()
    server.master_address = "192.0.2.7"
    assert refused(session.xenapi.VM.get_all) == ["HOST_IS_SLAVE", "192.0.2.7"]
    server.master_address = None
    assert session.xenapi.VM.get_all()


@pytest.mark.parametrize(
    ("method", "parameters", "failure"),
    [
        ("VM.foo", [], ["MESSAGE_METHOD_UNKNOWN", "VM.foo"]),
        ("Vm.start", [], ["MESSAGE_METHOD_UNKNOWN", "Vm.start"]),
        ("start", [], ["MESSAGE_METHOD_UNKNOWN", "start"]),
        ("Async.VM.foo", [], ["MESSAGE_METHOD_UNKNOWN", "VM.foo"]),
        ("Async.VM.get_record", ["x"], ["Fault", "No async mode for this operation (rpc: VM.get_record)"]),
        ("VM.start", ["x"], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.start", "3", "1"]),
        ("Async.VM.start", ["x"], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.start", "3", "1"]),
        ("VM.get_all", ["x"], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "0", "1"]),
        ("VM.set_user_version", ["x", 3], ["FIELD_TYPE_ERROR", "value"]),
        ("VM.set_user_version", ["x", "3.5"], ["FIELD_TYPE_ERROR", "value"]),
        ("VM.set_user_version", ["x", str(2**63)], ["FIELD_TYPE_ERROR", "value"]),
        ("VM.set_is_a_template", ["x", "true"], ["FIELD_TYPE_ERROR", "value"]),
        ("VM.set_tags", ["x", "tag"], ["FIELD_TYPE_ERROR", "value"]),
        ("VM.set_actions_after_reboot", ["x", "explode"], ["FIELD_TYPE_ERROR", "value"]),
        ("VM.set_xenstore_data", ["x", {"key": True}], ["FIELD_TYPE_ERROR", "value"]),
        ("VDI.create", [{"name_label": "lacks the rest"}], ["FIELD_TYPE_ERROR", "args"]),
        ("event.from", [["VM"], "", 3], ["FIELD_TYPE_ERROR", "timeout"]),
        ("VM.set_power_state", ["x", "Running"], ["MESSAGE_METHOD_UNKNOWN", "VM.set_power_state"]),
        ("VM.get_record", ["OpaqueRef:NULL"], ["HANDLE_INVALID", "VM", "OpaqueRef:NULL"]),
        ("VM.get_by_uuid", ["x"], ["UUID_INVALID", "VM", "x"]),
        ("VM.get_cooperative", ["x"], ["NOT_IMPLEMENTED", "VM.get_cooperative"]),
    ],
)
def test_what_the_data_model_does_not_allow_is_refused(
    session: Any, send: Send, method: str, parameters: list[Any], failure: list[str]
) -> None:
    answer = send(method, session._session, *parameters)
    assert answer == {"Status": "Failure", "ErrorDescription": failure}


def test_fields_are_set_and_their_items_added_and_removed(session: Any) -> None:
    vm = session.xenapi.VM
    (ref, *_) = vm.get_all()
    vm.set_name_label(ref, "<&>")
    vm.add_tags(ref, "blue")
    vm.add_tags(ref, "blue")
    vm.add_to_xenstore_data(ref, "key", "value")
    assert refused(lambda: vm.add_to_xenstore_data(ref, "key", "other"))[:3] == [
        "MAP_DUPLICATE_KEY",
        "VM",
        "xenstore_data",
    ]
    record = vm.get_record(ref)
    assert (record["name_label"], record["tags"], record["xenstore_data"]) == (
        "<&>",
        ["blue"],
        {"key": "value"},
    )
    vm.remove_tags(ref, "blue")
    vm.remove_from_xenstore_data(ref, "key")
    vm.remove_from_xenstore_data(ref, "key")
    record = vm.get_record(ref)
    assert (record["tags"], record["xenstore_data"]) == ([], {})


def test_json_carries_the_same_records_with_numbers_for_ints(session: Any, fetch: Fetch) -> None:
    by_xml = session.xenapi.VM.get_all_records()
    by_json = json_call(fetch, "VM.get_all_records", session._session)["result"]
    assert by_json.keys() == by_xml.keys() != set()
    for ref, record in by_json.items():
        assert record["memory_static_max"] == int(by_xml[ref]["memory_static_max"])
        assert record["snapshot_time"] == by_xml[ref]["snapshot_time"].value
        for field in ("name_label", "is_a_template", "VBDs", "platform", "HVM_shadow_multiplier"):
            assert record[field] == by_xml[ref][field]


def test_both_versions_of_json_report_failures_in_their_own_shape(session: Any, fetch: Fetch) -> None:
    call = ("VM.get_by_uuid", session._session, "x")
    assert json_call(fetch, *call) == {
        "jsonrpc": "2.0",
        "error": {"code": 1, "message": "UUID_INVALID", "data": ["VM", "x"]},
        "id": 7,
    }
    assert json_call(fetch, *call, version=None) == {
        "result": None,
        "error": ["UUID_INVALID", "VM", "x"],
        "id": 7,
    }
    wrong = json_call(fetch, "VM.set_user_version", session._session, "x", "3")
    assert wrong["error"]["message"] == "FIELD_TYPE_ERROR"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"<methodCall><methodName>session.logout</methodName>"),
        ("/", b"not XML"),
        ("/", b"<methodResponse><params/></methodResponse>"),
        ("/jsonrpc", b'{"method": "session.login_with_password", "id": 0}'),
        ("/jsonrpc", b'{"method": "VM.get_all", "params": [], "id": null}'),
        ("/jsonrpc", b'{"jsonrpc": "1.0", "method": "VM.get_all", "params": [], "id": 0}'),
        ("/of/nobody", b'{"method": "VM.get_all", "params": [], "id": 0}'),
    ],
)
def test_what_is_no_call_is_answered_with_500(fetch: Fetch, path: str, body: bytes) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetch("POST", path, body)
    with raised.value as answer:
        assert answer.code == 500


@pytest.mark.parametrize(("length", "status"), [(str(300 * 1024 + 1), 500), ("", 500)])
def test_a_call_of_no_length_or_too_great_a_one_is_not_read(
    server: Server, trusting: ssl.SSLContext, length: str, status: int
) -> None:
    client = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=20)
    with contextlib.closing(client):
        client.putrequest("POST", "/")
        if length:
            client.putheader("Content-Length", length)
        client.endheaders()
        assert client.getresponse().status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/of/nobody", 404), ("PUT", "/of/nobody", 403), ("DELETE", "/of/nobody", 501)],
)
def test_other_requests_are_answered_as_xapi_does(fetch: Fetch, method: str, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetch(method, path)
    with raised.value as answer:
        assert answer.code == status


def test_a_call_may_go_to_any_path(fetch: Fetch, session: Any) -> None:
    call = xmlrpc.client.dumps((session._session,), "VM.get_all")
    ((answer,), _) = xmlrpc.client.loads(fetch("POST", "/of/nobody", call.encode()))
    assert answer == {"Status": "Success", "Value": session.xenapi.VM.get_all()}


def test_json_2_may_do_without_parameters(fetch: Fetch) -> None:
    call = {"jsonrpc": "2.0", "method": "session.login_with_password", "id": 7}
    error = json.loads(fetch("POST", "/jsonrpc", call))["error"]
    assert error["data"] == ["session.login_with_password", "2", "0"]


def test_surplus_parameters_of_a_message_that_has_optional_ones_are_ignored(send: Send) -> None:
    log_in = ("session.login_with_password", "root", "secret")
    for more in ([], ["1.0"], ["1.0", "tests"], ["1.0", "tests", "and", "more"]):
        assert send(*log_in, *more)["Status"] == "Success"
    assert send("session.login_with_password", "root")["ErrorDescription"] == [
        "MESSAGE_PARAMETER_COUNT_MISMATCH",
        "session.login_with_password",
        "2",
        "1",
    ]


def test_doubles_have_sixteen_digits(server: Server, session: Any, fetch: Fetch) -> None:
    task = session.xenapi.task.create("label", "")
    for value, text in ((0.1, b"0.1"), (1.0, b"1"), (1 / 3, b"0.3333333333333333")):
        session.xenapi.task.set_progress(task, value)
        call = xmlrpc.client.dumps((session._session, task), "task.get_progress")
        assert b"<double>" + text + b"</double>" in fetch("POST", "/", call.encode())


def test_a_task_tells_what_became_of_a_message(session: Any) -> None:
    (ref, *_) = session.xenapi.VM.get_all()
    task = session.xenapi.Async.VM.assert_can_boot_here(ref, "OpaqueRef:NULL")
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    record = session.xenapi.task.get_record(task)
    assert record["name_label"] == "Async.VM.assert_can_boot_here"
    assert (record["status"], record["progress"]) == ("failure", 1.0)
    assert record["error_info"] == ["HANDLE_INVALID", "host", "OpaqueRef:NULL"]
    session.xenapi.task.destroy(task)
    assert refused(lambda: session.xenapi.task.get_status(task)) == ["HANDLE_INVALID", "task", task]


def test_messages_are_counted(session: Any, fetch: Fetch) -> None:
    fetch("DELETE", "/simulator/counts")
    session.xenapi.VM.get_all()
    session.xenapi.VM.get_all()
    assert json.loads(fetch("GET", "/simulator/counts")) == {"VM.get_all": 2}


def test_objects_are_counted_by_class(session: Any, fetch: Fetch) -> None:
    before = json.loads(fetch("GET", "/simulator/objects"))
    assert (before["session"], before["task"]) == (1, 0)
    session.xenapi.task.create("label", "")
    after = json.loads(fetch("GET", "/simulator/objects"))
    assert after == before | {"task": 1}


def test_a_message_fails_as_often_as_ordered(session: Any, fetch: Fetch) -> None:
    rule = {"message": "VM.get_all", "code": "SR_FULL", "parameters": ["10", "9"], "times": 2}
    fetch("POST", "/simulator/faults", rule)
    for _ in range(2):
        assert refused(session.xenapi.VM.get_all) == ["SR_FULL", "10", "9"]
    assert session.xenapi.VM.get_all()


@pytest.mark.parametrize(("effect", "label"), [("drop before", "vm-0"), ("drop after", "mine")])
def test_a_connection_is_dropped_before_or_after_the_effect(
    session: Any, send: Send, fetch: Fetch, effect: str, label: str
) -> None:
    (ref, *_) = session.xenapi.VM.get_all()
    # Twice: Python's client repeats a call once when the connection ends before the answer begins.
    fetch("POST", "/simulator/faults", {"message": "VM.set_name_label", "effect": effect, "times": 2})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
        send("VM.set_name_label", session._session, ref, "mine")
    assert session.xenapi.VM.get_name_label(ref) == label


def test_a_message_hangs_until_the_faults_are_cleared(session: Any, server: Server, fetch: Fetch) -> None:
    # Twice: Python's client repeats a call once when the connection ends before the answer begins.
    fetch("POST", "/simulator/faults", {"message": "VM.get_all", "effect": "hang", "times": 2})
    outcomes: list[str] = []

    def ask() -> None:
        try:
            outcomes.append(f"{len(session.xenapi.VM.get_all())} VMs")
        except http.client.RemoteDisconnected:
            outcomes.append("dropped")

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: server.simulator.counts["VM.get_all"], what="the call to come")
    assert outcomes == []
    fetch("DELETE", "/simulator/faults")
    thread.join(20)
    assert outcomes == ["6 VMs"]
    assert server.simulator.counts["VM.get_all"] == 2


def test_a_pool_of_ten_thousand_guests_is_made() -> None:
    simulator = Simulator(vms=10_000)
    assert sum(1 for _ in simulator.database.all("VBD")) == 10_000
    assert sum(1 for _ in simulator.database.all("VIF")) == 10_000
