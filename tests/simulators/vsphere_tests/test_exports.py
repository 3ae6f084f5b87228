"""``ExportVm`` of the vSphere simulator, and the leases that it begins."""

import zlib
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.nfc_server import NfcServer
from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere.vmdk import GRAIN_BYTES
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.leases import MIB, disk_urls, qemu_img, random_disk, ready, transfer
from simulators.vsphere_tests.waiting import error, result, wait_until

pytestmark = pytest.mark.usefixtures("lease_server")


def fill(simulator: Simulator, path: str, disk: Path) -> None:
    """Let a file of the simulator have the content of a raw disk."""
    with simulator.database.lock:
        stores = [each.id for each in simulator.database.all(vim.Datastore)]
        (file,) = filter(None, (simulator.files.find(store, path) for store in stores))
        data = disk.read_bytes()
        file.capacity_bytes = len(data)
        pieces = {at: data[at : at + GRAIN_BYTES] for at in range(0, len(data), GRAIN_BYTES)}
        file.grains = {at // GRAIN_BYTES: zlib.compress(each) for at, each in pieces.items() if any(each)}


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_disk_is_fetched(
    client: Client, vm: Any, simulator: Simulator, tmp_path: Path, lease_server: NfcServer
) -> None:
    raw = random_disk(tmp_path, 40 * MIB)  # more than a table of grains
    fill(simulator, "vm-0/vm-0.vmdk", raw)
    lease = ready(client, vm.ExportVm())
    assert (lease.info.entity, lease.info.lease, lease.info.leaseTimeout) == (vm, lease, 300)
    first, second = disk_urls(lease)
    host = "127.0.0.1" if simulator.product.is_vcenter else "*"
    assert first.url.startswith(f"https://{host}:{lease_server.port}/nfc/")
    assert first.key == f"/{vm._moId}/ParaVirtualSCSIController0:0"
    assert (first.fileSize, second.fileSize) == (None, None)
    status, data = transfer(first)
    assert status == 200
    (tmp_path / "disk.vmdk").write_bytes(data)
    qemu_img("compare", "-f", "raw", "-F", "vmdk", raw, tmp_path / "disk.vmdk")
    (entry,) = lease.HttpNfcLeaseGetManifest()
    assert (entry.key, entry.size, entry.disk, entry.capacity) == (first.key, len(data), True, 40 * MIB)
    lease.HttpNfcLeaseProgress(100)
    assert lease.transferProgress == 100
    lease.HttpNfcLeaseComplete()
    assert lease.state == "done"
    assert transfer(first)[0] == 404
    assert result(client, vm.PowerOn()) is None


def test_an_empty_disk_is_fetched(client: Client, vm: Any, tmp_path: Path) -> None:
    lease = ready(client, vm.ExportVm())
    (tmp_path / "disk.vmdk").write_bytes(transfer(disk_urls(lease)[0])[1])
    with (tmp_path / "empty.raw").open("wb") as file:
        file.truncate(8 * 1024 * MIB)
    qemu_img("compare", "-f", "raw", "-F", "vmdk", tmp_path / "empty.raw", tmp_path / "disk.vmdk")
    lease.HttpNfcLeaseAbort()


def test_a_disk_with_snapshots_and_the_firmware_are_fetched(
    client: Client, vm: Any, simulator: Simulator, tmp_path: Path
) -> None:
    raw = random_disk(tmp_path)
    fill(simulator, "vm-0/vm-0.vmdk", raw)
    result(client, vm.CreateSnapshot_Task("a", None, False, False))
    with simulator.database.lock:  # what a guest would grow together with the root of the chain
        for store in simulator.database.all(vim.Datastore):
            delta = simulator.files.find(store.id, "vm-0/vm-0-000001.vmdk")
            if delta is not None:
                delta.capacity_bytes = 4 * MIB
    lease = ready(client, vm.ExportVm())
    (tmp_path / "disk.vmdk").write_bytes(transfer(disk_urls(lease)[0])[1])
    qemu_img("compare", "-f", "raw", "-F", "vmdk", raw, tmp_path / "disk.vmdk")
    (settings,) = [each for each in lease.info.deviceUrl if not each.disk]
    assert len(transfer(settings)[1]) == settings.fileSize == 8_684
    lease.HttpNfcLeaseComplete()


def test_a_vm_that_runs_is_not_exported(client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    with pytest.raises(vim.fault.InvalidPowerState):
        vm.ExportVm()
    result(client, vm.Suspend())
    ready(client, vm.ExportVm()).HttpNfcLeaseAbort()


def test_a_vm_with_a_lease_is_busy(client: Client, vm: Any, fetch: Any) -> None:
    lease = ready(client, vm.ExportVm())
    with pytest.raises(vim.fault.TaskInProgress):
        vm.ExportVm()
    assert isinstance(error(client, vm.PowerOn()), vim.fault.TaskInProgress)
    assert isinstance(error(client, vm.Destroy_Task()), vim.fault.TaskInProgress)
    assert (
        b'"leases":[{"vm":"vm-0","state":"ready","direction":"export"}]'
        in fetch("GET", "/simulator/state")[1]
    )
    lease.HttpNfcLeaseComplete()
    assert b'"leases":[]' in fetch("GET", "/simulator/state")[1]
    ready(client, vm.ExportVm()).HttpNfcLeaseAbort()


def test_a_lease_begins_without_addresses(client: Client, vm: Any, fetch: Any) -> None:
    assert fetch("POST", "/simulator/options", {"task_seconds": 20}) == (204, b"")
    lease = vm.ExportVm()
    assert (lease.state, lease.info) == ("initializing", None)
    with pytest.raises(vim.fault.InvalidState):
        lease.HttpNfcLeaseComplete()
    lease.HttpNfcLeaseAbort()
    assert lease.state == "error"


def test_an_ended_lease(client: Client, vm: Any) -> None:
    lease = ready(client, vm.ExportVm())
    device = disk_urls(lease)[0]
    lease.HttpNfcLeaseAbort(vmodl.fault.SystemError(reason="r"))
    assert (lease.state, lease.error.reason) == ("error", "r")
    for call in (lease.HttpNfcLeaseAbort, lease.HttpNfcLeaseComplete, lease.HttpNfcLeaseGetManifest):
        with pytest.raises(vim.fault.InvalidState):
            call()
    with pytest.raises(vim.fault.Timedout):
        lease.HttpNfcLeaseProgress(1)
    assert transfer(device)[0] == 404


def test_a_lease_expires(client: Client, vm: Any, fetch: Any) -> None:
    assert fetch("POST", "/simulator/options", {"lease_seconds": 0.01}) == (204, b"")
    lease = vm.ExportVm()
    wait_until(client, lease, "state", "error")
    assert isinstance(lease.error, vim.fault.Timedout)
    assert lease.info.leaseTimeout == 1
    for call in (lease.HttpNfcLeaseComplete, lease.HttpNfcLeaseAbort):
        with pytest.raises(vim.fault.Timedout):
            call()
    assert vm.name == "vm-0"
    assert result(client, vm.PowerOn()) is None


def test_progress_keeps_a_lease(client: Client, vm: Any, simulator: Simulator) -> None:
    lease = ready(client, vm.ExportVm())
    with simulator.database.lock:
        (own,) = [simulator.leases.get(each) for each in simulator.database.all(vim.HttpNfcLease)]
        before = own.deadline
    lease.HttpNfcLeaseProgress(1)
    assert own.deadline > before
    with pytest.raises(vmodl.fault.InvalidArgument):
        lease.HttpNfcLeaseProgress(101)
    lease.HttpNfcLeaseAbort()


@pytest.mark.parametrize(
    "path", ["/nfc/none/disk-0.vmdk", "/nfc", "/", "/nfc/{}/disk-9.vmdk", "/nfc/{}/../a"]
)
def test_other_addresses(client: Client, vm: Any, path: str) -> None:
    lease = ready(client, vm.ExportVm())
    device = disk_urls(lease)[0]
    ticket = device.url.split("/")[4]
    assert transfer(device, path=path.format(ticket))[0] == 404
    lease.HttpNfcLeaseAbort()


def test_a_missing_file(client: Client, vm: Any, simulator: Simulator) -> None:
    store = vm.datastore[0]._moId
    simulator.files.remove(store, "vm-0/vm-0.vmdk")
    with pytest.raises(vim.fault.FileNotFound):
        vm.ExportVm()


def test_a_reader_exports_nothing(client: Client, connect: Any, vm: Any) -> None:
    reader = connect("reader@vsphere.local")
    with pytest.raises(vim.fault.NoPermission):
        reader.vm("vm-0").ExportVm()
    lease = ready(client, vm.ExportVm())
    with pytest.raises(vim.fault.NoPermission):
        vim.HttpNfcLease(lease._moId, reader.stub).HttpNfcLeaseAbort()
    assert lease.state == "ready"
    lease.HttpNfcLeaseComplete()
