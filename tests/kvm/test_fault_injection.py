"""Fault injection in front of a real libvirtd."""

import http.client
import uuid
from collections.abc import Iterator

import libvirt
import pytest

from simplestack.identity.accounts import hash_password
from support.faults import add_rule, settings
from support.service import Service, running_service

from .counterparts.libvirtd import Libvirtd

GUESTS = "/kvm/localhost/guests"


@pytest.fixture(scope="module")
def service(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("kvm")
    config = (
        f"{settings(folder / 'faults.sqlite3')}[hypervisors.kvm]\ncall_timeout_seconds = 3\n"
        f"transport = 'unix'\nsocket = '{libvirtd.socket}'\n"
        f"[hypervisors.kvm.accounts]\nadmin = '{hash_password('secret')}'\n"
    )
    with running_service(folder / "service", config) as made:
        yield made


@pytest.fixture
def path(service: Service) -> Iterator[str]:
    """Give the path of a guest that is off."""
    made = service.post(GUESTS, {"name": f"faulty-{uuid.uuid4().hex[:8]}", "memory": 64})
    assert made.status == 201, made
    location = made.headers["location"]
    yield location
    service.delete("/_fault_injection")
    service.put(f"{location}/power", {"state": "force_stop"})
    assert service.delete(location).status == 204


def is_active(libvirtd: Libvirtd, path: str) -> bool:
    """Ask libvirtd itself."""
    connection = libvirt.open(libvirtd.uri)
    try:
        return bool(connection.lookupByUUIDString(path.rpartition("/")[2]).isActive())
    finally:
        connection.close()


def test_the_second_call_fails_as_if_libvirtd_had_refused_it(service: Service, path: str) -> None:
    add_rule(
        service,
        hypervisor="kvm",
        operation="guest_info",
        action="error",
        error="HypervisorError",
        on_call=2,
        times=1,
    )
    assert [service.get(path).status for _ in range(3)] == [200, 502, 200]


def test_a_call_that_hangs_ends_at_the_time_limit(service: Service, path: str) -> None:
    add_rule(service, hypervisor="kvm", guest=path.rpartition("/")[2], action="hang")
    answer = service.get(path)
    assert (answer.status, answer.error) == (504, "HypervisorTimeout")
    assert service.get(GUESTS).status == 200
    assert service.get("/healthz").json["busy_sessions"] == 0


def test_a_guest_runs_although_the_connection_was_dropped(
    service: Service, libvirtd: Libvirtd, path: str
) -> None:
    add_rule(service, operation="guest_start", action="drop", when="after", times=1)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.put(f"{path}/power", {"state": "start"}, headers={"X-Request-Id": "dropped"})
    assert is_active(libvirtd, path)
    assert service.audit_of("dropped")["outcome"] == "ConnectionDropped"


def test_a_guest_stays_off_when_the_connection_is_dropped_before(
    service: Service, libvirtd: Libvirtd, path: str
) -> None:
    add_rule(service, operation="guest_start", action="drop", times=1)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        service.put(f"{path}/power", {"state": "start"})
    assert not is_active(libvirtd, path)
