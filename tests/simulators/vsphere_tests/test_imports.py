"""``ImportVApp`` of the vSphere simulator, and what is sent to its leases."""

import gc
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.files import File
from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, new_disk
from simulators.vsphere_tests.leases import MIB, disk_urls, qemu_img, random_disk, ready, transfer
from simulators.vsphere_tests.test_creation import CONTROLLER, files, place
from simulators.vsphere_tests.waiting import error, result, wait_until

pytestmark = pytest.mark.usefixtures("lease_server")


def begin(client: Client, *, thin: bool = True, size: int = 4 * MIB, name: str = "imported") -> Any:
    """Begin an import, and return its lease."""
    folder, pool = place(client)
    store = client.vm("vm-0").datastore[0].name
    changes = [add(CONTROLLER), add(new_disk(size, controller=-10, thin=thin), "create")]
    wanted = change(*changes, name=name, files=vim.vm.FileInfo(vmPathName=f"[{store}]"))
    return pool.ImportVApp(vim.vm.VmImportSpec(configSpec=wanted), folder)


def packed(raw: Path) -> bytes:
    """Return a raw disk as a stream-optimized VMDK."""
    target = raw.with_suffix(".vmdk")
    options = ("-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized")
    qemu_img("convert", *options, raw, target)
    return target.read_bytes()


def names(client: Client) -> list[str]:
    """Return the names of all VMs."""
    return client.values(vim.VirtualMachine, "name")


@pytest.mark.parametrize("product", [VCENTER, ESXI])
@pytest.mark.parametrize(("verb", "status"), [("POST", 200), ("PUT", 201)])
def test_a_vm_is_imported(client: Client, tmp_path: Path, verb: str, status: int) -> None:
    raw = random_disk(tmp_path)
    lease = ready(client, begin(client))
    (device,) = disk_urls(lease)
    assert device.importKey == "/imported/ParaVirtualSCSIController0:0"
    assert transfer(device)[0] == 404
    assert transfer(device, verb, packed(raw))[0] == status
    lease.HttpNfcLeaseComplete()
    vm = lease.info.entity
    assert vm.name == "imported"
    export = ready(client, vm.ExportVm())
    (tmp_path / "back.vmdk").write_bytes(transfer(disk_urls(export)[0])[1])
    qemu_img("compare", "-f", "raw", "-F", "vmdk", raw, tmp_path / "back.vmdk")
    export.HttpNfcLeaseComplete()
    result(client, vm.Destroy_Task())


def test_a_disk_that_is_deleted_takes_no_memory(client: Client, tmp_path: Path) -> None:
    before = disks_in_memory()
    first = ready(client, begin(client))
    transfer(disk_urls(first)[0], "PUT", packed(random_disk(tmp_path)))
    first.HttpNfcLeaseComplete()
    vm = first.info.entity
    export = ready(client, vm.ExportVm())
    assert disks_in_memory() == before + 1
    export.HttpNfcLeaseComplete()
    result(client, vm.Destroy_Task())
    assert disks_in_memory() == before


def disks_in_memory() -> int:
    """Return how many disks have content, also those that no datastore has any more."""
    gc.collect()
    return sum(isinstance(each, File) and bool(each.grains) for each in gc.get_objects())


def test_what_was_fetched_is_sent_in_chunks(client: Client, vm: Any, tmp_path: Path) -> None:
    raw = random_disk(tmp_path)
    first = ready(client, begin(client))
    transfer(disk_urls(first)[0], "PUT", packed(raw))
    first.HttpNfcLeaseComplete()
    export = ready(client, first.info.entity.ExportVm())
    data = transfer(disk_urls(export)[0])[1]
    export.HttpNfcLeaseComplete()
    second = ready(client, begin(client, name="again"))
    pieces = iter([data[:100], data[100:70_000], data[70_000:]])
    assert transfer(disk_urls(second)[0], "POST", pieces)[0] == 200
    second.HttpNfcLeaseComplete()
    again = ready(client, second.info.entity.ExportVm())
    assert transfer(disk_urls(again)[0])[1] == data
    again.HttpNfcLeaseComplete()


def test_the_vm_is_busy_and_ends_with_the_lease(client: Client, simulator: Simulator, tmp_path: Path) -> None:
    before = files(simulator), sorted(names(client))
    lease = ready(client, begin(client))
    vm = lease.info.entity
    assert isinstance(error(client, vm.PowerOn()), vim.fault.TaskInProgress)
    assert transfer(disk_urls(lease)[0], "PUT", packed(random_disk(tmp_path)))[0] == 201
    lease.HttpNfcLeaseAbort()
    assert (files(simulator), sorted(names(client))) == before
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vm.name


def test_an_aborted_import_removes_what_is_left_of_it(client: Client, simulator: Simulator) -> None:
    before = files(simulator), sorted(names(client))
    lease = ready(client, begin(client))
    with simulator.database.lock:
        store = simulator.database.by_name(vim.Datastore, "shared-1").id
        simulator.files.remove(store, "imported/imported.vmdk")
        simulator.files.remove(store, "imported/imported.nvram")
        simulator.files.add(store, "imported/imported.nvram", File("other"))  # somebody else's
    lease.HttpNfcLeaseAbort()
    assert lease.state == "error"
    assert sorted(names(client)) == before[1]
    assert set(files(simulator)) - set(before[0]) == {"[shared-1] imported/imported.nvram"}


def test_an_expired_lease_takes_its_vm_along(client: Client, simulator: Simulator, fetch: Any) -> None:
    before = files(simulator), sorted(names(client))
    assert fetch("POST", "/simulator/options", {"lease_seconds": 0.01}) == (204, b"")
    lease = begin(client)
    wait_until(client, lease, "state", "error")
    assert isinstance(lease.error, vim.fault.Timedout)
    assert (files(simulator), sorted(names(client))) == before


def test_an_import_that_was_never_ready(client: Client, simulator: Simulator, fetch: Any) -> None:
    before = files(simulator)
    assert fetch("POST", "/simulator/options", {"task_seconds": 20}) == (204, b"")
    begin(client).HttpNfcLeaseAbort()
    assert files(simulator) == before


@pytest.mark.parametrize("damage", ["nothing", "raw", "cut", "grain", "too large"])
def test_what_is_no_disk_ends_the_import(
    client: Client, simulator: Simulator, tmp_path: Path, damage: str
) -> None:
    before = files(simulator)
    raw = random_disk(tmp_path, 8 * MIB if damage == "too large" else 4 * MIB)
    data = (
        {"nothing": b"", "raw": raw.read_bytes()}.get(damage) if damage in ("nothing", "raw") else packed(raw)
    )
    assert data is not None
    if damage == "cut":
        data = data[: len(data) // 2 + 100]
    elif damage == "grain":
        data = data[: 128 * 512 + 40] + b"\xff" * 100 + data[128 * 512 + 140 :]
    lease = ready(client, begin(client))
    assert transfer(disk_urls(lease)[0], "PUT", data)[0] == 500
    assert lease.state == "error"
    assert files(simulator) == before


def test_an_upload_that_breaks_off_ends_the_import(
    client: Client, simulator: Simulator, tmp_path: Path
) -> None:
    before = files(simulator)
    lease = ready(client, begin(client))
    data = packed(random_disk(tmp_path))
    url = urlsplit(disk_urls(lease)[0].url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head = f"PUT {url.path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    plain = socket.create_connection(("127.0.0.1", url.port or 0), 20)
    with context.wrap_socket(plain) as secured:
        secured.sendall(head + data[:100_000])
    wait_until(client, lease, "state", "error")
    assert files(simulator) == before


def test_disks_need_space(client: Client, simulator: Simulator, tmp_path: Path) -> None:
    before = files(simulator)
    lease = ready(client, begin(client))
    store = client.vm("vm-0").datastore[0]._moId
    with simulator.database.lock:
        free = simulator.files.free(store)
        simulator.files.resize(store, "vm-0/vm-0.nvram", 8_684 + free)
    assert transfer(disk_urls(lease)[0], "PUT", packed(random_disk(tmp_path)))[0] == 500
    assert isinstance(lease.error, vim.fault.NoDiskSpace)
    assert files(simulator) == before


def test_an_import_is_complete_when_the_client_says_so(client: Client) -> None:
    lease = ready(client, begin(client))
    lease.HttpNfcLeaseComplete()
    assert "imported" in names(client)


def test_names_and_rights(client: Client, connect: Any, simulator: Simulator) -> None:
    before = files(simulator)
    with pytest.raises(vim.fault.DuplicateName):
        begin(client, name="vm-0")
    with pytest.raises(vim.fault.NoPermission):
        begin(connect("reader@vsphere.local"))
    folder, pool = place(client)
    with pytest.raises(vmodl.fault.InvalidArgument):
        pool.ImportVApp(vim.vm.VmImportSpec(configSpec=change(name="a")), folder)
    assert files(simulator) == before
