"""Responses that break off: the client can tell, and the log says why in one place, with the request's id."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import install
from support.service import Service, running_service, token, wait_for

#: The guest's id says how its export ends, and whether its length is known.
PLUGIN = """
def connect(target, credentials, settings):
    return target.name

@hookimpl
def guest_export(session, guest_id):
    how, _, length = guest_id.partition("-")

    def chunks():
        yield b"x" * 1000
        yield b"x" * 500
        if how == "known":
            raise HypervisorError("the disk went away")
        if how == "defect":
            raise ValueError("nobody expected this")
        if how == "exit":
            sys.exit("a plugin must not do this")
        if how == "short":
            return
        if how == "text":
            yield "not bytes"
        while True:
            yield b"x" * 100_000

    return Export(chunks(), 2000 if length else None)

@hookimpl
def guest_list(session):
    sys.exit("a plugin must not do this")

plugin = HypervisorPlugin(name="broken", title="Broken", connect=connect, disconnect=lambda session: None,
                          hooks=(me,), settings=HypervisorSettings)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("broken")
    install(folder / "plugins", "broken", PLUGIN)
    with running_service(folder, plugins=folder / "plugins") as service:
        yield service


def lines_about(service: Service, request_id: str) -> list[str]:
    def found() -> list[str]:
        return [line for line in service.log.splitlines() if request_id in line]

    lines: list[str] = wait_for(found, what="a line in the log")
    return lines


@pytest.mark.parametrize("length", ["", "-2000"], ids=["chunked", "content-length"])
@pytest.mark.parametrize("how", ["known", "defect", "exit", "text"])
def test_an_export_that_fails_midway_does_not_look_complete(service: Service, how: str, length: str) -> None:
    with pytest.raises(http.client.IncompleteRead) as broken:
        service.get(f"/broken/h/guests/{how}{length}/export")
    assert len(broken.value.partial) == 1500
    assert "Error handling request" not in service.log  # gunicorn's line, which names no request


def test_an_export_that_is_shorter_than_the_plugin_said_breaks_off(service: Service) -> None:
    with pytest.raises(http.client.IncompleteRead) as broken:
        service.get("/broken/h/guests/short-2000/export", headers={"X-Request-Id": "broken-0"})
    assert len(broken.value.partial) == 1500
    (line,) = lines_about(service, "broken-0")
    assert " ERROR " in line


def test_an_export_that_fails_midway_is_reset_where_its_end_would_be_that_of_the_connection(
    service: Service,
) -> None:
    with socket.create_connection(service.address, timeout=20) as connection:
        head = f"GET /broken/h/guests/known/export HTTP/1.0\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n"
        connection.sendall(f"{head}\r\n".encode())
        with pytest.raises(ConnectionResetError):
            all(iter(lambda: connection.recv(65536), b""))


def test_a_known_error_midway_is_one_line_with_the_id(service: Service) -> None:
    with pytest.raises(http.client.IncompleteRead):
        service.get("/broken/h/guests/known/export", headers={"X-Request-Id": "broken-1"})
    (line,) = lines_about(service, "broken-1")
    assert line.endswith(
        "request broken-1: the response broke off after 1500 bytes: HypervisorError: the disk went away"
    )
    assert " WARNING " in line
    assert service.audit_of("broken-1")["outcome"] == "HypervisorError"
    assert "Error handling request" not in service.log
    assert not service.log.partition(line)[2].lstrip().startswith("Traceback")


def test_a_defect_midway_is_a_traceback_under_the_id(service: Service) -> None:
    with pytest.raises(http.client.IncompleteRead):
        service.get("/broken/h/guests/defect/export", headers={"X-Request-Id": "broken-2"})
    (line,) = lines_about(service, "broken-2")
    assert line.endswith("request broken-2: the response broke off after 1500 bytes: unexpected error")
    assert " ERROR " in line
    assert service.log.partition(line)[2].lstrip().startswith("Traceback")
    assert service.audit_of("broken-2")["outcome"] == "InternalError"


def test_a_client_that_leaves_in_an_export_is_one_line_without_a_traceback(service: Service) -> None:
    with socket.create_connection(service.address, timeout=20) as connection:
        connection.sendall(
            b"GET /broken/h/guests/endless/export HTTP/1.1\r\nHost: x\r\nX-Request-Id: broken-3\r\n"
            + f"X-Simplestack-Hypervisor-Token: {token()}\r\n\r\n".encode()
        )
        connection.recv(1000)
    (line,) = lines_about(service, "broken-3")
    assert "request broken-3: the client disconnected after " in line
    assert " INFO " in line
    assert service.audit_of("broken-3")["outcome"] == "ClientDisconnected"
    assert "Socket error" not in service.log


def test_a_plugin_that_exits_python_ends_its_own_request_alone(service: Service) -> None:
    answer = service.get("/broken/h/guests", headers={"X-Request-Id": "broken-4"})
    assert (answer.status, answer.error) == (500, "InternalError")
    assert "a plugin must not do this" not in answer.json["message"]
    (line,) = lines_about(service, "broken-4")
    assert " ERROR " in line
    assert service.get("/mock/demo/guests").status == 200
