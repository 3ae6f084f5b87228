"""Import and export of the XAPI simulator."""

import contextlib
import http.client
import io
import ssl
import tarfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from simulators.xapi.server import Server, running
from support.service import wait_for

Ask = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture
def ask(server: Server, session: Any, trusting: ssl.SSLContext) -> Ask:
    """Give `ask(method, path, body, headers, **query)`: status, headers and body of the answer."""

    def asked(
        method: str, path: str, body: Any = None, port: int = 0, **query: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port or server.port, context=trusting, timeout=20
        )
        try:
            everything = urlencode({"session_id": session._session, **query})
            connection.request(method, f"{path}?{everything}", body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    return asked


def task_of(session: Any) -> str:
    ref: str = session.xenapi.task.create("move", "an image")
    return ref


def record_of(session: Any, task: str) -> dict[str, Any]:
    """Wait for a task to end."""
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    record: dict[str, Any] = session.xenapi.task.get_record(task)
    return record


def everything(session: Any) -> dict[str, list[str]]:
    classes = ("VM", "VM_metrics", "VDI", "VBD", "VIF")
    return {name: sorted(getattr(session.xenapi, name).get_all()) for name in classes}


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


@pytest.mark.parametrize(
    "damage",
    [
        lambda image: image[:-20_000],
        lambda image: image[: 600 * 1024],
        lambda image: image[:50_000] + b"?" + image[50_001:],
        lambda _image: b"no tar" * 1000,
    ],
)
def test_a_damaged_image_leaves_nothing(
    session: Any, vm: str, ask: Ask, damage: Callable[[bytes], bytes]
) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    before = everything(session)
    task = task_of(session)
    status, _, _ = ask("PUT", "/import", damage(image), task_id=task)
    record = record_of(session, task)
    assert (status, record["status"], record["error_info"][0]) == (500, "failure", "IMPORT_ERROR")
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


def test_a_client_that_goes_away_leaves_nothing(
    session: Any, server: Server, vm: str, ask: Ask, trusting: ssl.SSLContext
) -> None:
    _, _, image = ask("GET", "/export", ref=vm)
    before = everything(session)
    task = task_of(session)
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=20)
    query = urlencode({"session_id": session._session, "task_id": task})
    connection.putrequest("PUT", f"/import?{query}")
    connection.putheader("Content-Length", str(len(image)))
    connection.endheaders()
    connection.send(image[: len(image) // 2])
    connection.close()
    assert record_of(session, task)["status"] == "failure"
    assert everything(session) == before


def test_chunks_are_refused_and_so_is_who_is_not_logged_in(
    server: Server, trusting: ssl.SSLContext, ask: Ask
) -> None:
    with contextlib.closing(
        http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=20)
    ) as connection:
        connection.putrequest("PUT", "/import")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        assert connection.getresponse().status == 411
    status, _, text = ask("PUT", "/import", b"image", session_id="OpaqueRef:x")
    assert (status, b"SESSION_INVALID OpaqueRef:x" in text) == (500, True)


def test_another_host_may_have_to_do_it(server: Server, context: ssl.SSLContext, vm: str, ask: Ask) -> None:
    elsewhere = f"https://127.0.0.1:{server.port}"
    with running(Server(server.simulator, context, redirect_to=elsewhere)) as other:
        status, headers, _ = ask("GET", "/export", port=other.port, ref=vm)
    assert status == 302
    assert headers["Location"].startswith(f"{elsewhere}/export?session_id=")
