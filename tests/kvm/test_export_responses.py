"""Exports as clients of the REST API get them, on a real libvirtd."""

import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from support.service import Service, running_service, wait_for

from .counterparts.libvirtd import Libvirtd
from .test_rest import BASE, settings


@pytest.fixture(scope="module")
def service(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # The machine may be busy with other tests.
    config = settings(libvirtd).replace("connect_timeout_seconds = 3\n", "")
    with running_service(tmp_path_factory.mktemp("kvm"), config) as made:
        yield made


@pytest.fixture
def guest(service: Service, libvirtd: Libvirtd) -> Iterator[str]:
    """Give the path of a stopped guest with a disk."""
    wanted = {"name": "export me", "memory": 32, "disks": [{"size": 0.25}], "storage": libvirtd.pool}
    path = service.post(f"{BASE}/guests", wanted).headers["location"]
    yield path
    assert service.delete(path).status == 204


def copies(libvirtd: Libvirtd) -> list[Path]:
    return list(libvirtd.pool_folder.glob("export-*"))


def test_a_guest_is_exported_with_its_length(service: Service, libvirtd: Libvirtd, guest: str) -> None:
    assert service.post(f"{guest}/snapshots", {"name": "one"}).status == 201
    response = service.get(f"{guest}/export")
    assert (response.status, int(response.headers["content-length"])) == (200, len(response.body))
    with tarfile.open(fileobj=BytesIO(response.body)) as archive:
        assert archive.getnames() == ["guest.ovf", "disk-1.qcow2", "guest.mf"]
    assert copies(libvirtd) == []


def test_a_running_guest_is_rejected_before_the_first_byte(service: Service, guest: str) -> None:
    assert service.put(f"{guest}/power", {"state": "start"}).status == 200
    rejected = service.get(f"{guest}/export")
    assert (rejected.status, rejected.error) == (409, "InvalidState")
    assert (rejected.json["current"], rejected.json["needed"]) == ("STARTED", "STOPPED")
    assert service.put(f"{guest}/power", {"state": "force_stop"}).status == 200


def test_a_client_that_goes_away_leaves_no_copy_and_no_session(
    service: Service, libvirtd: Libvirtd, guest: str
) -> None:
    disk = service.get(f"{guest}/disks").json[0]["extra_info"]
    fill = ["qemu-io", "-f", "qcow2", "-c", "write -P 5 0 200M", disk]
    subprocess.run(fill, check=True, capture_output=True)
    assert service.post(f"{guest}/snapshots", {"name": "one"}).status == 201
    connection = service.connection(60)
    connection.request("GET", f"{guest}/export", headers=service.default_headers)
    response = connection.getresponse()
    assert response.read(1024 * 1024)
    assert len(copies(libvirtd)) == 1
    response.close()
    connection.close()
    wait_for(lambda: copies(libvirtd) == [], 30, "the copy is removed")
    assert service.get(guest).status == 200
