"""Imports as clients of the REST API meet them, on a real libvirtd."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from simplestack import MIB
from support.service import Answer, Service, running_service, token, wait_for

from .appliances import FIRST, appliance, disk, image, ova
from .counterparts.libvirtd import Libvirtd
from .test_rest import BASE, settings

OCTETS = {"Content-Type": "application/octet-stream"}
#: A worker may grow by this, however large an image is.
GROWTH_BYTES = 32 * MIB
LARGE_BYTES = 320 * MIB


@pytest.fixture(scope="module")
def service(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("kvm"), settings(libvirtd), "--workers=1") as made:
        yield made


def post(service: Service, path: str, body: bytes) -> Answer:
    return service.request("POST", BASE + path, body, headers=service.default_headers | OCTETS)


def files(libvirtd: Libvirtd) -> list[str]:
    return sorted(path.name for path in libvirtd.pool_folder.iterdir())


def test_a_disk_is_imported_and_described_by_the_query(
    service: Service, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    content = image(tmp_path, FIRST)
    query = f"?name=a%20%3Cb%3E&memory=64&cpus=2&network={libvirtd.network}&network={libvirtd.network}"
    for path in ("/guests", f"/storages/{libvirtd.pool}/guests"):
        made = post(service, path + query, content)
        assert made.status == 201, made
        assert (made.json["name"], made.json["memory"], made.json["cpus"]) == ("a <b>", 64, 2)
        assert made.headers["location"] == f"{BASE}/guests/{made.json['id']}"
        interfaces = service.get(f"{made.headers['location']}/network_interfaces").json
        assert [each["network"] for each in interfaces] == [libvirtd.network] * 2
        again = post(service, path + query, content)
        assert (again.status, again.error) == (409, "Conflict")
        assert service.delete(made.headers["location"]).status == 204


def test_a_disk_is_imported_over_tcp_with_the_clients_password(
    service: Service, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    base = f"/kvm/127.0.0.1:{libvirtd.tcp_port}/guests"
    account = {"X-Simplestack-Hypervisor-Token": token(libvirtd.username, libvirtd.password)}
    before = files(libvirtd)
    for content in (image(tmp_path, FIRST), image(tmp_path, FIRST, "vdi")):
        made = service.request("POST", f"{base}?name=tcp&memory=64", content, headers=OCTETS | account)
        assert made.status == 201, made
        assert service.delete(made.headers["location"], headers=account).status == 204
        assert files(libvirtd) == before


def test_errors_have_their_status_and_leave_nothing(
    service: Service, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    content = image(tmp_path, FIRST)
    before = files(libvirtd)
    for path, body, status, error in (
        ("/guests", content, 400, "InvalidArguments"),
        ("/guests?name=x&memory=many", content, 400, "InvalidArguments"),
        ("/guests?name=x&memory=64&network=nowhere", content, 404, "EntityNotFound"),
        ("/storages/nowhere/guests?name=x&memory=64", content, 404, "EntityNotFound"),
        ("/guests?name=x&memory=64", content[:60], 400, "InvalidArguments"),
        ("/guests", ova(appliance(disk("disk", FIRST)), {}), 400, "InvalidArguments"),
    ):
        rejected = post(service, path, body)
        assert (rejected.status, rejected.error) == (status, error), rejected
    assert files(libvirtd) == before


def test_what_is_not_imported_is_a_warning(service: Service, tmp_path: Path) -> None:
    body = ova(appliance(disk("disk", FIRST)), {"disk": image(tmp_path, FIRST), "readme.txt": b"hello"})
    first, second = post(service, "/guests", body), post(service, "/guests", body)
    assert (first.status, second.status) == (201, 201)
    assert "readme.txt" in first.headers["x-simplestack-warning"]
    assert second.json["name"] == "packed (2)"
    assert "packed (2)" in second.headers["x-simplestack-warning"]
    for made in (first, second):
        assert service.delete(made.headers["location"]).status == 204


def test_a_client_that_goes_away_leaves_no_volume_and_no_session(
    service: Service, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    content = image(tmp_path, os.urandom(16 * MIB))
    before = files(libvirtd)
    connection = service.connection(60)
    connection.putrequest("POST", f"{BASE}/guests?name=x&memory=64")
    for name, value in (service.default_headers | OCTETS | {"Content-Length": str(len(content))}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(content[: 12 * MIB])
    wait_for(lambda: files(libvirtd) != before, 30, "the volume is being written")
    connection.close()
    wait_for(lambda: files(libvirtd) == before, 30, "the volume is removed")
    assert service.get(f"{BASE}/guests").status == 200


def test_a_worker_keeps_no_more_than_a_piece_of_an_image(
    service: Service, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    content = image(tmp_path, os.urandom(LARGE_BYTES))
    (worker,) = psutil.Process(service.process.pid).children()
    service.get(f"{BASE}/guests")
    packed = ova(appliance(disk("disk", bytes(LARGE_BYTES))), {"disk": content})
    # The check of the password took more memory than an import may, so the peak begins anew.
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")
    before = _peak(worker.pid)
    for path, body in (("/guests?name=large&memory=64", content), ("/guests", packed)):
        made = post(service, path, body)
        assert made.status == 201, made
        assert service.delete(made.headers["location"]).status == 204
        assert _peak(worker.pid) - before < GROWTH_BYTES


def _peak(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024
