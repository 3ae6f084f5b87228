"""KVM as clients meet it: through REST, on a real libvirtd with a real guest."""

import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simplestack.identity.accounts import hash_password
from simplestack.plugins.discovery import load_hypervisors
from support.examples import Recorder, Surroundings, compare, tell
from support.service import Answer, Service, running_service, token, wait_for
from support.threads import in_threads

from .counterparts import libvirtd as counterpart
from .counterparts.libvirtd import Libvirtd

BASE = "/kvm/localhost"
BOOT_SECONDS = 120


def settings(daemon: Libvirtd) -> str:
    return f"""
    [hypervisors.kvm]
    allowed_hosts = ["localhost", "127.0.0.0/8"]
    connect_timeout_seconds = 3
    call_timeout_seconds = 45
    keepalive_interval_seconds = 1
    keepalive_count = 2
    [hypervisors.kvm.accounts]
    admin = "{hash_password("secret")}"
    [hypervisors.kvm.hosts.localhost]
    transport = "unix"
    socket = "{daemon.socket}"
    [hypervisors.kvm.hosts."127.0.0.1"]
    transport = "tcp"
    """


@pytest.fixture(scope="module")
def service(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("kvm"), settings(libvirtd)) as made:
        yield made


def hello(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=2) as response:
            return bool(response.read().strip() == b"hello")
    except OSError:
        return False


def test_the_life_of_a_guest(service: Service, libvirtd: Libvirtd, guest_volume: str) -> None:
    files = set(libvirtd.pool_folder.iterdir())
    wanted = {
        "name": "web-1",
        "memory": 128,
        "image": guest_volume,
        "storage": libvirtd.pool,
        "network_interfaces": [{"network": libvirtd.network}],
        "start": True,
    }
    made = service.post(f"{BASE}/guests", wanted)
    assert (made.status, made.json["state"]) == (201, "STARTED"), made
    path = made.headers["location"]
    assert path == f"{BASE}/guests/{made.json['id']}"
    assert service.post(f"{BASE}/guests", wanted).error == "Conflict"

    wait_for(lambda: service.get(path).json["ip"], BOOT_SECONDS, "its address")
    shown = service.get(path).json
    wait_for(lambda: hello(shown["ip"]), BOOT_SECONDS, "its web server")
    assert shown in service.get(f"{BASE}/guests").json

    for state, becomes in (("pause", "PAUSED"), ("resume", "STARTED")):
        answer = service.put(f"{path}/power", {"state": state})
        assert (answer.status, answer.json) == (200, {"action": state, "message": "ok"})
        assert service.get(path).json["state"] == becomes
        assert service.put(f"{path}/power", {"state": state}).error == "InvalidState"
    wait_for(lambda: hello(shown["ip"]), BOOT_SECONDS, "the resumed guest")

    disk = service.post(f"{path}/disks", {"size": 0.25, "storage_id": libvirtd.pool})
    assert disk.status == 201, disk
    assert service.get(disk.headers["location"]).json == disk.json
    assert service.put(disk.headers["location"], {"size": 0.5}).json["size"] == 0.5
    assert service.put(disk.headers["location"], {"size": 0.1}).error == "InvalidArguments"
    assert service.delete(disk.headers["location"]).status == 204
    assert service.get(disk.headers["location"]).error == "EntityNotFound"

    assert service.put(f"{path}/reboot", {"force": True}).json == {"action": "reboot", "message": "ok"}
    wait_for(lambda: hello(shown["ip"]), BOOT_SECONDS, "the rebooted guest")
    refused = service.delete(path)
    assert (refused.status, refused.json["current"], refused.json["needed"]) == (409, "STARTED", "STOPPED")

    stopped = service.put(f"{path}/power", {"state": "stop"})
    assert (stopped.status, service.get(path).json["state"]) == (200, "STOPPED"), stopped
    again = service.put(f"{path}/power", {"state": "stop"})
    assert (again.status, again.error) == (409, "InvalidState")
    assert service.delete(path).status == 204
    assert service.get(path).json["message"] == f"Guest:{made.json['id']} not found"
    assert set(libvirtd.pool_folder.iterdir()) == files


def test_the_examples_of_the_openapi_document_are_what_it_answers(
    service: Service, libvirtd: Libvirtd, guest_volume: str, iso_volume: str, trunk: str
) -> None:
    (kvm,) = (found for found in load_hypervisors(["kvm"])[0] if found.name == "kvm")
    replacements = {
        str(libvirtd.pool_folder): "/var/lib/libvirt/images",
        guest_volume: "debian-12.qcow2",
        iso_volume: "debian-12-netinst.iso",
        f'"{socket.gethostname()}"': '"kvm-1"',
    }
    recorder = Recorder(service, BASE, frozenset(kvm.operations), replacements)
    surroundings = Surroundings(
        create={
            "memory": 128,
            "image": guest_volume,
            "storage": libvirtd.pool,
            "network_interfaces": [{"network": libvirtd.network}],
        },
        storage=libvirtd.pool,
        network=libvirtd.network,
        trunk=trunk,
        iso=iso_volume,
    )

    def booted(guest_id: str) -> None:
        def address() -> bool:
            shown = service.get(f"{BASE}/guests/{guest_id}").json["ip"]
            return shown is not None and hello(shown)

        wait_for(address, BOOT_SECONDS, "its web server")

    tell(recorder, surroundings, booted)
    assert kvm.plugin.examples is not None
    compare(recorder, kvm.plugin.examples)


def test_a_disk_of_another_guest_is_not_found(service: Service, libvirtd: Libvirtd) -> None:
    paths = []
    for name, disks in (("one", 1), ("two", 2)):
        body = {"name": name, "memory": 32, "storage": libvirtd.pool, "disks": [{"size": 0.01}] * disks}
        paths.append(service.post(f"{BASE}/guests", body).headers["location"])
    for method, change in (("GET", None), ("PUT", {"size": 1}), ("DELETE", None)):
        answer = service.request(method, f"{paths[0]}/disks/vdb", change)
        assert answer.status == 404
        assert answer.json["message"] == f"Disk:vdb not found: GET {paths[0]}/disks lists the disks"
    assert len(service.get(f"{paths[1]}/disks").json) == 2
    for path in paths:
        assert service.delete(path).status == 204


def test_of_clients_that_delete_a_guest_at_once_one_succeeds(service: Service, libvirtd: Libvirtd) -> None:
    body = {"name": "once", "memory": 32, "storage": libvirtd.pool, "disks": [{"size": 0.01}]}
    path = f"{BASE}/guests/{service.post(f'{BASE}/guests', body).json['id']}"
    with in_threads(4) as start:
        answers = [future.result() for future in [start(service.delete, path) for _ in range(4)]]
    assert sorted(answer.status for answer in answers) == [204, 404, 404, 404]
    messages = {answer.json["message"] for answer in answers if answer.status == 404}
    assert messages == {f"Guest:{path.rpartition('/')[2]} not found"}


def test_wrong_requests_are_refused_and_change_nothing(service: Service, libvirtd: Libvirtd) -> None:
    files = set(libvirtd.pool_folder.iterdir())
    guests = service.get(f"{BASE}/guests").json
    base = {"name": "wrong", "memory": 32, "storage": libvirtd.pool, "disks": [{"size": 0.01}]}
    for change, status, error in (
        ({"memory": -1}, 400, "InvalidArguments"),
        ({"memroy": 1}, 400, "InvalidArguments"),
        ({"name": "a/b"}, 400, "InvalidArguments"),
        ({"storage": "nowhere"}, 404, "EntityNotFound"),
        ({"image": "../../etc/passwd"}, 404, "EntityNotFound"),
        ({"image": "/etc/passwd"}, 404, "EntityNotFound"),
        ({"iso": "<x/>.iso"}, 404, "EntityNotFound"),
        ({"network_interfaces": [{"network": "'/><evil"}]}, 404, "EntityNotFound"),
    ):
        answer = service.post(f"{BASE}/guests", base | change)
        assert (answer.status, answer.error) == (status, error), (change, answer)
    for identity in ("42", "..%2F..", "a'b%22", "00000000-0000-4000-8000-000000000000"):
        assert service.get(f"{BASE}/guests/{identity}").status == 404
    for part in ("tags", "media_device", "network_interfaces", "snapshots", "export"):
        answer = service.get(f"{BASE}/guests/42/{part}")
        assert (answer.status, answer.json["message"]) == (404, "Guest:42 not found")
    assert service.get(f"{BASE}/guests").json == guests
    assert set(libvirtd.pool_folder.iterdir()) == files


def test_nobody_rides_on_the_services_rights(service: Service) -> None:
    assert service.get(BASE).status == 200
    for user, password in (("admin", "wrong"), ("root", "secret"), ("admin", "")):
        headers = {"X-Simplestack-Hypervisor-Token": token(user, password)}
        answer = service.get(BASE, headers=headers)
        assert (answer.status, answer.error) == (401, "Unauthorized"), user
    assert service.get(BASE).status == 200


def test_without_accounts_the_unix_socket_is_401_and_the_log_says_why(
    libvirtd: Libvirtd, tmp_path: Path
) -> None:
    config = f"[hypervisors.kvm]\ntransport = 'unix'\nsocket = '{libvirtd.socket}'"
    with running_service(tmp_path, config) as service:
        assert service.get(BASE).status == 401
        assert "kvm: no accounts: libvirt does not check passwords on its unix socket" in service.log


def test_the_callers_own_password_is_checked_by_libvirt_over_tcp(
    service: Service, libvirtd: Libvirtd
) -> None:
    path = f"/qemu/127.0.0.1%3A{libvirtd.tcp_port}"
    right = {"X-Simplestack-Hypervisor-Token": token(libvirtd.username, libvirtd.password)}
    wrong = {"X-Simplestack-Hypervisor-Token": token(libvirtd.username, "wrong")}
    answer = service.get(path, headers=right)
    assert (answer.status, answer.json["total_memory"] > 0) == (200, True), answer
    assert service.get(path, headers=wrong).error == "Unauthorized"
    account = {"X-Simplestack-Hypervisor-Token": token()}
    assert service.get(path, headers=account).error == "Unauthorized"


def test_twenty_peers_that_never_speak_do_not_stop_the_service(service: Service) -> None:
    answers: list[Answer] = []

    def ask(port: int) -> None:
        answers.append(service.get(f"/kvm/127.0.0.1%3A{port}/guests"))

    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(20)]
        threads = [threading.Thread(target=ask, args=(peer.getsockname()[1],)) for peer in silent]
        for thread in threads:
            thread.start()
        meanwhile = 0
        while any(thread.is_alive() for thread in threads):
            assert service.get("/mock/demo/guests").status == 200
            assert service.get(BASE).status == 200
            meanwhile += 1
    assert meanwhile > 0
    assert len(answers) == 20
    assert {answer.status for answer in answers} == {504}


def test_a_libvirtd_that_is_stopped_in_the_middle_of_a_request(tmp_path: Path, libvirtd: Libvirtd) -> None:
    del libvirtd  # it says whether any can run here
    daemon = counterpart.start(network=False)
    try:
        with running_service(tmp_path, settings(daemon)) as service:
            assert service.get(BASE).status == 200
            pid = daemon.pid()
            os.kill(pid, signal.SIGSTOP)
            try:
                answer = service.get(f"{BASE}/guests")
            finally:
                os.kill(pid, signal.SIGCONT)
            assert answer.status in {503, 504}, answer
            assert answer.error in {"HypervisorUnavailable", "HypervisorTimeout"}
            wait_for(lambda: service.get(f"{BASE}/guests").status == 200, what="the session to be replaced")
            os.kill(pid, signal.SIGKILL)
            gone = service.get(f"{BASE}/guests")
            assert (gone.status, gone.error) == (503, "HypervisorUnavailable"), gone
            assert "retry-after" in gone.headers
            assert service.get("/healthz").status == 200
    finally:
        daemon.stop()
