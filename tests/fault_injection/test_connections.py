"""Connections that are dropped, and streams that break off."""

import http.client
import socket

import pytest

from support.faults import RULES, add_rule, guests, stopped
from support.service import Service, token

OCTETS = {"Content-Type": "application/octet-stream"}


def test_a_dropped_connection_ends_without_a_byte_and_says_so_in_log_and_audit(
    service: Service, host: str
) -> None:
    add_rule(service, host=host, operation="guest_list", action="drop", times=1)
    with socket.create_connection(service.address, timeout=20) as connection:
        head = (
            f"GET /mock/{host}/guests HTTP/1.1\r\nHost: x\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n"
            f"X-Request-Id: {host}\r\n"
        )
        connection.sendall(f"{head}\r\n".encode())
        try:
            received = connection.recv(1)
        except ConnectionResetError:
            received = b""
    assert received == b""
    assert guests(service, host).status == 200
    rule, closed = (line for line in service.log.splitlines() if f"request {host}: " in line)
    assert rule.endswith(": drop for guest_list")
    assert "the connection is closed without a response: " in closed
    assert "of fault injection drops the connection" in closed
    assert service.audit_of(host)["outcome"] == "ConnectionDropped"


def test_a_change_can_take_effect_before_the_connection_is_dropped(service: Service, host: str) -> None:
    add_rule(service, host=host, operation="guest_create", action="drop", when="after")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.post(f"/mock/{host}/guests", {"name": "made", "memory": 64})
    assert "made" in [guest["name"] for guest in guests(service, host).json]


def test_an_export_can_break_off_in_the_middle(service: Service, host: str) -> None:
    path = stopped(service, host)
    add_rule(service, host=host, operation="guest_export", action="drop", after_bytes=100_000, times=1)
    with pytest.raises(http.client.IncompleteRead) as broken:
        service.get(f"{path}/export", headers={"X-Request-Id": host})
    assert len(broken.value.partial) == 100_000
    rule, line = (line for line in service.log.splitlines() if f"request {host}: " in line)
    assert rule.endswith(": drop for guest_export")
    assert "the response broke off after 100000 bytes: ConnectionDropped" in line
    assert service.audit_of(host)["outcome"] == "ConnectionDropped"
    assert len(service.get(f"{path}/export").body) > 2 * 262144


def test_an_import_can_break_off_in_the_middle_and_leaves_nothing(service: Service, host: str) -> None:
    image = service.get(f"{stopped(service, host)}/export").body
    before = guests(service, host).json
    octets = {"Content-Type": "application/octet-stream"}
    add_rule(
        service,
        host=host,
        operation="guest_import",
        action="error",
        error="InsufficientStorage",
        after_bytes=9000,
    )
    assert service.post(f"/mock/{host}/guests", image, headers=octets).error == "InsufficientStorage"
    assert guests(service, host).json == before
    service.delete(f"{RULES}?host={host}")
    assert service.post(f"/mock/{host}/guests", image, headers=octets).status == 201


def test_a_rule_for_imports_into_a_storage_leaves_other_imports_alone(service: Service, host: str) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    storage = service.get(f"/mock/{host}/storages").json[0]["id"]
    add_rule(service, host=host, operation="storage_guest_import", action="error", error="Busy")
    assert service.post(f"/mock/{host}/guests", b"x" * 600, headers=octets).status == 201
    into = service.post(f"/mock/{host}/storages/{storage}/guests", b"x" * 600, headers=octets)
    assert into.error == "Busy"


def test_an_import_can_be_dropped_in_the_middle_and_leaves_nothing(service: Service, host: str) -> None:
    image = service.get(f"{stopped(service, host)}/export").body
    before = guests(service, host).json
    add_rule(service, host=host, operation="guest_import", action="drop", after_bytes=9000, times=1)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.post(f"/mock/{host}/guests", image, headers={**OCTETS, "X-Request-Id": host})
    assert service.audit_of(host)["outcome"] == "ConnectionDropped"
    assert guests(service, host).json == before


@pytest.mark.parametrize("operation", ["guest_import", "guest_export"])
def test_a_stream_that_hangs_ends_at_the_time_limit(service: Service, host: str, operation: str) -> None:
    path = stopped(service, host)
    image = service.get(f"{path}/export").body
    add_rule(service, host=host, operation=operation, action="hang", after_bytes=9000)
    if operation == "guest_import":
        answer = service.post(f"/mock/{host}/guests", image, headers={**OCTETS, "X-Request-Id": host})
        assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    else:
        with pytest.raises(http.client.IncompleteRead) as broken:
            service.get(f"{path}/export", headers={"X-Request-Id": host})
        assert len(broken.value.partial) == 9000
    assert service.audit_of(host)["outcome"] == "HypervisorTimeout"
    assert service.get("/healthz").json["busy_sessions"] == 0
