"""Exports of the XAPI simulator, and what they have in common with imports."""

import contextlib
import http.client
import io
import ssl
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from simulators.https import running
from simulators.images import Ask, record_of, task_of
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server


def test_an_exported_vm_imports_as_another_one_with_the_same_disks(session: Any, vm: str, ask: Ask) -> None:
    api = session.xenapi
    task = task_of(session)
    status, _, image = ask("GET", "/export", ref=vm, task_id=task)
    assert (status, record_of(session, task)["status"]) == (200, "success")
    with tarfile.open(fileobj=io.BytesIO(image)) as archive:
        names = archive.getnames()
    assert names[:2] == ["ova.xml", "Ref:0/00000000"]
    task = task_of(session)
    (storage,) = api.SR.get_by_name_label("Local storage")
    status, _, _ = ask("PUT", "/import", image, task_id=task, sr_id=storage)
    record = record_of(session, task)
    assert (status, record["status"]) == (200, "success")
    made = record["result"].removeprefix("<value><array><data><value>").partition("<")[0]
    assert made != vm
    for field in ("name_label", "memory_static_max", "VCPUs_max", "platform"):
        assert api.VM.get_record(made)[field] == api.VM.get_record(vm)[field]
    assert len(api.VM.get_VBDs(made)) == len(api.VM.get_VIFs(made)) == 1
    _, _, again = ask("GET", "/export", uuid=api.VM.get_uuid(made))
    assert again == image


def test_a_running_vm_is_not_exported(session: Any, vm: str, ask: Ask) -> None:
    session.xenapi.VM.start(vm, False, False)
    task = task_of(session)
    status, _, _ = ask("GET", "/export", ref=vm, task_id=task)
    assert status == 500
    error = record_of(session, task)["error_info"]
    assert error == ["VM_BAD_POWER_STATE", vm, "halted, suspended", "running"]


@pytest.mark.parametrize(("keeps", "state"), [("true", "Suspended"), ("false", "Halted"), ("", "Halted")])
def test_an_image_keeps_the_power_state_where_that_is_asked_for(
    session: Any, vm: str, ask: Ask, keeps: str, state: str
) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    api.VM.suspend(vm)
    _, _, image = ask("GET", "/export", ref=vm, **({"preserve_power_state": keeps} if keeps else {}))
    before = set(api.VM.get_all())
    ask("PUT", "/import", image)
    (made,) = set(api.VM.get_all()) - before
    assert api.VM.get_power_state(made) == state


@pytest.mark.parametrize(("method", "path"), [("PUT", "/import"), ("GET", "/export")])
def test_who_is_not_logged_in_is_refused_and_no_task_is_told(
    session: Any, ask: Ask, method: str, path: str
) -> None:
    task = task_of(session)
    status, headers, _ = ask(method, path, session_id="OpaqueRef:x", task_id=task)
    realm = f'Basic realm="VM.{path.removeprefix("/")}"'
    assert (status, headers["WWW-Authenticate"]) == (401, realm)
    assert session.xenapi.task.get_status(task) == "pending"


@pytest.mark.parametrize(("method", "path"), [("PUT", "/import"), ("GET", "/export")])
def test_who_may_only_read_moves_no_image(
    server: Server, connect: Callable[..., Any], ask: Ask, method: str, path: str
) -> None:
    reader = connect(server, "reader")
    task = reader.xenapi.task.create("label", "")
    (vm, *_) = reader.xenapi.VM.get_all()
    status, _, _ = ask(method, path, b"", session_id=reader._session, task_id=task, ref=vm)
    error = record_of(reader, task)["error_info"]
    assert (status, error[0]) == (403, "RBAC_PERMISSION_DENIED")
    assert error[1] == f"http/{method.lower()}_{path.removeprefix('/')}"


def test_an_export_has_no_length_and_names_its_task(session: Any, vm: str, ask: Ask) -> None:
    task = task_of(session)
    _, headers, _ = ask("GET", "/export", ref=vm, task_id=task)
    assert headers == {
        "Connection": "close",
        "Cache-Control": "no-cache, no-store",
        "task-id": task,
        "content-type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="export.xva"',
    }


def test_a_transfer_without_a_task_leaves_none(session: Any, vm: str, ask: Ask) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    ask("PUT", "/import", image)
    assert session.xenapi.task.get_all() == []


def test_an_export_that_fails_in_its_middle_says_so_in_the_image(
    server: Server, session: Any, vm: str, ask: Ask
) -> None:
    _, _, whole = ask("GET", "/export", ref=vm)
    rule = Rule(message="export", code="VDI_IO_ERROR", parameters=["Device I/O error"], effect="drop after")
    server.simulator.faults.add(rule)
    task = task_of(session)
    status, _, image = ask("GET", "/export", ref=vm, task_id=task)
    record = record_of(session, task)
    assert (status, record["error_info"]) == (200, ["VDI_IO_ERROR", "Device I/O error"])
    begun, _, page = image.partition(b"HTTP/1.1 500 Internal Error\r\n")
    assert begun
    assert whole.startswith(begun)
    assert b"VDI_IO_ERROR: [ Device I/O error ]" in page


def test_an_export_that_breaks_is_a_failure(server: Server, session: Any, vm: str, ask: Ask) -> None:
    _, _, whole = ask("GET", "/export", ref=vm)
    server.simulator.faults.add(Rule(message="export", effect="drop after"))
    task = task_of(session)
    _, _, image = ask("GET", "/export", ref=vm, task_id=task)
    assert len(image) < len(whole)
    assert record_of(session, task)["error_info"][0] == "CLIENT_ERROR"


def test_a_client_that_leaves_an_export_fails_its_task(
    big: Server, connect: Callable[..., Any], trusting: ssl.SSLContext
) -> None:
    session = connect(big)
    (vm,) = session.xenapi.VM.get_by_name_label("vm-0")
    task = task_of(session)
    connection = http.client.HTTPSConnection("127.0.0.1", big.port, context=trusting, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", f"/export?session_id={session._session}&ref={vm}&task_id={task}")
        connection.getresponse().read(1000)
    code, *parameters = record_of(session, task)["error_info"]
    assert (code, len(parameters)) == ("CLIENT_ERROR", 1)


def test_an_export_whose_disks_no_host_sees_is_answered_in_the_task_alone(
    server: Server, session: Any, vm: str, ask: Ask
) -> None:
    server.simulator.faults.add(Rule(message="export", effect="drop before"))
    for ref in (vm, "OpaqueRef:of-no-vm"):
        task = task_of(session)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
            ask("GET", "/export", ref=ref, task_id=task)
        assert record_of(session, task)["error_info"] == ["NO_HOSTS_AVAILABLE"]


def test_a_vm_that_nobody_knows_by_its_uuid_is_an_error(session: Any, ask: Ask) -> None:
    status, _, text = ask("GET", "/export", uuid="x")
    assert (status, b"UUID_INVALID: [ VM; x ]" in text) == (500, True)


def test_another_host_may_have_to_do_it(server: Server, context: ssl.SSLContext, vm: str, ask: Ask) -> None:
    elsewhere = f"https://127.0.0.1:{server.port}"
    with running(Server(server.simulator, context, redirect_to=elsewhere)) as other:
        status, headers, _ = ask("GET", "/export", port=other.port, ref=vm)
    assert status == 302
    assert headers["Location"].startswith(f"{elsewhere}/export?session_id=")
