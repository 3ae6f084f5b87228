"""Copies of guests that fail half-way: nothing is left, and nothing of others is lost."""

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound, Guest, HypervisorError, OperationTimeout
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_clone
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks import tasks
from simulators.vsphere.faults import Rule
from simulators.vsphere.files import File
from support.vsphere import Host

from .conftest import Connect
from .created import everything
from .interference import before_call, hold_in_spite_of_cancellation, let_go

COPY = VmwareGuestCreate(name="new", template="vm-1")
EFFECTS = ("fail task", "drop before", "drop after", "hold")
FAULTS = {"CopyVirtualDisk_Task": "NoDiskSpace"}
BROKEN = (Fault, HypervisorError, OperationTimeout)


def clone(session: VmwareSession, name: str = "new") -> Guest:
    return guest_clone(session, "vm-1", name, None)


def order(host: Host, method: str, effect: str, after: int = 0) -> None:
    """Let a call fail."""
    if effect == "fail task":
        fault = FAULTS.get(method, "InvalidState")
        host.simulator.faults.add(Rule(method=method, after=after, effect="fail task", fault=fault))
    else:
        host.simulator.faults.add(Rule(method=method, after=after, effect=effect))  # type: ignore[arg-type]  # one of them


def test_a_name_that_is_taken_is_rejected(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    before = everything(host)
    for name in ("vm-0", "vm-1"):
        with pytest.raises(Conflict, match="has the name"):
            clone(session, name)
    with pytest.raises(EntityNotFound, match="Guest:none"):
        guest_clone(session, "none", "new", None)
    assert everything(host) == before


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize(
    ("method", "after"),
    [("CreateVM_Task", 0), ("CopyVirtualDisk_Task", 0), ("CopyVirtualDisk_Task", 1), ("ReconfigVM_Task", 0)],
)
def test_a_copy_on_a_lone_host_that_fails_leaves_nothing(
    esxi: Host, log_in: Connect, method: str, after: int, effect: str
) -> None:
    session = log_in(esxi, call_timeout_seconds=3)
    before = everything(esxi)
    order(esxi, method, effect, after)
    with pytest.raises(BROKEN) as failed:
        clone(session)
    assert everything(esxi) == before
    assert "failed, too" not in str(failed.value), "nothing is left that the client would have to remove"


def test_a_copy_of_a_disk_that_ends_long_after_its_cancellation_leaves_nothing(
    esxi: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "CANCEL_SECONDS", 0)
    session = log_in(esxi, call_timeout_seconds=3)
    before = everything(esxi)
    hold_in_spite_of_cancellation(esxi, "CopyVirtualDisk_Task")
    before_call(esxi, "CreateFilter", esxi.simulator.faults.clear, after=3)  # it has been cancelled
    with pytest.raises(OperationTimeout) as late:
        clone(session)
    let_go(esxi)
    assert everything(esxi) == before
    assert "failed, too" not in late.value.message


def test_a_removal_of_a_copy_whose_connection_breaks_is_tried_again(esxi: Host, log_in: Connect) -> None:
    session = log_in(esxi)
    before = everything(esxi)
    order(esxi, "ReconfigVM_Task", "fail task")
    order(esxi, "DeleteVirtualDisk_Task", "drop before")
    with pytest.raises(Fault) as failed:
        clone(session)
    assert everything(esxi) == before
    assert "failed, too" not in failed.value.message


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_clone_that_fails_leaves_nothing(vcenter: Host, log_in: Connect, effect: str) -> None:
    session = log_in(vcenter, call_timeout_seconds=3)
    before = everything(vcenter)
    order(vcenter, "CloneVM_Task", effect)
    with pytest.raises(BROKEN):
        clone(session)
    assert everything(vcenter) == before


def test_a_copy_on_a_lone_host_that_cannot_start_is_removed(esxi: Host, log_in: Connect) -> None:
    session = log_in(esxi)
    before = everything(esxi)
    order(esxi, "PowerOnVM_Task", "fail task")
    with pytest.raises(Fault):
        guest_create(session, replace(COPY, start=True))
    assert everything(esxi) == before


def test_files_that_are_there_already_stay_as_they_are(esxi: Host, log_in: Connect) -> None:
    session = log_in(esxi)
    (store,) = esxi.all(vim.Datastore)
    for name in ("new/new.vmdk", "new/new_1.vmdk", "new/notes"):
        esxi.simulator.files.add(store.id, name, File("other", 5))
    before = everything(esxi)
    order(esxi, "ReconfigVM_Task", "fail task")
    with pytest.raises(Fault):
        clone(session)
    assert everything(esxi) == before
    paths = [disk.extra_info or "" for disk in disk_list(session, clone(session).id)]
    assert [path.partition("/")[0] for path in paths] == ["[datastore1] new_1"] * 2


def test_a_user_without_the_privilege_copies_nothing(vcenter: Host, log_in: Connect) -> None:
    before = everything(vcenter)
    with pytest.raises(Fault, match="NoPermission"):
        clone(log_in(vcenter, "reader@vsphere.local"))
    assert everything(vcenter) == before


def test_a_copy_takes_few_calls(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    clone(session, "first")
    host.calls()
    clone(session, "second")
    calls = host.calls()
    tasks = {name: count for name, count in calls.items() if name.endswith("_Task")}
    if host.simulator.product.is_vcenter:
        assert tasks == {"CloneVM_Task": 1}
    else:
        assert tasks == {"CreateVM_Task": 1, "CopyVirtualDisk_Task": 2, "ReconfigVM_Task": 1}
    waits = calls["WaitForUpdatesEx"] + calls["CreateFilter"]
    assert waits <= 3 * sum(tasks.values())
    assert calls["RetrievePropertiesEx"] <= 5
    assert calls.total() <= 5 + sum(tasks.values()) + waits
