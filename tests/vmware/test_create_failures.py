"""Creations of guests that fail: nothing is left, and nothing of others is lost."""

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import (
    HypervisorError,
    InvalidState,
    NewDisk,
    OperationTimeout,
)
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.vsphere.changes import undo
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks import tasks
from simulators.tls import Trust
from simulators.vsphere.faults import Rule
from simulators.vsphere.files import File
from support.vsphere import Host, running_host

from .conftest import Connect
from .created import COPY, EMPTY, everything, made_vm
from .interference import before_call, hold_in_spite_of_cancellation, let_go


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_guest_that_cannot_be_started_is_removed_with_its_disks(
    vcenter: Host, session: VmwareSession, wanted: VmwareGuestCreate
) -> None:
    before = everything(vcenter)
    for rule in (
        Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"),
        Rule(method="PowerOnVM_Task", effect="drop after"),
    ):
        vcenter.simulator.faults.add(rule)
        with pytest.raises((Fault, HypervisorError)):
            guest_create(session, replace(wanted, start=True))
        assert everything(vcenter) == before


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_guest_whose_creation_is_not_answered_is_removed(
    vcenter: Host, session: VmwareSession, wanted: VmwareGuestCreate
) -> None:
    before = everything(vcenter)
    for method in ("CreateVM_Task", "CloneVM_Task"):
        vcenter.simulator.faults.add(Rule(method=method, effect="drop after"))
    with pytest.raises(HypervisorError):
        guest_create(session, wanted)
    assert everything(vcenter) == before


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_creation_that_does_not_end_is_cancelled(
    vcenter: Host, log_in: Connect, wanted: VmwareGuestCreate
) -> None:
    session = log_in(vcenter, call_timeout_seconds=3)
    before = everything(vcenter)
    for method in ("CreateVM_Task", "CloneVM_Task"):
        vcenter.simulator.faults.add(Rule(method=method, effect="hold"))
    with pytest.raises(OperationTimeout):
        guest_create(session, wanted)
    assert everything(vcenter) == before


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_creation_that_ends_long_after_its_cancellation_leaves_nothing(
    vcenter: Host, log_in: Connect, wanted: VmwareGuestCreate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "CANCEL_SECONDS", 0)
    session = log_in(vcenter, call_timeout_seconds=3)
    before = everything(vcenter)
    hold_in_spite_of_cancellation(vcenter, "CreateVM_Task", "CloneVM_Task")
    before_call(vcenter, "CreateFilter", vcenter.simulator.faults.clear, after=2)  # it has been cancelled
    with pytest.raises(OperationTimeout) as late:
        guest_create(session, wanted)
    let_go(vcenter)
    assert everything(vcenter) == before
    assert "failed, too" not in late.value.message


def test_a_guest_that_may_still_be_created_is_named_in_the_error(
    vcenter: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "CANCEL_SECONDS", 0)
    monkeypatch.setattr(undo, "_END_SECONDS", 0)
    session = log_in(vcenter, call_timeout_seconds=3)
    hold_in_spite_of_cancellation(vcenter, "CreateVM_Task")
    with pytest.raises(
        OperationTimeout, match=r"; waiting for the end of the creation of guest 'a/b' failed, too$"
    ):
        guest_create(session, replace(EMPTY, name="a/b"))
    let_go(vcenter)


def test_a_removal_whose_connection_breaks_is_tried_again(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    before = everything(host)
    host.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"))
    host.simulator.faults.add(Rule(method="Destroy_Task", effect="drop before"))
    with pytest.raises(Fault) as failed:
        guest_create(session, replace(EMPTY, start=True))
    assert everything(host) == before
    assert "failed, too" not in failed.value.message


def test_a_creation_that_fails_keeps_nothing(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    before = everything(host)
    with pytest.raises(Fault, match="InvalidDeviceSpec"):
        guest_create(session, replace(EMPTY, disks=[NewDisk(size=1), NewDisk(size=63 * 1024)]))
    assert everything(host) == before


def test_the_folder_of_files_that_has_the_name_already_stays_as_it_is(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    store = max(host.all(vim.Datastore), key=lambda each: len(host.simulator.files.all(each.id)))
    for name in ("new/new.vmdk", "new/new.vmx"):
        host.simulator.files.add(store.id, name, File("other", 5))
    before = everything(host)
    host.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"))
    with pytest.raises(Fault):
        guest_create(session, replace(EMPTY, storage=store["name"], start=True))
    assert everything(host) == before
    guest = guest_create(session, replace(EMPTY, storage=store["name"]))
    assert made_vm(host, guest)["config.files.vmPathName"].startswith(f"[{store['name']}] new_")


def test_a_user_without_the_privilege_creates_nothing(vcenter: Host, log_in: Connect) -> None:
    before = everything(vcenter)
    session = log_in(vcenter, "reader@vsphere.local")
    for wanted in (EMPTY, COPY):
        with pytest.raises(Fault, match="NoPermission"):
            guest_create(session, wanted)
    assert everything(vcenter) == before


def test_a_suspended_guest_is_not_copied(vcenter: Host, session: VmwareSession) -> None:
    with vcenter.simulator.database.lock:
        vcenter.vm()["runtime.powerState"] = vim.VirtualMachine.PowerState.suspended
    with pytest.raises(InvalidState):
        guest_create(session, replace(COPY, template="vm-1"))


@pytest.mark.parametrize(("wanted", "method"), [(EMPTY, "CreateVM_Task"), (COPY, "CloneVM_Task")])
def test_a_creation_takes_few_calls(
    vcenter: Host, session: VmwareSession, wanted: VmwareGuestCreate, method: str
) -> None:
    guest_create(session, replace(wanted, name="first"))
    vcenter.calls()
    guest_create(session, wanted)
    calls = vcenter.calls()
    assert calls.pop(method) == 1
    assert calls.pop("WaitForUpdatesEx") <= 2
    assert calls.pop("CreateFilter") == 1
    reads = calls.pop("RetrievePropertiesEx")
    # What there is, the names once more, and the guest; the template twice.
    assert reads == (3 if wanted is EMPTY else 5)
    assert not calls


def test_a_creation_takes_as_many_calls_for_1000_vms_as_for_10(trust: Trust, log_in: Connect) -> None:
    made = []
    for vms in (10, 1_000):
        with running_host(trust, vms=vms) as host:
            session = log_in(host)
            guest_create(session, replace(COPY, name="first"))
            host.calls()
            guest_create(session, COPY)
            calls = host.calls()
            assert calls.pop("ContinueRetrievePropertiesEx", 0) <= 3 * (vms // 1_000)
            calls.pop("WaitForUpdatesEx")
            made.append(calls)
    assert made[0] == made[1]
