"""Copies of disks in the vSphere simulator: what was sent to a disk is in each copy of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, device, new_disk, of_kind, remove
from simulators.vsphere_tests.leases import disk_urls, qemu_img, random_disk, ready, transfer
from simulators.vsphere_tests.test_imports import begin, packed
from simulators.vsphere_tests.waiting import result

pytestmark = pytest.mark.usefixtures("lease_server")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Give what the disk of the imported VM contains."""
    return random_disk(tmp_path)


@pytest.fixture
def imported(client: Client, raw: Path) -> Any:
    """Give a VM whose disk has content."""
    lease = ready(client, begin(client))
    assert transfer(disk_urls(lease)[0], "PUT", packed(raw))[0] == 201
    lease.HttpNfcLeaseComplete()
    return lease.info.entity


def check_same(client: Client, vm: Any, raw: Path) -> None:
    """Check that an export has what a raw disk has."""
    lease = ready(client, vm.ExportVm())
    exported = raw.with_name("exported.vmdk")
    exported.write_bytes(transfer(disk_urls(lease)[0])[1])
    qemu_img("compare", "-f", "raw", "-F", "vmdk", raw, exported)
    lease.HttpNfcLeaseComplete()


def clone_vm(client: Client, vm: Any) -> Any:
    location = vim.vm.RelocateSpec()
    return result(client, vm.CloneVM_Task(vm.parent, "copy", vim.vm.CloneSpec(location=location)))


def copy_folder(client: Client, vm: Any) -> Any:
    folder, name = _folder(vm)
    manager = client.content.fileManager
    result(client, manager.CopyFile(folder, _datacenter(client), f"{folder}-copy"))
    return result(client, vm.parent.RegisterVm(f"{folder}-copy/{name}", "copy", False, vm.resourcePool))


def move_folder(client: Client, vm: Any) -> Any:
    folder, name = _folder(vm)
    parent, pool, manager = vm.parent, vm.resourcePool, client.content.fileManager
    vm.Unregister()
    result(client, manager.MoveFile(folder, _datacenter(client), f"{folder}-copy"))
    return result(client, parent.RegisterVm(f"{folder}-copy/{name}", "copy", False, pool))


def _folder(vm: Any) -> tuple[str, str]:
    folder, _, name = vm.config.files.vmPathName.rpartition("/")
    return folder, name


def _datacenter(client: Client) -> Any:
    return client.content.rootFolder.childEntity[0]


def copy_disk(client: Client, vm: Any) -> Any:
    """Let another VM have a copy of the disk alone."""
    disk, other = of_kind(vm, device.VirtualDisk)[0], client.vm("vm-0")
    copied = f"{_folder(other)[0]}/copy.vmdk"
    manager = client.content.virtualDiskManager
    result(client, manager.CopyVirtualDisk_Task(disk.backing.fileName, _datacenter(client), copied))
    return _with_disk(client, other, copied)


def _with_disk(client: Client, vm: Any, path: str) -> Any:
    """Let a VM have one disk."""
    old = [remove(each) for each in of_kind(vm, device.VirtualDisk)]
    result(client, vm.Reconfigure(change(*old, add(new_disk(file=path)))))
    return vm


Copy = Callable[[Client, Any], Any]


@pytest.mark.parametrize("copy", [clone_vm, copy_folder, move_folder, copy_disk])
def test_a_copy_has_the_same_content(client: Client, imported: Any, raw: Path, copy: Copy) -> None:
    check_same(client, copy(client, imported), raw)


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_disk_is_copied_with_its_snapshots(client: Client, imported: Any, raw: Path) -> None:
    result(client, imported.CreateSnapshot_Task("a", None, False, False))
    made = copy_disk(client, imported)
    result(client, imported.Destroy_Task())
    check_same(client, made, raw)
    (disk,) = of_kind(made, device.VirtualDisk)
    assert disk.capacityInBytes == raw.stat().st_size
