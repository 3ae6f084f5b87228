"""``VirtualDiskManager`` of the vSphere simulator: a lone ESXi host clones with it."""

from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result

pytestmark = pytest.mark.parametrize("product", [ESXI])
SOURCE, COPY = "[datastore1] vm-0/vm-0.vmdk", "[datastore1] vm-0/copy.vmdk"


@pytest.fixture
def manager(client: Client) -> Any:
    return client.content.virtualDiskManager


def free(client: Client) -> int:
    (summary,) = client.values(vim.Datastore, "summary")
    size: int = summary.freeSpace
    return size


def test_a_disk_is_copied_and_removed(client: Client, manager: Any) -> None:
    before = free(client)
    result(client, manager.CopyVirtualDisk_Task(SOURCE, None, COPY))
    assert free(client) < before
    fault = error(client, manager.CopyVirtualDisk_Task(SOURCE, None, COPY))
    assert isinstance(fault, vim.fault.FileAlreadyExists)
    result(client, manager.CopyVirtualDisk_Task(SOURCE, None, COPY, force=True))
    result(client, manager.DeleteVirtualDisk_Task(COPY))
    assert free(client) == before
    assert isinstance(error(client, manager.DeleteVirtualDisk_Task(COPY)), vim.fault.FileNotFound)


@pytest.mark.parametrize("separator", [" ", ""])
def test_disks_of_vms_stay(client: Client, manager: Any, separator: str) -> None:
    before = free(client)
    source, other = f"[datastore1]{separator}vm-0/vm-0.vmdk", f"[datastore1]{separator}vm-1/vm-1.vmdk"
    assert isinstance(error(client, manager.DeleteVirtualDisk_Task(source)), vim.fault.FileLocked)
    fault = error(client, manager.CopyVirtualDisk_Task(SOURCE, None, other, force=True))
    assert isinstance(fault, vim.fault.FileLocked)
    result(client, client.vm("vm-0").CreateSnapshot_Task("a", None, False, False))
    assert isinstance(error(client, manager.DeleteVirtualDisk_Task(SOURCE)), vim.fault.FileLocked)
    result(client, client.vm("vm-0").RemoveAllSnapshots_Task())
    assert free(client) == before


def test_a_disk_of_a_vm_that_runs_is_locked(client: Client, manager: Any, vm: Any) -> None:
    result(client, vm.PowerOn())
    for source in (SOURCE, SOURCE.replace(" ", "")):
        fault = error(client, manager.CopyVirtualDisk_Task(source, None, COPY))
        assert isinstance(fault, vim.fault.FileLocked)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("[datastore1] vm-0/none.vmdk", COPY),
        (SOURCE, "[datastore1] none/copy.vmdk"),
        ("[datastore1] vm-0/vm-0.vmx", COPY),
    ],
)
def test_what_is_not_there(client: Client, manager: Any, source: str, target: str) -> None:
    fault = error(client, manager.CopyVirtualDisk_Task(source, None, target))
    assert isinstance(fault, vim.fault.FileNotFound)


def test_a_path_without_its_datastore(manager: Any) -> None:
    for name in ("[none] a.vmdk", "a.vmdk"):
        with pytest.raises(vim.fault.InvalidDatastorePath):
            manager.DeleteVirtualDisk_Task(name)


def test_a_reader_may_not_touch_disks(connect: Any) -> None:
    manager = connect("reader").content.virtualDiskManager
    with pytest.raises(vim.fault.NoPermission):
        manager.DeleteVirtualDisk_Task(SOURCE)
    with pytest.raises(vim.fault.NoPermission):
        manager.CopyVirtualDisk_Task(SOURCE, None, COPY)
