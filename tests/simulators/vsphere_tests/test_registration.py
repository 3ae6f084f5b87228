"""``RegisterVM_Task`` of the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Fetch
from simulators.vsphere_tests.devices import device, of_kind
from simulators.vsphere_tests.waiting import error, result

VMX = "[shared-1] vm-0/vm-0.vmx"


@pytest.fixture
def datacenter(client: Client) -> Any:
    return client.content.rootFolder.childEntity[0]


@pytest.fixture
def folder(datacenter: Any) -> Any:
    return datacenter.vmFolder


@pytest.fixture
def pool(vm: Any) -> Any:
    return vm.resourcePool


def register(folder: Any, path: str, pool: Any, name: str | None = None, **others: Any) -> Any:
    return folder.RegisterVm(path, name, others.pop("template", False), pool, others.pop("host", None))


def test_a_vm_that_was_unregistered_comes_back(client: Client, vm: Any, folder: Any, pool: Any) -> None:
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(annotation="kept", memoryMB=2_048)))
    instance, disks = (
        vm.config.instanceUuid,
        [disk.backing.fileName for disk in of_kind(vm, device.VirtualDisk)],
    )
    fault = error(client, register(folder, VMX, pool))
    assert isinstance(fault, vim.fault.AlreadyExists)
    vm.Unregister()
    made = result(client, register(folder, VMX, pool))
    assert (made.name, made.config.annotation, made.config.hardware.memoryMB) == ("vm-0", "kept", 2_048)
    assert made.config.instanceUuid == instance
    assert [disk.backing.fileName for disk in of_kind(made, device.VirtualDisk)] == disks
    assert made.runtime.powerState == "poweredOff"
    assert [each.name for each in made.network] == ["VM Network"]
    result(client, made.PowerOn())


def test_a_folder_that_was_copied_is_another_vm(
    client: Client, *, vm: Any, folder: Any, pool: Any, datacenter: Any, simulator: Simulator
) -> None:
    manager = client.content.fileManager
    result(client, manager.CopyFile("[shared-1] vm-0", datacenter, "[shared-1] twin"))
    twin = result(client, register(folder, "[shared-1] twin/vm-0.vmx", pool, "a/twin"))
    assert (twin.name, twin.config.name) == ("a%2ftwin", "a%2ftwin")
    assert twin.config.uuid == vm.config.uuid
    assert twin.config.instanceUuid != vm.config.instanceUuid
    own = [disk.backing.fileName for disk in of_kind(twin, device.VirtualDisk)]
    assert own == ["[shared-1] twin/vm-0.vmdk", "[shared-1] twin/vm-0_1.vmdk"]
    result(client, vm.PowerOn())
    result(client, twin.PowerOn())
    result(client, twin.PowerOff())
    result(client, twin.Destroy())
    assert vm.runtime.powerState == "poweredOn"
    with simulator.database.lock:
        store = simulator.database.by_name(vim.Datastore, "shared-1")
        names = set(simulator.files.all(store.id))
    assert "vm-0/vm-0.vmdk" in names
    assert not any(name.startswith("twin") for name in names)


def test_a_vm_without_its_disk_does_not_start(
    client: Client, vm: Any, folder: Any, pool: Any, datacenter: Any
) -> None:
    vm.Unregister()
    result(client, client.content.fileManager.DeleteFile("[shared-1] vm-0/vm-0.vmdk", datacenter))
    made = result(client, register(folder, VMX, pool))
    fault = error(client, made.PowerOn())
    assert isinstance(fault, vim.fault.FileNotFound)
    assert fault.file == "[shared-1] vm-0/vm-0.vmdk"


def test_a_template_is_registered(client: Client, folder: Any) -> None:
    template = client.vm("debian-12")
    path = template.config.files.vmPathName
    template.Unregister()
    with pytest.raises(vmodl.fault.InvalidArgument):
        register(folder, path, None, template=True)
    made = result(client, register(folder, path, None, template=True, host=client.host()))
    assert (made.config.template, made.resourcePool) == (True, None)


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("[shared-1] vm-0/none.vmx", None, vim.fault.NotFound),
        ("[shared-1] vm-0/vm-0.vmdk", None, vim.fault.InvalidVmConfig),
        ("[none] vm-0/vm-0.vmx", None, vim.fault.InvalidDatastorePath),
        ("vm-0.vmx", None, vim.fault.InvalidDatastorePath),
        (VMX, "vm-2", vim.fault.DuplicateName),
        (VMX, "a" * 81, vim.fault.InvalidName),
    ],
)
def test_what_cannot_be_registered(
    client: Client, *, vm: Any, folder: Any, pool: Any, path: str, name: str | None, kind: Any
) -> None:
    vm.Unregister()
    assert isinstance(error(client, register(folder, path, pool, name)), kind)
    result(client, register(folder, VMX, pool))


def test_a_configuration_file_of_a_client_is_not_read(
    client: Client, folder: Any, pool: Any, fetch: Fetch
) -> None:
    query = "?dcPath=DC0&dsName=shared-1"
    assert fetch("PUT", f"/folder/vm-0/own.vmx{query}", b"a", Cookie=client.cookie)[0] == 201
    fault = error(client, register(folder, "[shared-1] vm-0/own.vmx", pool))
    assert isinstance(fault, vmodl.fault.NotImplemented)


def test_a_pool_is_needed(folder: Any) -> None:
    with pytest.raises(vmodl.fault.InvalidArgument):
        register(folder, VMX, None)


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_registers_vms(client: Client, vm: Any, folder: Any, pool: Any) -> None:
    path, uuid = vm.config.files.vmPathName, vm.config.instanceUuid
    with pytest.raises(vmodl.fault.NotSupported):
        register(folder, path, None, template=True, host=client.host())
    vm.Unregister()
    assert result(client, register(folder, path, pool)).config.instanceUuid == uuid
