"""Power of guests."""

import pytest
from pyVmomi import vim

from simplestack import Busy, GuestState
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.power import guest_reboot, guest_shutdown, guest_start, guest_suspend
from simplestack_vmware.vsphere.connection.faults import Fault
from simulators.vsphere.behavior.power import switch
from simulators.vsphere.faults import Rule
from simulators.vsphere.guest_systems import Guests
from support.vsphere import Host

from .conftest import Connect


def test_the_power_of_a_suspended_guest_is_cut(host: Host, log_in: Connect) -> None:
    """VSphere rejects this, as documented: the guest is resumed first."""
    session, guest = log_in(host), host.vm()["config.instanceUuid"]
    guest_start(session, guest)
    guest_suspend(session, guest)
    guest_shutdown(session, guest, force=True)
    assert guest_info(session, guest).state == GuestState.STOPPED


def test_a_suspended_guest_is_not_resumed_if_another_fault_keeps_it_from_being_cut(
    host: Host, log_in: Connect
) -> None:
    session, guest = log_in(host), host.vm()["config.instanceUuid"]
    with host.simulator.database.lock:
        switch(host.simulator, host.vm(), vim.VirtualMachine.PowerState.suspended)
    host.simulator.faults.add(Rule(method="PowerOffVM_Task", effect="fail task", fault="InvalidState"))
    with pytest.raises(Fault, match="InvalidState"):
        guest_shutdown(session, guest, force=True)
    assert host.calls()["PowerOnVM_Task"] == 0


@pytest.mark.parametrize("has_tools", [True, False])
def test_a_guest_that_is_starting_is_busy_and_one_without_tools_is_409(
    host: Host, log_in: Connect, has_tools: bool
) -> None:
    session, vm = log_in(host), host.vm()
    with host.simulator.database.lock:
        switch(host.simulator, vm, vim.VirtualMachine.PowerState.poweredOn)
        host.simulator.guests.stop(vm)
        if not has_tools:
            host.simulator.guests.set(Guests(vm="vm-1", has_tools=False))
    identity = vm["config.instanceUuid"]
    for ask in (guest_shutdown, guest_reboot):
        with pytest.raises((Busy, Fault)) as raised:
            ask(session, identity, force=False)
        assert isinstance(raised.value, Busy) == has_tools, raised.value
    assert vm["runtime.powerState"] == "poweredOn"
