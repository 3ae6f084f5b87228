"""Templates in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.waiting import result


def test_a_vm_becomes_a_template_and_a_vm_again(client: Client, vm: Any) -> None:
    pool, free = vm.resourcePool, vm.datastore[0].summary.freeSpace
    vm.MarkAsTemplate()
    assert (vm.config.template, vm.summary.config.template, vm.resourcePool) == (True, True, None)
    assert vm not in pool.vm
    assert vm.config.files.vmPathName.endswith("/vm-0.vmtx")
    with pytest.raises(vmodl.fault.NotSupported):
        vm.PowerOn()
    with pytest.raises(vmodl.fault.NotSupported):
        vm.MarkAsTemplate()
    vm.MarkAsVirtualMachine(pool)
    assert (vm.config.template, vm.resourcePool) == (False, pool)
    assert vm.config.files.vmPathName.endswith("/vm-0.vmx")
    assert vm.datastore[0].summary.freeSpace == free
    result(client, vm.PowerOn())


def test_a_vm_that_runs_stays_a_vm(client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    with pytest.raises(vim.fault.InvalidPowerState):
        vm.MarkAsTemplate()
    assert not vm.config.template


def test_a_template_does_not_leave_its_host(client: Client) -> None:
    template = client.vm("debian-12")
    other = client.find(vim.ClusterComputeResource, "cluster-2").resourcePool
    with pytest.raises(vmodl.fault.InvalidArgument):
        template.MarkAsVirtualMachine(other)
    assert template.config.template


def test_a_vm_in_a_vapp_is_no_template(client: Client) -> None:
    with pytest.raises(vim.fault.InvalidState):
        client.vm("shop-db").MarkAsTemplate()


@pytest.mark.parametrize("product", [ESXI])
def test_a_lone_host_has_no_templates(vm: Any) -> None:
    with pytest.raises(vmodl.fault.NotSupported):
        vm.MarkAsTemplate()
