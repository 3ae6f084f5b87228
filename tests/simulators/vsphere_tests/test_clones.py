"""Clones in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import error, result

Disk, Card = vim.vm.device.VirtualDisk, vim.vm.device.VirtualEthernetCard


def spec(**values: Any) -> Any:
    location = vim.vm.RelocateSpec(pool=values.pop("pool", None))
    return vim.vm.CloneSpec(location=location, **{"template": False, "powerOn": False, **values})


def backings(vm: Any) -> list[Any]:
    return [each.backing for each in vm.config.hardware.device if isinstance(each, Disk)]


def own(vm: Any) -> set[str]:
    """Return what no other VM may have: UUIDs, MAC addresses, files."""
    devices: Any = vm.config.hardware.device
    names = {backing.fileName for backing in backings(vm)}
    macs = {each.macAddress for each in devices if isinstance(each, Card)}
    return {vm.config.uuid, vm.config.instanceUuid, vm.config.files.vmPathName, *names, *macs}


def test_a_clone_shares_nothing(client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    result(client, vm.CreateSnapshot_Task("a", None, False, False))
    free = vm.datastore[0].summary.freeSpace
    made = result(client, vm.CloneVM_Task(vm.parent, "a/b", spec()))
    assert (made.name, made.config.name, made.runtime.powerState) == ("a%2fb", "a%2fb", "poweredOff")
    assert made in vm.parent.childEntity
    assert (made.resourcePool, made.snapshot) == (vm.resourcePool, None)
    assert not own(made) & own(vm)
    assert [backing.parent for backing in backings(made)] == [None, None]
    assert vm.datastore[0].summary.freeSpace < free
    assert isinstance(error(client, vm.CloneVM_Task(vm.parent, "a/b", spec())), vim.fault.DuplicateName)


def test_a_template_is_deployed_and_made(client: Client, vm: Any) -> None:
    template = client.vm("debian-12")
    fault = error(client, template.CloneVM_Task(vm.parent, "new", spec()))
    assert isinstance(fault, vmodl.fault.InvalidArgument)
    made = result(client, template.CloneVM_Task(vm.parent, "new", spec(pool=vm.resourcePool, powerOn=True)))
    assert (made.config.template, made.runtime.powerState) == (False, "poweredOn")
    other = result(client, vm.CloneVM_Task(vm.parent, "other", spec(template=True)))
    assert (other.config.template, other.resourcePool) == (True, None)


def test_a_full_datastore_keeps_nothing_of_a_clone(client: Client, vm: Any, simulator: Simulator) -> None:
    store = vm.datastore[0]._moId
    with simulator.database.lock:
        simulator.files._capacities[store] -= simulator.files.free(store) - 1024**3
        before = simulator.files.all(store)
    assert isinstance(error(client, vm.CloneVM_Task(vm.parent, "new", spec())), vim.fault.NoDiskSpace)
    assert simulator.files.all(store) == before
    assert "new" not in client.values(vim.VirtualMachine, "name")


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_does_not_clone(vm: Any) -> None:
    with pytest.raises(vmodl.fault.NotSupported):
        vm.CloneVM_Task(vm.parent, "new", spec())
