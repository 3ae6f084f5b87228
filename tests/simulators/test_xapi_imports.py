"""Imports of the XAPI simulator."""

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from simulators.images import MIB, Ask, Upload, everything, record_of, task_of
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server
from support.service import wait_for


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda image: image[:50_000] + b"?" + image[50_001:], "IMPORT_ERROR"),
        (lambda image: image.replace(b"Ref:0/", b"Ref:9/"), "IMPORT_ERROR"),
        (lambda image: image.replace(b"power_state", b"power_stall"), "IMPORT_ERROR"),
        (lambda image: image.replace(b"virtual_size", b"virtual_sign"), "IMPORT_ERROR"),
        (lambda image: image.replace(b"ova.xml", b"avo.xml"), "IMPORT_ERROR_PREMATURE_EOF"),
        (lambda _image: b"no tar" * 1000, "IMPORT_ERROR_PREMATURE_EOF"),
    ],
)
def test_a_damaged_image_leaves_nothing(
    session: Any, vm: str, ask: Ask, damage: Callable[[bytes], bytes], code: str
) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    before = everything(session)
    task = task_of(session)
    status, _, text = ask("PUT", "/import", damage(image), task_id=task)
    record = record_of(session, task)
    assert (status, record["status"], record["error_info"][0]) == (200, "failure", code)
    assert text.startswith(b"HTTP/1.1 500 Internal Error\r\n")
    assert f"<h1> Additional information </h1>{code}: [ ".encode() in text
    assert everything(session) == before


def test_an_import_is_answered_before_it_is_read(session: Any, vm: str, ask: Ask, upload: Upload) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    task = task_of(session)
    connection = upload(len(image), task_id=task)
    sender = connection.sock  # which the connection forgets when it has an answer
    answer = connection.getresponse()
    assert (answer.version, answer.status, answer.reason) == (11, 200, "OK")
    assert dict(answer.getheaders()) == {
        "Connection": "close",
        "Cache-Control": "no-cache, no-store",
        "task-id": task,
        "content-type": "application/octet-stream",
    }
    assert session.xenapi.task.get_status(task) == "pending"
    sender.sendall(image)
    assert answer.read() == b""
    assert record_of(session, task)["status"] == "success"


def test_an_import_ends_where_the_disks_do(session: Any, vm: str, ask: Ask, upload: Upload) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    assert image.endswith(bytes(1024))
    task = task_of(session)
    connection = upload(len(image), task_id=task)
    connection.send(image[:-1024])
    assert record_of(session, task)["status"] == "success"
    assert connection.getresponse().read() == b""


def test_an_import_waits_for_what_its_length_does_not_promise(
    session: Any, vm: str, ask: Ask, upload: Upload
) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    task = task_of(session)
    connection = upload(600 * 1024, task_id=task)
    connection.send(image[: 600 * 1024])
    sender = connection.sock
    answer = connection.getresponse()
    assert session.xenapi.task.get_status(task) == "pending"
    sender.sendall(image[600 * 1024 :])
    assert answer.read() == b""
    assert record_of(session, task)["status"] == "success"


def test_an_import_breaks_in_its_middle_where_that_is_ordered(
    big: Server, connect: Callable[..., Any], trusting: ssl.SSLContext
) -> None:
    session = connect(big)
    (vm,) = session.xenapi.VM.get_by_name_label("vm-0")
    path = f"?session_id={session._session}"
    code = ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]
    connection = http.client.HTTPSConnection("127.0.0.1", big.port, context=trusting, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", f"/export{path}&ref={vm}")
        image = connection.getresponse().read()
        before, task = everything(session), task_of(session)
        big.simulator.faults.add(Rule(message="import", code=code[0], parameters=code[1:]))
        connection.putrequest("PUT", f"/import{path}&task_id={task}")
        connection.putheader("Content-Length", str(len(image)))
        connection.endheaders()
        sender = connection.sock
        answer = connection.getresponse()
        sender.sendall(image[: 3 * MIB])
        assert session.xenapi.task.get_status(task) == "pending"
        sender.sendall(image[3 * MIB : image.index(b"Ref:0/00000004")])
        record = record_of(session, task)
        assert (answer.status, record["status"], record["error_info"]) == (200, "failure", code)
        assert b"SR_BACKEND_FAILURE_44: [ ; There is insufficient space;  ]" in answer.read()
        assert everything(session) == before


def test_an_import_is_cancelled_where_it_is_and_leaves_nothing(
    server: Server, session: Any, vm: str, ask: Ask, upload: Upload
) -> None:
    api = session.xenapi
    _, _, image = ask("GET", "/export", ref=vm)
    before = everything(session)
    server.simulator.faults.add(Rule(message="import", effect="hold"))
    task = task_of(session)
    connection = upload(len(image), task_id=task)
    connection.send(image)
    wait_for(lambda: api.task.get_other_config(task), what="its objects to be made")
    assert api.task.get_other_config(task) == {"object_creation": "complete"}
    assert everything(session) != before
    api.task.cancel(task)
    record = record_of(session, task)
    assert (record["status"], record["error_info"]) == ("cancelled", [])
    assert everything(session) == before


@pytest.mark.parametrize("effect", ["drop before", "hang"])
def test_an_import_that_is_dropped_gets_no_answer(
    server: Server, session: Any, vm: str, ask: Ask, effect: str
) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    rule = {"message": "import", "effect": effect}
    server.simulator.faults.add(msgspec.convert(rule, Rule))
    timer = threading.Timer(0.2, server.simulator.faults.clear)
    timer.start()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
        ask("PUT", "/import", image)
    timer.join()


def test_a_storage_is_named_by_its_uuid_too(session: Any, vm: str, ask: Ask) -> None:
    api = session.xenapi
    _, _, image = ask("GET", "/export", ref=vm)
    (storage,) = api.SR.get_by_name_label("Local storage")
    used = int(api.SR.get_virtual_allocation(storage))
    ask("PUT", "/import", image, sr_uuid=api.SR.get_uuid(storage))
    assert int(api.SR.get_virtual_allocation(storage)) == used + 8 * 1024**3
    status, _, _ = ask("PUT", "/import", image, sr_uuid="x")
    assert status == 500


def test_a_storage_that_no_host_reaches_leaves_the_task_pending(
    server: Server, session: Any, vm: str, ask: Ask
) -> None:
    api = session.xenapi
    _, _, image = ask("GET", "/export", ref=vm)
    task = task_of(session)
    (storage,) = api.SR.get_by_name_label("Local storage")
    (plug,) = api.SR.get_PBDs(storage)
    server.simulator.database.get("PBD", plug)["currently_attached"] = False
    for ref in (storage, "OpaqueRef:of-no-storage"):
        status, _, text = ask("PUT", "/import", image, task_id=task, sr_id=ref)
        assert (status, api.task.get_status(task)) == (500, "pending")
        assert b"<h1> Additional information </h1>NO_HOSTS_AVAILABLE: [  ]</body>" in text


def test_an_iso_library_takes_no_image(session: Any, vm: str, ask: Ask) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    before, task = everything(session), task_of(session)
    (library,) = session.xenapi.SR.get_by_name_label("ISO library")
    status, _, _ = ask("PUT", "/import", image, task_id=task, sr_id=library)
    record = record_of(session, task)
    assert (status, record["error_info"]) == (400, ["SR_OPERATION_NOT_SUPPORTED"])
    assert everything(session) == before


def test_a_full_storage_takes_no_image_and_keeps_nothing_of_it(
    session: Any, server: Server, vm: str, ask: Ask
) -> None:
    api = session.xenapi
    _, _, image = ask("GET", "/export", ref=vm)
    (storage,) = api.SR.get_by_name_label("Local storage")
    server.simulator.database.get("SR", storage)["physical_size"] = int(
        api.SR.get_physical_utilisation(storage)
    )
    before = everything(session)
    task = task_of(session)
    ask("PUT", "/import", image, task_id=task)
    assert record_of(session, task)["error_info"][0] == "SR_FULL"
    assert everything(session) == before


def test_a_client_that_leaves_an_import_leaves_nothing(
    session: Any, vm: str, ask: Ask, upload: Upload
) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    before = everything(session)
    for sent in (0, 100, len(image) // 2, len(image) - 20_000):
        task = task_of(session)
        connection = upload(len(image), task_id=task)
        connection.send(image[:sent])
        connection.close()
        record = record_of(session, task)
        assert (record["status"], record["error_info"]) == ("failure", ["IMPORT_ERROR_PREMATURE_EOF"])
        assert everything(session) == before


def test_chunks_are_refused(session: Any, ask: Ask) -> None:
    task = task_of(session)
    status, _, _ = ask("PUT", "/import", b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}, task_id=task)
    error = record_of(session, task)["error_info"]
    assert (status, error) == (403, ["IMPORT_ERROR_CANNOT_HANDLE_CHUNKED"])
