"""``FileManager`` of the vSphere simulator: it never takes a file from a VM."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.files import File
from simulators.vsphere.products import ESXI
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result

Act = Callable[[], Any]
TIB = 1_024**4
DISK, ISO, COPY = "[shared-1] vm-0/vm-0.vmdk", "[isos] debian-12.iso", "[isos] copy.iso"
OTHER, CONFIGURATION = "[isos] guest-tools.iso", "[shared-1] vm-1/vm-1.vmx"


@pytest.fixture
def manager(client: Client) -> Any:
    return client.content.fileManager


@pytest.fixture
def datacenter(client: Client) -> Any:
    return client.content.rootFolder.childEntity[0]


def free(client: Client, name: str) -> int:
    size: int = client.find(vim.Datastore, name).summary.freeSpace
    return size


def exists(simulator: Simulator, name: str) -> bool:
    label, path = name[1:].split("] ")
    with simulator.database.lock:
        store = simulator.database.by_name(vim.Datastore, label)
        return path in simulator.files.all(store.id)


@pytest.mark.parametrize("name", [DISK, "[shared-1] vm-0", CONFIGURATION])
def test_files_of_vms_stay(
    client: Client, manager: Any, datacenter: Any, simulator: Simulator, name: str
) -> None:
    state = client.find(vim.Datastore, "shared-1").summary.freeSpace
    for task in (
        manager.DeleteFile(name, datacenter),
        manager.MoveFile(name, datacenter, "[shared-1] moved", datacenter),
        manager.CopyFile(ISO, datacenter, name, datacenter, force=True),
    ):
        fault = error(client, task)
        assert isinstance(fault, vim.fault.FileLocked | vim.fault.FileAlreadyExists), fault
    assert free(client, "shared-1") == state
    assert exists(simulator, DISK)
    assert exists(simulator, CONFIGURATION)


def test_the_base_of_a_snapshot_stays(client: Client, manager: Any, datacenter: Any, vm: Any) -> None:
    result(client, vm.CreateSnapshot_Task("a", None, False, False))
    assert isinstance(error(client, manager.DeleteFile(DISK, datacenter)), vim.fault.FileLocked)


def test_a_whole_datastore_is_not_removed(client: Client, manager: Any, datacenter: Any) -> None:
    fault = error(client, manager.DeleteFile("[isos]", datacenter))
    assert isinstance(fault, vim.fault.InvalidDatastorePath)
    with pytest.raises(vim.fault.InvalidDatastorePath):
        manager.DeleteFile("[isos] ../shared-1", datacenter)


def test_a_copy_that_exists_is_replaced_only_if_forced(
    client: Client, manager: Any, datacenter: Any, simulator: Simulator
) -> None:
    before = free(client, "isos")
    result(client, manager.CopyFile(ISO, datacenter, COPY))
    assert free(client, "isos") == before - 1_024**3
    for name in ("CopyFile", "MoveFile"):
        fault = error(client, getattr(manager, name)(ISO, datacenter, COPY))
        assert isinstance(fault, vim.fault.FileAlreadyExists)
        fault = error(client, getattr(manager, name)(ISO, datacenter, ISO, force=True))
        assert isinstance(fault, vim.fault.FileAlreadyExists)
    assert exists(simulator, ISO)
    result(client, manager.MoveFile(ISO, datacenter, COPY, force=True))
    assert not exists(simulator, ISO)
    assert free(client, "isos") == before
    result(client, manager.DeleteFile(COPY, datacenter))
    assert isinstance(error(client, manager.DeleteFile(COPY, datacenter)), vim.fault.FileNotFound)


def test_a_copy_that_does_not_fit_leaves_nothing(
    client: Client, manager: Any, datacenter: Any, simulator: Simulator
) -> None:
    with simulator.database.lock:
        store = simulator.database.by_name(vim.Datastore, "shared-1")
        simulator.files.add(store.id, "large/a", File("other", 2 * TIB))
    before = free(client, "isos"), free(client, "shared-1")
    for call in (manager.CopyFile, manager.MoveFile):
        task = call("[shared-1] large/a", datacenter, OTHER, force=True)
        fault = error(client, task)
        assert isinstance(fault, vim.fault.NoDiskSpace)
        assert (fault.file, fault.datastore) == (OTHER, "isos")
    assert before == (free(client, "isos"), free(client, "shared-1"))
    assert exists(simulator, OTHER)


def test_folders_are_made_moved_and_removed(
    client: Client, manager: Any, datacenter: Any, simulator: Simulator
) -> None:
    with pytest.raises(vim.fault.FileNotFound):
        manager.MakeDirectory("[isos] a/b", datacenter)
    manager.MakeDirectory("[isos] a/b", datacenter, True)
    for name in ("[isos] a", "[isos] a/b/", ISO):
        with pytest.raises(vim.fault.FileAlreadyExists):
            manager.MakeDirectory(name, datacenter)
    with pytest.raises(vim.fault.FileNotFound):
        manager.MakeDirectory(f"{ISO}/a", datacenter, True)
    result(client, manager.CopyFile(ISO, datacenter, "[isos] a/b/c.iso"))
    fault = error(client, manager.MoveFile("[isos] a", datacenter, "[isos] a/b/d"))
    assert isinstance(fault, vim.fault.InvalidDatastorePath)
    result(client, manager.MoveFile("[isos] a", datacenter, "[isos] z"))
    assert not exists(simulator, "[isos] a/b/c.iso")
    assert exists(simulator, "[isos] z/b/c.iso")
    result(client, manager.DeleteFile("[isos] z/b/c.iso", datacenter))
    assert exists(simulator, "[isos] z/b")
    result(client, manager.DeleteFile("[isos] z", datacenter))
    assert not exists(simulator, "[isos] z/b")


def test_a_disk_that_a_vm_writes_to_is_not_copied(
    client: Client, manager: Any, datacenter: Any, vm: Any
) -> None:
    result(client, vm.PowerOn())
    fault = error(client, manager.CopyFile(DISK, datacenter, "[shared-1] copy.vmdk"))
    assert isinstance(fault, vim.fault.FileLocked)


@pytest.mark.parametrize(
    ("source", "target"), [("[isos] none.iso", COPY), (ISO, "[isos] none/a.iso"), (ISO, f"{OTHER}/a")]
)
def test_what_is_not_there(client: Client, manager: Any, datacenter: Any, source: str, target: str) -> None:
    for call in (manager.CopyFile, manager.MoveFile):
        assert isinstance(error(client, call(source, datacenter, target)), vim.fault.FileNotFound)


def test_vcenter_needs_the_datacenter(manager: Any) -> None:
    acts: tuple[Act, ...] = (
        lambda: manager.DeleteFile(ISO),
        lambda: manager.MakeDirectory("[isos] a"),
        lambda: manager.CopyFile(ISO, None, COPY),
    )
    for act in acts:
        with pytest.raises(vmodl.fault.InvalidArgument):
            act()


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_does_not(client: Client, manager: Any) -> None:
    manager.MakeDirectory("[datastore1] iso/new")
    result(client, manager.DeleteFile("[datastore1] iso"))
    found = result(client, client.find(vim.Datastore, "datastore1").browser.Search("[datastore1]"))
    assert [each.path for each in found.file] == ["vm-0", "vm-1", "vm-2"]


@pytest.mark.parametrize("product", [ESXI])
def test_a_folder_goes_with_its_files(client: Client, manager: Any, simulator: Simulator) -> None:
    with simulator.database.lock:
        store = simulator.database.by_name(vim.Datastore, "datastore1")
        simulator.files.add(store.id, "a/b/c", File("other"))
    result(client, manager.DeleteFile("[datastore1] a"))
    assert not exists(simulator, "[datastore1] a/b")


def test_a_reader_may_not_touch_files(connect: Any) -> None:
    client = connect("reader@vsphere.local")
    manager, datacenter = client.content.fileManager, client.content.rootFolder.childEntity[0]
    acts: tuple[Act, ...] = (
        lambda: manager.DeleteFile(ISO, datacenter),
        lambda: manager.MakeDirectory("[isos] a", datacenter),
        lambda: manager.MoveFile(ISO, datacenter, COPY),
        lambda: manager.CopyFile(ISO, datacenter, COPY),
    )
    for act in acts:
        with pytest.raises(vim.fault.NoPermission):
            act()
