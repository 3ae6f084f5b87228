"""Hosts in maintenance mode, and hosts and VMs that are not connected, in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.test_creation import files, place, spec
from simulators.vsphere_tests.test_imports import begin
from simulators.vsphere_tests.waiting import error, result, wait_until

both = pytest.mark.parametrize("product", [VCENTER, ESXI])


def enter(client: Client, *hosts: Any) -> None:
    """Let hosts be in maintenance mode."""
    for host in hosts:
        result(client, host.EnterMaintenanceMode_Task(0))


def expected(simulator: Simulator) -> Any:
    """Return the fault of what a host in maintenance mode does not do."""
    return vim.fault.InvalidHostState if simulator.product.is_vcenter else vim.fault.InvalidState


@both
def test_a_host_waits_for_its_vms_to_stop(client: Client, vm: Any) -> None:
    host = vm.runtime.host
    result(client, vm.PowerOn())
    assert isinstance(error(client, host.EnterMaintenanceMode_Task(1)), vim.fault.Timedout)
    task = host.EnterMaintenanceMode_Task(0)
    wait_until(client, task, "info.state", "running")
    assert not host.runtime.inMaintenanceMode
    result(client, vm.PowerOff())
    result(client, task)
    assert host.runtime.inMaintenanceMode
    assert isinstance(error(client, host.EnterMaintenanceMode_Task(0)), vim.fault.InvalidState)
    result(client, host.ExitMaintenanceMode_Task(0))
    assert isinstance(error(client, host.ExitMaintenanceMode_Task(0)), vim.fault.InvalidState)
    result(client, vm.PowerOn())


@both
@pytest.mark.usefixtures("lease_server")
def test_no_vm_starts_or_is_made_in_maintenance_mode(client: Client, vm: Any, simulator: Simulator) -> None:
    hosts, kind, before = list(vm.resourcePool.owner.host), expected(simulator), files(simulator)
    enter(client, *hosts)
    folder, pool = place(client)
    store = vm.datastore[0].name
    tasks = [vm.PowerOn(), folder.CreateVm(spec("new", path=f"[{store}]"), pool, hosts[0])]
    tasks.append(folder.CreateVm(spec("new", path=f"[{store}]"), pool, None))
    if simulator.product.is_vcenter:
        clone = vim.vm.CloneSpec(location=vim.vm.RelocateSpec())
        tasks.append(vm.CloneVM_Task(folder, "new", clone))
    assert [type(error(client, task)) for task in tasks] == [kind] * len(tasks)
    lease = begin(client)
    assert (lease.state, type(lease.error), lease.info) == ("error", kind, None)
    with pytest.raises(vim.fault.InvalidState):
        lease.HttpNfcLeaseComplete()
    assert files(simulator) == before
    path, parent = vm.config.files.vmPathName, vm.parent
    vm.Unregister()
    assert isinstance(error(client, parent.RegisterVm(path, None, False, pool)), kind)


def test_vms_are_made_on_the_other_hosts_of_a_cluster(client: Client, vm: Any) -> None:
    first, second = vm.resourcePool.owner.host
    assert vm.runtime.host == first
    enter(client, first)
    folder, pool = place(client)
    made = result(client, folder.CreateVm(spec("new"), pool, None))
    clone = vim.vm.CloneSpec(location=vim.vm.RelocateSpec())
    other = result(client, vm.CloneVM_Task(folder, "other", clone))
    assert {made.runtime.host, other.runtime.host} == {second}
    result(client, vm.PowerOn(second))
    assert vm.runtime.host == second


def test_a_new_vm_is_on_a_host_that_has_its_datastore(client: Client, vm: Any) -> None:
    first, second = vm.resourcePool.owner.host
    assert vm.runtime.host == first
    folder, pool = place(client)
    made = result(client, folder.CreateVm(spec("new", path="[local-2]"), pool, None))
    location = vim.vm.RelocateSpec(datastore=client.find(vim.Datastore, "local-2"))
    clone = result(client, vm.CloneVM_Task(folder, "clone", vim.vm.CloneSpec(location=location)))
    path = made.config.files.vmPathName
    made.Unregister()
    again = result(client, folder.RegisterVm(path, None, False, pool))
    assert (clone.runtime.host, again.runtime.host) == (second, second)
    task = folder.CreateVm(spec("other", path="[local-2]"), pool, first)
    assert isinstance(error(client, task), vim.fault.InvalidDatastorePath)
    assert isinstance(
        error(client, folder.CreateVm(spec("other", path="[local-3]"), pool)), vim.fault.InvalidDatastorePath
    )


def test_a_host_that_is_not_connected(client: Client, vm: Any, simulator: Simulator) -> None:
    moid = vm.runtime.host._moId
    with simulator.database.lock:
        host = simulator.database.get(vim.HostSystem(moid))
        host["runtime.connectionState"] = vim.HostSystem.ConnectionState.notResponding
    group = vim.host.PortGroup.Specification(
        name="new", vlanId=1, vswitchName="vSwitch0", policy=vim.host.NetworkPolicy()
    )
    with pytest.raises(vmodl.fault.HostNotConnected):
        vm.runtime.host.configManager.networkSystem.AddPortGroup(group)
    fault = error(client, vm.PowerOn())
    assert (type(fault), fault.host) == (vim.fault.InvalidHostState, vm.runtime.host)
    assert isinstance(error(client, vm.runtime.host.EnterMaintenanceMode_Task(0)), vim.fault.InvalidState)


@pytest.mark.usefixtures("lease_server")
@pytest.mark.parametrize("state", ["orphaned", "inaccessible", "disconnected", "invalid"])
def test_a_vm_that_is_not_connected_is_not_changed(
    client: Client, vm: Any, simulator: Simulator, state: str
) -> None:
    snapshot = result(client, vm.CreateSnapshot_Task("a", None, False, False))
    with simulator.database.lock:
        stored = simulator.database.get(vim.VirtualMachine(vm._moId))
        stored["runtime.connectionState"] = getattr(vim.VirtualMachine.ConnectionState, state)
    for task in (
        vm.PowerOn(),
        vm.Reconfigure(vim.vm.ConfigSpec(annotation="x")),
        vm.CreateSnapshot_Task("a", None, False, False),
        vm.CloneVM_Task(vm.parent, "new", vim.vm.CloneSpec(location=vim.vm.RelocateSpec())),
        vm.Destroy_Task(),
    ):
        assert isinstance(error(client, task), vim.fault.InvalidState)
    assert isinstance(error(client, snapshot.RevertToSnapshot_Task()), vim.fault.InvalidState)
    # This method declares no such fault.
    assert isinstance(error(client, snapshot.RemoveSnapshot_Task(False)), vmodl.fault.SystemError)
    for call in (vm.ExportVm, vm.ShutdownGuest):
        with pytest.raises(vim.fault.InvalidState):
            call()
    vm.Unregister()


def test_what_maintenance_mode_does_not_do(client: Client, connect: Any) -> None:
    host = client.host()
    with pytest.raises(vmodl.fault.NotSupported):
        host.EnterMaintenanceMode_Task(0, True)
    reader = connect("reader@vsphere.local").host()
    for call in (reader.EnterMaintenanceMode_Task, reader.ExitMaintenanceMode_Task):
        with pytest.raises(vim.fault.NoPermission):
            call(0)
