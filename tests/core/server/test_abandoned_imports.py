"""Imports that are abandoned, or read again after an error: no guest is made of half an image."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import install
from support.service import Service, running_service, token, wait_for

SOON_SECONDS = 20
#: What the hook was given is in files; it waits for the test between its first read and the next.
PLUGIN = """
import os
from pathlib import Path

folder = Path(os.environ["IMPORT_FOLDER"])

def connect(target, credentials, settings):
    return target.name

@hookimpl
def guest_import(session, stream, storage_id, size):
    received = len(stream.read(1000))
    if session == "hangs":
        (folder / "hangs").touch()
        while not (folder / "let-go").exists():
            time.sleep(0.02)
    try:
        while piece := read(stream, again=session == "reads-again"):
            received += len(piece)
    except Exception as error:
        (folder / "ended").write_text(f"{type(error).__name__}: {error}")
        raise
    (folder / "ended").write_text(f"complete with {received} bytes")
    return Guest(id="1", name="n", cpus=1, memory=1, hdd=1, state=GuestState.STOPPED)

def read(stream, again):
    try:
        return stream.read(1000)
    except Exception:
        if not again:
            raise
        return stream.read(1000)

plugin = HypervisorPlugin(name="imports", title="Imports", connect=connect, hooks=(me,),
                          disconnect=lambda session: None, settings=HypervisorSettings)
"""
CONFIG = """
[server]
workers = 1
[hypervisors.imports]
call_timeout_seconds = 1
long_call_timeout_seconds = 20
"""
HEAD = (
    "HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
    f"X-Simplestack-Hypervisor-Token: {token()}\r\n"
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    install(tmp_path / "plugins", "imports", PLUGIN)
    environment = {"IMPORT_FOLDER": str(tmp_path)}
    with running_service(tmp_path, CONFIG, plugins=tmp_path / "plugins", environment=environment) as service:
        yield service


def ended(folder: Path) -> str:
    path = folder / "ended"
    text: str = wait_for(lambda: path.exists() and path.read_text(), what="the hook to end")
    return text


def test_an_abandoned_import_does_not_take_the_drained_body_for_its_end(
    service: Service, tmp_path: Path
) -> None:
    with socket.create_connection(service.address, timeout=SOON_SECONDS) as connection:
        head = f"POST /imports/hangs/guests {HEAD}Transfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"30d40\r\nQFI\xfb" + bytes(199_996) + b"\r\n0\r\n\r\n")
        received = b""
        while b"\r\n\r\n{" not in received:
            received += connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 504 ")
        assert service.get("/healthz").status == 200
        (tmp_path / "let-go").touch()
        assert ended(tmp_path).startswith("HypervisorTimeout: the import was abandoned")


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 100000"])
def test_a_body_that_broke_off_does_not_look_complete_to_a_hook_that_reads_again(
    service: Service, tmp_path: Path, framing: str
) -> None:
    first = b"186a0\r\n" if "chunked" in framing else b""
    answer = service.raw(
        f"POST /imports/reads-again/guests {HEAD}{framing}\r\n\r\n".encode()
        + first
        + b"QFI\xfb"
        + bytes(50_000)
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "InvalidArguments"
    assert ended(tmp_path).startswith("InvalidArguments: the body ")
