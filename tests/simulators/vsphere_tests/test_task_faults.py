"""Tasks of the vSphere simulator that fail later, with each fault that their methods declare."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.schema import find_method, name_of, subtypes
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error

#: The newest version has all faults.
NEWEST = "8.0.3.0"
ISO = "[isos] debian-12.iso"


def _datacenter(client: Client) -> Any:
    return client.content.rootFolder.childEntity[0]


def _clone(client: Client) -> Any:
    place = vim.vm.RelocateSpec(pool=client.vm("vm-0").resourcePool)
    return client.vm("vm-0").Clone(_datacenter(client).vmFolder, "a", vim.vm.CloneSpec(location=place))


def _create(client: Client) -> Any:
    files = vim.vm.FileInfo(vmPathName="[shared-1]")
    spec = vim.vm.ConfigSpec(name="a", files=files)
    return _datacenter(client).vmFolder.CreateVm(spec, client.vm("vm-0").resourcePool)


#: A call of each method.
CALLS: dict[str, Callable[[Client], Any]] = {
    "CloneVM_Task": _clone,
    "CreateVM_Task": _create,
    "ReconfigVM_Task": lambda client: client.vm("vm-0").Reconfigure(vim.vm.ConfigSpec(annotation="a")),
    "PowerOnVM_Task": lambda client: client.vm("vm-0").PowerOn(),
    "PowerOffVM_Task": lambda client: client.vm("vm-0").PowerOff(),
    "CreateSnapshot_Task": lambda client: client.vm("vm-0").CreateSnapshot("a", None, False, False),
    "Rename_Task": lambda client: client.vm("vm-0").Rename("a"),
    "Destroy_Task": lambda client: client.vm("vm-0").Destroy(),
    "RegisterVM_Task": lambda client: _datacenter(client).vmFolder.RegisterVm(
        "[shared-1] a/a.vmx", None, False, client.vm("vm-0").resourcePool
    ),
    "SearchDatastore_Task": lambda client: client.find(vim.Datastore, "isos").browser.Search("[isos]"),
    "DeleteDatastoreFile_Task": lambda client: client.content.fileManager.DeleteFile(
        ISO, _datacenter(client)
    ),
    "CopyVirtualDisk_Task": lambda client: client.content.virtualDiskManager.CopyVirtualDisk(
        "[shared-1] vm-0/vm-0.vmdk", _datacenter(client), "[shared-1] vm-0/a.vmdk"
    ),
}


def order(simulator: Simulator, method: str, fault: str, **properties: Any) -> None:
    rule = {"method": method, "fault": fault, "effect": "fail task", "properties": properties}
    simulator.faults.order(msgspec.json.encode(rule))


@pytest.mark.parametrize("method", CALLS)
def test_a_task_fails_with_all_faults_that_are_declared(
    connect: Any, simulator: Simulator, method: str
) -> None:
    client, found = connect(version=NEWEST), find_method(method)
    assert found is not None
    vms = simulator.database.counts()["VirtualMachine"]
    for kind in (*found.faults, vmodl.fault.SystemError, vmodl.fault.ManagedObjectNotFound):
        order(simulator, method, name_of(kind))
        assert type(error(client, CALLS[method](client))) is kind
    assert simulator.database.counts()["VirtualMachine"] == vms


def test_a_task_fails_with_faults_that_extend_those_that_are_declared(
    connect: Any, simulator: Simulator
) -> None:
    client = connect(version=NEWEST)
    vm, found = client.vm("vm-0"), find_method("PowerOnVM_Task")
    assert found is not None
    kinds = {each for kind in found.faults for each in (kind, *subtypes(kind))}
    assert len(kinds) > 100
    for kind in kinds:
        order(simulator, "PowerOnVM_Task", name_of(kind))
        assert type(error(client, vm.PowerOn())) is kind
    assert vm.runtime.powerState == "poweredOff"


def test_a_fault_has_references_and_other_faults(client: Client, vm: Any, simulator: Simulator) -> None:
    order(
        simulator,
        "Rename_Task",
        "DuplicateName",
        name="a",
        object={"type": "VirtualMachine", "value": "vm-1"},
    )
    fault = error(client, vm.Rename("a"))
    assert (fault.name, fault.object._moId, fault.msg) == ("a", "vm-1", "The name 'a' already exists.")
    cause = {"fault": {"_typeName": "FileLocked", "file": "[a] b"}, "localizedMessage": "locked"}
    order(simulator, "PowerOnVM_Task", "GenericVmConfigFault", reason="c", faultCause=cause)
    fault = error(client, vm.PowerOn())
    assert (fault.reason, fault.faultCause.file, fault.faultCause.msg) == ("c", "[a] b", "locked")


def test_a_fault_with_a_property_of_another_type_is_rejected(simulator: Simulator) -> None:
    for properties in ({"task": "task-1"}, {"task": {"type": "Datastore", "value": "a"}}, {"none": 1}):
        with pytest.raises(msgspec.ValidationError, match="TaskInProgress with"):
            order(simulator, "PowerOnVM_Task", "TaskInProgress", **properties)
