"""Bytes that clients write onto disks of the XAPI simulator."""

from collections.abc import Callable
from typing import Any

import pytest
import XenAPI

from simulators.images import MIB, Ask, Upload, everything, record_of, task_of
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server

PATH = "/import_raw_vdi"
DATA = b"what is to be on the disk" * 1000


@pytest.fixture
def disk(session: Any, storage: str) -> str:
    """Give a new disk of 2 MiB."""
    values = {"name_label": "a", "name_description": "", "SR": storage, "virtual_size": str(2 * MIB)}
    more = {"type": "user", "sharable": False, "read_only": False, "other_config": {}}
    ref: str = session.xenapi.VDI.create(values | more)
    return ref


def content(server: Server, disk: str) -> bytes:
    simulator = server.simulator
    return b"".join(simulator.storage.content(simulator.database.get("VDI", disk)).chunks())


def test_what_is_sent_is_on_the_disk_and_zeros_follow(
    server: Server, session: Any, ask: Ask, disk: str
) -> None:
    task = task_of(session)
    status, headers, body = ask("PUT", PATH, DATA, vdi=disk, format="raw", task_id=task)
    record = record_of(session, task)
    assert (status, body, headers["task-id"]) == (200, b"", task)
    assert (record["status"], record["result"]) == ("success", f"<value>{disk}</value>")
    assert content(server, disk) == DATA.ljust(MIB, b"\0")
    uuid = session.xenapi.VDI.get_uuid(disk)
    assert ask("PUT", PATH, bytes(2 * MIB), vdi=uuid)[0] == 200
    assert content(server, disk) == bytes(2 * MIB)


def test_copies_and_exports_have_what_was_written(server: Server, session: Any, ask: Ask, vm: str) -> None:
    api = session.xenapi
    (drive,) = (found for found in api.VM.get_VBDs(vm) if api.VBD.get_type(found) == "Disk")
    assert ask("PUT", PATH, DATA, vdi=api.VBD.get_VDI(drive))[0] == 200
    _, _, image = ask("GET", "/export", ref=vm)
    assert DATA in image
    before = set(api.VDI.get_all())
    ask("PUT", "/import", image)
    api.VM.clone(vm, "copy")
    made = set(api.VDI.get_all()) - before
    assert [content(server, found)[: len(DATA)] for found in made] == [DATA] * 2


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"vdi": "OpaqueRef:none"}, (400, "UUID_INVALID")),
        ({}, (400, "VDI_MISSING")),
        ({"format": "qcow2"}, (404, "INTERNAL_ERROR")),
    ],
)
def test_what_cannot_be_written_is_in_the_task_and_in_the_status(
    session: Any, ask: Ask, disk: str, query: dict[str, str], answer: tuple[int, str]
) -> None:
    task = task_of(session)
    named = {"vdi": disk} if "format" in query else {}
    status, _, _ = ask("PUT", PATH, DATA, task_id=task, **named, **query)
    record = record_of(session, task)
    assert record["status"] == "failure"
    assert (status, record["error_info"][0]) == answer


def test_a_chunked_body_is_not_read(server: Server, session: Any, ask: Ask, disk: str) -> None:
    before, task = content(server, disk), task_of(session)
    status, _, _ = ask("PUT", PATH, iter([DATA]), vdi=disk, task_id=task)
    assert (status, record_of(session, task)["error_info"][0]) == (404, "INTERNAL_ERROR")
    assert content(server, disk) == before


def test_more_than_the_disk_holds_leaves_what_was_there(
    server: Server, session: Any, ask: Ask, disk: str
) -> None:
    before, task = content(server, disk), task_of(session)
    ask("PUT", PATH, bytes(2 * MIB + 1), vdi=disk, task_id=task)
    assert record_of(session, task)["status"] == "failure"
    assert content(server, disk) == before


def test_a_disk_in_use_is_not_written(server: Server, session: Any, ask: Ask, vm: str) -> None:
    api = session.xenapi
    (drive,) = (found for found in api.VM.get_VBDs(vm) if api.VBD.get_type(found) == "Disk")
    disk = api.VBD.get_VDI(drive)
    api.VM.start(vm, False, False)
    before, task = content(server, disk), task_of(session)
    status, _, page = ask("PUT", PATH, DATA, vdi=disk, task_id=task)
    assert (status, record_of(session, task)["error_info"]) == (200, ["VDI_IN_USE", disk, "import"])
    assert b"VDI_IN_USE" in page
    assert content(server, disk) == before


def test_a_client_that_leaves_in_the_middle_leaves_what_was_there(
    server: Server, session: Any, upload: Upload, disk: str
) -> None:
    before, task = content(server, disk), task_of(session)
    connection = upload(len(DATA), PATH, vdi=disk, task_id=task)
    connection.send(DATA[:-1])
    connection.close()
    assert record_of(session, task)["status"] == "failure"
    assert content(server, disk) == before


@pytest.mark.parametrize(
    "code", [["VDI_IO_ERROR", "Device I/O errors"], ["SR_BACKEND_FAILURE_44", "", "", ""]]
)
def test_it_fails_where_that_is_ordered(
    server: Server, session: Any, ask: Ask, disk: str, code: list[str]
) -> None:
    before, task = content(server, disk), task_of(session)
    server.simulator.faults.add(Rule(message="import_raw_vdi", code=code[0], parameters=code[1:]))
    ask("PUT", PATH, DATA, vdi=disk, task_id=task)
    assert record_of(session, task)["error_info"] == code
    assert content(server, disk) == before


def test_a_held_one_is_cancelled(server: Server, session: Any, upload: Upload, disk: str) -> None:
    before, task = content(server, disk), task_of(session)
    server.simulator.faults.add(Rule(message="import_raw_vdi", effect="hold"))
    connection = upload(len(DATA), PATH, vdi=disk, task_id=task)
    connection.send(DATA)
    session.xenapi.task.cancel(task)
    assert record_of(session, task)["status"] == "cancelled"
    assert content(server, disk) == before


def test_who_may_not_writes_nothing(
    server: Server, session: Any, connect: Callable[..., Any], ask: Ask, disk: str
) -> None:
    before = content(server, disk)
    status, headers, _ = ask("PUT", PATH, DATA, session_id="OpaqueRef:x", vdi=disk)
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="VDI.import"')
    reader = connect(server, "reader")
    task = reader.xenapi.task.create("label", "")
    status, _, _ = ask("PUT", PATH, DATA, session_id=reader._session, task_id=task, vdi=disk)
    error = record_of(reader, task)["error_info"]
    assert (status, error[:2]) == (403, ["RBAC_PERMISSION_DENIED", "http/put_import_raw_vdi"])
    assert content(server, disk) == before


def test_another_host_takes_it(server: Server, session: Any, ask: Ask, disk: str) -> None:
    server.redirect_to = "https://127.0.0.1:1"
    status, headers, _ = ask("PUT", PATH, DATA, vdi=disk)
    assert status == 302
    assert headers["Location"].startswith("https://127.0.0.1:1/import_raw_vdi?")
    server.redirect_to = None


def test_a_storage_that_no_host_sees_takes_nothing(
    server: Server, session: Any, ask: Ask, storage: str, disk: str
) -> None:
    for plug in session.xenapi.SR.get_PBDs(storage):
        server.simulator.database.get("PBD", plug)["currently_attached"] = False
    before, task = everything(session), task_of(session)
    status, _, _ = ask("PUT", PATH, DATA, vdi=disk, task_id=task)
    assert (status, record_of(session, task)["error_info"][0]) == (400, "NO_HOSTS_AVAILABLE")
    assert everything(session) == before


def test_a_disk_of_a_whole_machine_that_runs_is_not_read_only(session: Any, vm: str, disk: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    values = {"VM": vm, "VDI": disk, "userdevice": "5", "bootable": False, "mode": "RO", "type": "Disk"}
    more = {"empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}}
    drive = api.VBD.create(values | more | {"unpluggable": True})
    with pytest.raises(XenAPI.Failure, match="DISK_VBD_MUST_BE_READWRITE_FOR_HVM"):
        api.VBD.plug(drive)
