"""Connections to libvirtd: one call at a time on each.

libvirt's client library before 10.3 may crash when several threads use a connection (probably CVE-2024-4418).
"""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libvirt
import pytest

from support.service import Answer, Service, running_service, token, wait_for

from .counterparts.libvirtd import Libvirtd
from .domains import foreign

CLIENTS = 16
STOPPED_SECONDS = 4
SHORT_LIMITS = "keepalive_interval_seconds = 1\nkeepalive_count = 2\nshutdown_timeout_seconds = 3"


@pytest.fixture
def service(request: pytest.FixtureRequest, own_libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Service]:
    config = f"""
    [server]
    workers = 1
    [hypervisors.kvm]
    allowed_hosts = ["127.0.0.1"]
    transport = "tcp"
    {getattr(request, "param", SHORT_LIMITS)}
    """
    with running_service(tmp_path, config) as made:
        login = token(own_libvirtd.username, own_libvirtd.password)
        made.default_headers = {"X-Simplestack-Hypervisor-Token": login}
        yield made


def base(daemon: Libvirtd) -> str:
    return f"/kvm/127.0.0.1%3A{daemon.tcp_port}"


def test_a_request_during_a_long_one_gets_a_connection_of_its_own(
    service: Service, own_libvirtd: Libvirtd
) -> None:
    connection = libvirt.open(own_libvirtd.uri)
    with foreign(connection) as domain, ThreadPoolExecutor(1) as threads:
        domain.create()
        path = f"{base(own_libvirtd)}/guests/{domain.UUIDString()}"
        # It has no operating system that would shut it down.
        stopping = threads.submit(service.put, f"{path}/power", {"state": "stop"})
        wait_for(lambda: own_libvirtd.connections() > 0)
        assert service.get(path).json["state"] == "STARTED"
        assert not stopping.done()
        wait_for(lambda: own_libvirtd.connections() == 2, what="two connections")
        assert stopping.result().status == 504
        assert service.get(path).json["state"] == "STARTED"
        assert own_libvirtd.connections() == 2, "both are kept for later requests"
    connection.close()


def test_the_service_survives_a_libvirtd_that_is_stopped_under_many_clients(
    service: Service, own_libvirtd: Libvirtd
) -> None:
    paths = [base(own_libvirtd) + path for path in ("", "/guests", "/hosts", "/storages")]
    stopping = threading.Event()
    answers: list[Answer] = []

    def repeat(number: int) -> None:
        while not stopping.is_set():
            answers.append(service.get(paths[number % len(paths)]))

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(repeat, number) for number in range(CLIENTS)]
        try:
            wait_for(lambda: own_libvirtd.connections() > 1)
            pid = own_libvirtd.pid()
            os.kill(pid, signal.SIGSTOP)
            try:
                threading.Event().wait(STOPPED_SECONDS)  # longer than the keep-alive allows
            finally:
                os.kill(pid, signal.SIGCONT)
            wait_for(lambda: service.get(paths[0]).status == 200, what="libvirtd to be reached again")
        finally:
            stopping.set()
        for client in clients:
            client.result()  # each request was answered
    assert {answer.status for answer in answers} <= {200, 503, 504}
    assert "SIG" not in service.log


@pytest.mark.parametrize("service", ["call_timeout_seconds = 0.5"], indirect=True)
def test_a_connection_is_not_closed_while_an_abandoned_call_uses_it(
    service: Service, own_libvirtd: Libvirtd
) -> None:
    path = f"{base(own_libvirtd)}/storages"
    assert service.get(path).status == 200
    pid = own_libvirtd.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert service.get(path).error == "HypervisorTimeout"
    finally:
        os.kill(pid, signal.SIGCONT)
    # libvirtd has answered the abandoned call now, and the session is logged out.
    wait_for(lambda: '"late":true' in service.audit_path.read_text(), what="the call to return")
    wait_for(lambda: own_libvirtd.connections() == 0, what="the connection to be closed")
    assert service.get(path).status == 200
    assert "virObject" not in service.log, "libvirt's client library used memory that it had freed"
    assert "SIG" not in service.log
