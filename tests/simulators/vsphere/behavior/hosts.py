"""Hosts: maintenance mode, and which host a VM may run on."""

from collections.abc import Collection
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running

_On = vim.VirtualMachine.PowerState.poweredOn
_Connected = vim.HostSystem.ConnectionState.connected


@method(vim.HostSystem, "EnterMaintenanceMode_Task")
def enter_maintenance(
    call: Call, timeout: int, evacuate_powered_off_vms: bool | None, maintenance_spec: Any
) -> Any:
    """Let no VM run on a host. The task waits until none does: clusters do not move them."""
    if evacuate_powered_off_vms or maintenance_spec is not None:
        raise vmodl.fault.NotSupported
    host = call.target

    def work(running: Running) -> None:
        _need_mode(host, is_in_maintenance=False)
        running.wait_for(lambda: not _has_running_vms(host), timeout if timeout > 0 else None)
        running.commit()
        host["runtime.inMaintenanceMode"] = True

    return call.start(work)


@method(vim.HostSystem, "ExitMaintenanceMode_Task")
def exit_maintenance(call: Call, timeout: int) -> Any:
    """Let VMs run on a host again."""

    def work(running: Running) -> None:
        _need_mode(call.target, is_in_maintenance=True)
        running.commit()
        call.target["runtime.inMaintenanceMode"] = False

    return call.start(work)


def check_host(call: Call, host: Object) -> None:
    """Check that VMs may be created and run on a host.

    :raises InvalidHostState: it is in maintenance mode or not connected; of a lone host, `InvalidState`
    """
    if not is_ready(host):
        is_vcenter = call.simulator.product.is_vcenter
        raise vim.fault.InvalidHostState(host=host.ref) if is_vcenter else vim.fault.InvalidState()


def choose_host(call: Call, pool: Object, wanted: Object | None, datastores: Collection[str] = ()) -> Object:
    """Return a host of the pool's cluster for a VM.

    :param datastores: names of those that it should have mounted, if none is wanted
    :raises InvalidArgument: the one that is wanted is not in it
    :raises InvalidHostState: none may have VMs now; of a lone host, `InvalidState`
    """
    hosts = [call.resolve(ref) for ref in call.resolve(pool["owner"])["host"]]
    if wanted is not None and wanted not in hosts:
        raise vmodl.fault.InvalidArgument(invalidProperty="host")
    if wanted is None:
        ready = [host for host in hosts if is_ready(host)] or hosts
        fitting = [host for host in ready if all(mounts(host, name) for name in datastores)]
        wanted = (fitting or ready)[0]
    check_host(call, wanted)
    return wanted


def mounts(host: Object, name: str) -> bool:
    """Return whether a host has mounted the datastore of a name."""
    stores = [host.database.get(ref) for ref in host["datastore"]]
    return any(store["name"] == name for store in stores)


def is_ready(host: Object) -> bool:
    """Return whether VMs may be created and run on a host."""
    return bool(host["runtime.connectionState"] == _Connected and not host["runtime.inMaintenanceMode"])


def _need_mode(host: Object, *, is_in_maintenance: bool) -> None:
    if host["runtime.connectionState"] != _Connected:
        raise vim.fault.InvalidState
    if host["runtime.inMaintenanceMode"] != is_in_maintenance:
        raise vim.fault.InvalidState


def _has_running_vms(host: Object) -> bool:
    return any(
        vm["runtime.host"] == host.ref and vm["runtime.powerState"] == _On
        for vm in host.database.all(vim.VirtualMachine)
    )
