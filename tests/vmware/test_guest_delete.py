"""Deleting guests: their own disks go, those that others use stay."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound, HypervisorError, InvalidState, OperationTimeout
from simplestack_vmware.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.snapshots import snapshot_create
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere import disk_chains
from simulators.vsphere.database import Object
from simulators.vsphere.faults import Rule
from support.vsphere import Host

from .conftest import Connect
from .interference import before_call, let_go
from .linked_clones import disk_files, link, share

NAMES = frozenset({"id", "name", "state"})


def first_disk(vm: Object) -> Any:
    """Return the backing of a VM's first disk."""
    return disk_chains.snapshot_disks(vm["config"])[0].backing


def names_of(session: VmwareSession) -> set[str]:
    return {guest.name for guest in guest_list(session, NAMES)}


def test_a_guest_is_deleted_with_its_own_disks_and_no_others(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = host.vm()["config.instanceUuid"]
    before, guests = disk_files(host), names_of(session)
    guest_delete(session, guest)
    after = disk_files(host)
    gone = {path for store, paths in before.items() for path in paths - after[store]}
    assert gone == {f"vm-1/vm-1{suffix}" for suffix in (".vmx", ".nvram", ".vmdk", "_1.vmdk")}
    assert names_of(session) == guests - {"vm-1"}
    for again in (guest_info, guest_delete):
        with pytest.raises(EntityNotFound, match="Guest"):
            again(session, guest)


def test_a_disk_that_another_guest_uses_too_stays(
    host: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(host)
    shared = first_disk(host.vm())
    share(host, "vm-2", shared)
    guest_delete(session, host.vm()["config.instanceUuid"])
    assert host.simulator.files.find(*disk_chains.locate(host.simulator, shared.fileName)) is not None
    assert "vm-1/vm-1_1.vmdk" not in set().union(*disk_files(host).values())
    assert first_disk(host.vm("vm-2")).fileName == shared.fileName
    assert f"stays in its datastore as {shared.fileName!r}: guest 'vm-2'" in caplog.text
    guest_start(session, host.vm("vm-2")["config.instanceUuid"])


def test_a_disk_that_a_linked_clone_is_based_on_stays(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    base = first_disk(host.vm())
    link(host, "vm-2", to=base)
    guest_delete(session, host.vm()["config.instanceUuid"])
    assert host.simulator.files.find(*disk_chains.locate(host.simulator, base.fileName)) is not None


def test_the_disk_of_a_linked_clone_stays_with_what_it_is_based_on(host: Host, log_in: Connect) -> None:
    """A lone host deletes the files that it is based on with it."""
    session = log_in(host)
    base = first_disk(host.vm())
    link(host, "vm-2", to=base)
    own = first_disk(host.vm("vm-2"))
    guest_delete(session, host.vm("vm-2")["config.instanceUuid"])
    for each in (base, own):
        assert host.simulator.files.find(*disk_chains.locate(host.simulator, each.fileName)) is not None
    assert first_disk(host.vm()).fileName == base.fileName


def test_a_disk_that_the_snapshot_of_another_guest_uses_stays(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    base, own = first_disk(host.vm()), first_disk(host.vm("vm-2"))
    share(host, "vm-2", base)
    snapshot_create(session, host.vm("vm-2")["config.instanceUuid"], "shared")
    share(host, "vm-2", own)
    guest_delete(session, host.vm()["config.instanceUuid"])
    assert host.simulator.files.find(*disk_chains.locate(host.simulator, base.fileName)) is not None


def test_a_guest_whose_snapshots_a_linked_clone_is_based_on_is_not_deleted(
    host: Host, log_in: Connect
) -> None:
    session = log_in(host)
    base = first_disk(host.vm())
    link(host, "vm-2", to=base)
    snapshot_create(session, host.vm()["config.instanceUuid"], "base")
    before = disk_files(host)
    with pytest.raises(
        Conflict,
        match="guest 'vm-2' uses a file of their disks: delete the snapshots, or guest",
    ):
        guest_delete(session, host.vm()["config.instanceUuid"])
    assert disk_files(host) == before


def test_a_guest_that_runs_or_is_suspended_and_a_template_are_not_deleted(
    vcenter: Host, session: VmwareSession
) -> None:
    vm = vcenter.vm()
    before = disk_files(vcenter)
    for state in (vim.VirtualMachine.PowerState.poweredOn, vim.VirtualMachine.PowerState.suspended):
        with vcenter.simulator.database.lock:
            vm["runtime.powerState"] = state
        with pytest.raises(InvalidState):
            guest_delete(session, vm["config.instanceUuid"])
    with pytest.raises(InvalidState, match="template"):
        guest_delete(session, vcenter.vm("debian-12")["config.instanceUuid"])
    assert disk_files(vcenter) == before
    assert vcenter.calls()["Destroy_Task"] == 0


def test_a_guest_that_is_not_deleted_still_has_its_shared_disk(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    vm = host.vm()
    share(host, "vm-2", first_disk(vm))
    disks = [(disk.key, disk.backing.fileName) for disk in disk_chains.snapshot_disks(vm["config"])]
    host.simulator.faults.add(Rule(method="Destroy_Task", effect="fail task", fault="InvalidState"))
    with pytest.raises(Fault, match="InvalidState"):
        guest_delete(session, vm["config.instanceUuid"])
    left = [(disk.key, disk.backing.fileName) for disk in disk_chains.snapshot_disks(vm["config"])]
    assert sorted(left) == sorted(disks)


def test_a_disk_is_not_attached_again_while_the_deletion_may_still_run(host: Host, log_in: Connect) -> None:
    session = log_in(host, call_timeout_seconds=0.5)
    vm = host.vm()
    shared = first_disk(vm)
    share(host, "vm-2", shared)
    host.simulator.faults.add(Rule(method="Destroy_Task", effect="hold"))
    with pytest.raises(OperationTimeout, match=r"; Hard disk 1 stays detached, as ") as failed:
        guest_delete(session, vm["config.instanceUuid"])
    assert failed.value.message.endswith(repr(shared.fileName))
    assert shared.fileName not in {disk.backing.fileName for disk in disk_chains.snapshot_disks(vm["config"])}


def test_a_disk_is_not_attached_again_while_a_deletion_that_cannot_be_watched_runs(
    host: Host, log_in: Connect
) -> None:
    """The fault is one of the wait. Attached again, the disk would be deleted with the guest."""
    session = log_in(host)
    vm = host.vm()
    shared = first_disk(vm)
    share(host, "vm-2", shared)
    host.simulator.faults.add(Rule(method="Destroy_Task", effect="hold"))
    rejected = Rule(method="WaitForUpdatesEx", fault="SystemError", times=2)
    before_call(host, "Destroy_Task", lambda: host.simulator.faults.add(rejected))
    with pytest.raises(HypervisorError, match=r"check whether it took effect; Hard disk 1 stays detached"):
        guest_delete(session, vm["config.instanceUuid"])
    assert host.calls()["ReconfigVM_Task"] == 1
    let_go(host)
    assert host.simulator.files.find(*disk_chains.locate(host.simulator, shared.fileName)) is not None


def test_a_disk_that_cannot_be_attached_again_is_named_in_the_error(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    vm = host.vm()
    share(host, "vm-2", first_disk(vm))
    host.simulator.faults.add(Rule(method="Destroy_Task", effect="fail task", fault="InvalidState"))
    host.simulator.faults.add(
        Rule(method="ReconfigVM_Task", after=1, effect="fail task", fault="InvalidState")
    )
    with pytest.raises(Conflict, match=r"InvalidState.*; Hard disk 1 stays detached, as "):
        guest_delete(session, vm["config.instanceUuid"])


def test_a_deletion_takes_few_calls(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = host.vm()["config.instanceUuid"]
    guest_info(session, guest)
    host.calls()
    guest_delete(session, guest)
    calls = host.calls()
    assert calls.pop("WaitForUpdatesEx") <= 2
    assert calls == {
        "RetrievePropertiesEx": 2,
        "Destroy_Task": 1,
        "CreatePropertyCollector": 1,
        "CreateFilter": 1,
    }
