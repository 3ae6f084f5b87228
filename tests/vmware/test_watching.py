"""Waits that vSphere rejects, and objects that are removed while they are watched."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import EntityNotFound, GuestState, HypervisorError
from simplestack_vmware.errors import translate
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.guests_create import guest_create
from simplestack_vmware.hooks.networks import network_vlan_create
from simplestack_vmware.hooks.power import guest_shutdown, guest_start
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks import watching
from simulators.tls import Trust
from simulators.vsphere.collectors import Collector
from simulators.vsphere.faults import Rule
from simulators.vsphere.guest_systems import Guests
from simulators.vsphere.inventory.entities import remove_entity
from support.vsphere import Host, running_host

from .conftest import Connect
from .created import EMPTY, everything
from .interference import before_call
from .test_vlans import wanted

#: What govmomi's simulator returns if an object of an earlier filter was removed.
REMOVED = Rule(
    method="WaitForUpdatesEx",
    fault="ManagedObjectNotFound",
    properties={"obj": {"type": "VirtualMachine", "value": "vm-long-gone"}},
)


def test_a_wait_that_is_rejected_because_of_an_earlier_one_goes_on(
    vcenter: Host, session: VmwareSession
) -> None:
    guest = vcenter.vm()["config.instanceUuid"]
    vcenter.simulator.faults.add(REMOVED)
    guest_start(session, guest)
    assert guest_info(session, guest).state == GuestState.STARTED
    vcenter.calls()
    guest_shutdown(session, guest, force=True)
    assert vcenter.calls()["CreatePropertyCollector"] == 0, "the new collector is kept"


def test_a_task_that_cannot_be_watched_may_still_take_effect(trust: Trust, log_in: Connect) -> None:
    """Its creation goes on. Only when it has ended, the new guest can be removed."""
    with running_host(trust, task_seconds=0.3) as host:
        session = log_in(host)
        before = everything(host)
        host.simulator.faults.add(Rule(method="WaitForUpdatesEx", fault="SystemError", times=2))
        with pytest.raises(HypervisorError, match=r"check whether it took effect[^;]*$"):
            guest_create(session, EMPTY)
        assert everything(host) == before


def test_a_change_that_is_never_reported_is_read_anew(
    vcenter: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that loses it would hold the operation to its time limit, which may be an hour."""
    monkeypatch.setattr(watching, "_LONGEST_WAIT_SECONDS", 1.0)
    session, guest = log_in(vcenter, call_timeout_seconds=10), vcenter.vm()["config.instanceUuid"]
    guest_start(session, guest)
    (deaf,) = vcenter.simulator.collectors.values()
    collect = Collector.collect

    def collected(own: Collector, *arguments: Any) -> Any:
        return None if own is deaf else collect(own, *arguments)

    monkeypatch.setattr(Collector, "collect", collected)
    guest_shutdown(session, guest, force=True)
    assert guest_info(session, guest).state == GuestState.STOPPED


def test_a_filter_that_is_rejected_says_nothing_of_the_task(vcenter: Host, session: VmwareSession) -> None:
    guest = vcenter.vm()["config.instanceUuid"]
    vcenter.simulator.faults.add(Rule(method="CreateFilter", fault="InvalidProperty"))
    with pytest.raises(HypervisorError, match="check whether it took effect") as failed:
        guest_start(session, guest)
    assert failed.value.details["code"] == "InvalidProperty"
    assert guest_info(session, guest).state == GuestState.STARTED


@pytest.mark.parametrize("after", [0, 1])
def test_a_guest_that_is_removed_while_it_shuts_down_is_not_found(
    vcenter: Host, session: VmwareSession, after: int
) -> None:
    vm = vcenter.vm()
    guest_start(session, vm["config.instanceUuid"])
    database = vcenter.simulator.database
    with database.lock:
        assert database.changes.wait_for(lambda: vm["guest.toolsRunningStatus"] == "guestToolsRunning", 20)
        vcenter.simulator.guests.set(Guests(is_held=True))

    def remove() -> None:
        with database.lock:
            remove_entity(vm)

    before_call(vcenter, ("CreateFilter", "WaitForUpdatesEx")[after], remove, after=after)
    with pytest.raises(EntityNotFound, match="Guest:"):
        guest_shutdown(session, vm["config.instanceUuid"], force=False)


def test_a_host_that_is_removed_while_its_new_network_is_awaited(
    vcenter: Host, session: VmwareSession
) -> None:
    database = vcenter.simulator.database

    def remove() -> None:
        with database.lock:
            for each in vcenter.all(vim.HostSystem):
                database.remove(each)

    before_call(vcenter, "CreateFilter", remove)
    with pytest.raises((HypervisorError, Fault)) as failed:
        network_vlan_create(session, wanted())
    assert translate(failed.value) or isinstance(failed.value, HypervisorError)
    assert "does not show network" in str(failed.value)
