"""``/folder/`` of the vSphere simulator: files of datastores over HTTPS."""

import base64
import socket
import ssl
from typing import Any
from urllib.parse import quote

import pytest
from pyVmomi import vim

from simulators.vsphere.server import Server
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Fetch
from simulators.vsphere_tests.waiting import result

PLACE = "?dcPath=DC0&dsName=isos"
VMX = "/folder/vm-0/vm-0.vmx?dcPath=DC0&dsName=shared-1"
DISK = "/folder/vm-0/vm-0.vmdk?dcPath=DC0&dsName=shared-1"


def basic(user: str = "administrator@vsphere.local", password: str = "secret") -> dict[str, str]:
    """Return the header with a name and a password."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nobody_gets_a_file_without_a_session(fetch: Fetch, client: Client, method: str) -> None:
    path = f"/folder/debian-12.iso{PLACE}"
    assert fetch(method, path, b"")[0] == 401
    assert fetch(method, path, b"", **basic(password="wrong"))[0] == 401
    assert fetch(method, path, b"", Authorization="Basic none")[0] == 401
    assert fetch(method, path, b"", Cookie='vmware_soap_session="none"')[0] == 401
    assert fetch(method, path, b"", **basic("reader@vsphere.local"))[0] == 403
    assert fetch("HEAD", path, **basic())[0] == 200


@pytest.mark.parametrize("path", [VMX, DISK])
def test_files_of_vms_are_not_replaced(fetch: Fetch, path: str, simulator: Simulator) -> None:
    assert fetch("PUT", path, b"mine", **basic())[0] == 500
    assert fetch("DELETE", path, **basic())[0] == 500
    assert fetch("HEAD", path, **basic())[0] == 200


def test_files_are_stored_replaced_returned_and_removed(fetch: Fetch, client: Client) -> None:
    path, cookie = f"/folder/{quote('a b%2f.txt')}{PLACE}", {"Cookie": client.cookie}
    assert fetch("GET", path, **cookie)[0] == 404
    before = client.find(vim.Datastore, "isos").summary.freeSpace
    assert fetch("PUT", path, b"one", **cookie)[0] == 201
    assert fetch("PUT", path, b"three", **cookie)[0] == 200
    assert fetch("GET", path, **cookie) == (200, b"three")
    assert client.find(vim.Datastore, "isos").summary.freeSpace == before - 5
    assert fetch("DELETE", path, **cookie)[0] == 204
    assert fetch("DELETE", path, **cookie)[0] == 404
    assert client.find(vim.Datastore, "isos").summary.freeSpace == before


def test_an_upload_that_is_cut_off_leaves_nothing(
    server: Server, trusting: ssl.SSLContext, fetch: Fetch, simulator: Simulator
) -> None:
    (header,) = basic().values()
    request = (
        f"PUT /folder/cut.iso{PLACE} HTTP/1.1\r\nHost: a\r\n"
        f"Authorization: {header}\r\nContent-Length: 100\r\n\r\nhalf"
    )
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(request.encode())
        secured.unwrap()
    assert fetch("GET", f"/folder/cut.iso{PLACE}", **basic())[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/folder/debian-12.iso",
        "/folder/debian-12.iso?dsName=isos",
        "/folder/debian-12.iso?dcPath=DC0",
        "/folder/debian-12.iso?dcPath=none&dsName=isos",
        "/folder/debian-12.iso?dcPath=DC0&dsName=none",
        f"/folder/none/debian-12.iso{PLACE}",
        f"/folder/../isos/debian-12.iso{PLACE}",
        f"/folder/vm-0{PLACE.replace('isos', 'shared-1')}",
        f"/folder/{PLACE}",
    ],
)
def test_what_is_not_there(fetch: Fetch, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status = fetch(method, path, b"", **basic())[0]
        assert status == 404, method


def test_a_configuration_file_shows_the_configuration(fetch: Fetch, client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(annotation='a "b"\nc', memoryMB=2_048)))
    status, body = fetch("GET", VMX, **basic())
    lines = dict(line.split(" = ", 1) for line in body.decode().splitlines())
    assert status == 200
    assert lines["annotation"] == '"a |22b|22|0Ac"'
    assert (lines["displayName"], lines["memSize"]) == ('"vm-0"', '"2048"')
    assert lines["scsi0:0.fileName"] == '"vm-0.vmdk"'
    assert lines["ethernet0.networkName"] == '"VM Network"'
    assert fetch("GET", VMX.replace("vm-0", "vm-1"), **basic())[0] == 200


def test_a_disk_that_a_vm_writes_to_is_locked(fetch: Fetch, client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    assert fetch("GET", DISK, **basic())[0] == 500
    assert fetch("GET", VMX, **basic())[0] == 200
