"""Guests that become templates, and templates that become guests."""

import msgspec
import pytest
from pyVmomi import vim

from simplestack import GuestUpdate, InvalidArguments, InvalidState, OperationNotSupported
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.guests_update import guest_update
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from simulators.vsphere.faults import Rule
from support.vsphere import Host

from .conftest import Connect
from .test_disks import id_of
from .test_guest_update import changed


def test_a_guest_becomes_a_template_and_a_guest_again(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    before = guest_info(session, guest)
    shown = guest_update(session, guest, GuestUpdate(template=True, memory=2048, hdd=12))
    assert (shown.memory, shown.hdd) == (2048, 12)
    assert vcenter.vm()["config.template"] is True
    with pytest.raises(InvalidState):
        guest_start(session, guest)
    shown = guest_update(session, guest, GuestUpdate(template=False, memory=1024))
    assert (shown.name, shown.memory) == (before.name, 1024)
    (compute,) = [each for each in vcenter.all(vim.ClusterComputeResource) if runs_on(vcenter.vm(), each)]
    assert vcenter.vm()["config.template"] is False
    assert vcenter.vm()["resourcePool"] == compute["resourcePool"]
    guest_start(session, guest)


def runs_on(vm: Object, compute: Object) -> bool:
    return vm["runtime.host"] in list(compute["host"])


def test_only_a_stopped_guest_becomes_a_template(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    guest_start(session, guest)
    vcenter.calls()
    with pytest.raises(InvalidState, match="while it is STARTED"):
        guest_update(session, guest, GuestUpdate(template=True, name="web"))
    assert changed(vcenter) == {}


def test_a_failure_leaves_neither_a_template_nor_half_a_change(vcenter: Host, session: VmwareSession) -> None:
    guest, template = id_of(vcenter), id_of(vcenter, "debian-12")
    before = guest_info(session, guest)
    vcenter.simulator.faults.add(Rule(method="MarkAsTemplate", fault="NotSupported"))
    with pytest.raises(Fault, match="NotSupported"):
        guest_update(session, guest, GuestUpdate(template=True, memory=2048, name="web"))
    assert guest_info(session, guest) == before
    vcenter.simulator.faults.add(
        Rule(method="ReconfigVM_Task", fault="InvalidArgument", effect="fail task", properties=WRONG)
    )
    with pytest.raises(Fault, match="InvalidArgument"):
        guest_update(session, template, GuestUpdate(template=False, memory=2048))
    assert vcenter.vm("debian-12")["config.template"] is True


def test_what_cannot_be_undone_is_named_in_the_error(vcenter: Host, session: VmwareSession) -> None:
    template = id_of(vcenter, "debian-12")
    vcenter.simulator.faults.add(
        Rule(method="ReconfigVM_Task", fault="InvalidArgument", effect="fail task", properties=WRONG)
    )
    vcenter.simulator.faults.add(Rule(method="MarkAsTemplate", fault="NotSupported"))
    with pytest.raises(InvalidArguments, match=r"InvalidArgument.*; making it a template again failed, too$"):
        guest_update(session, template, GuestUpdate(template=False, memory=2048))
    assert vcenter.vm("debian-12")["config.template"] is False


WRONG = {"invalidProperty": "configSpec.memoryMB"}


def test_of_a_failure_the_error_says_that_disks_stay_grown(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    before = guest_info(session, guest)
    vcenter.simulator.faults.add(Rule(method="MarkAsTemplate", fault="NotSupported"))
    with pytest.raises(
        OperationNotSupported, match=r"NotSupported.*; the disks stay grown to 12 GiB, since "
    ):
        guest_update(session, guest, GuestUpdate(template=True, memory=2048, hdd=12.0, name="web"))
    assert guest_info(session, guest) == msgspec.structs.replace(before, hdd=12)


def test_a_lone_host_has_no_templates(esxi: Host, log_in: Connect) -> None:
    session, guest = log_in(esxi), id_of(esxi)
    with pytest.raises(NotImplementedError, match="lone ESXi host has no templates"):
        guest_update(session, guest, GuestUpdate(template=True, memory=2048))
    assert changed(esxi) == {}
    assert guest_update(session, guest, GuestUpdate(template=False)) == guest_info(session, guest)
