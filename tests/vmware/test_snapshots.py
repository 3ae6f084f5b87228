"""Snapshots: taken, reverted to and deleted, without harm to those of others."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound, InvalidState
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_info,
    snapshot_list,
    snapshot_revert,
)
from simplestack_vmware.hooks.tags import tag_create, tag_list
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere import disk_chains
from simulators.vsphere.data import copy
from support.vsphere import Host

from .conftest import Connect
from .linked_clones import disk_files, link


def test_snapshots_are_taken_reverted_to_and_deleted_and_later_ones_stay(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = host.vm()["config.instanceUuid"]
    first = snapshot_create(session, guest, "a/b%2fc ü")
    assert (first.name, first.path, first.state) == ("a/b%2fc ü", "a/b%2fc ü", None)
    tag_create(session, guest, "later")
    twin = snapshot_create(session, guest, "a/b%2fc ü")
    third = snapshot_create(session, guest, "third")
    assert snapshot_list(session, guest) == [first, twin, third]
    assert snapshot_revert(session, guest, first.id) == first
    assert tag_list(session, guest) == []
    snapshot_delete(session, guest, first.id)
    assert [each.id for each in snapshot_list(session, guest)] == [twin.id, third.id]
    snapshot_revert(session, guest, twin.id)
    assert tag_list(session, guest) == ["later"]


def test_a_snapshot_does_not_have_the_memory_of_a_guest_that_runs(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    vm = host.vm()
    guest = vm["config.instanceUuid"]
    guest_start(session, guest)
    made = snapshot_create(session, guest, "hot")
    assert made.state is None
    assert vm["runtime.powerState"] == vim.VirtualMachine.PowerState.poweredOn
    snapshot_revert(session, guest, made.id)
    assert vm["runtime.powerState"] == vim.VirtualMachine.PowerState.poweredOff


def test_the_snapshot_of_another_guest_is_not_found_and_stays(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest, other = (host.vm(name)["config.instanceUuid"] for name in ("vm-1", "vm-2"))
    made = snapshot_create(session, guest, "mine")
    host.calls()
    for change in (snapshot_info, snapshot_revert, snapshot_delete):
        for id_ in (made.id, host.vm().id, ""):
            with pytest.raises(EntityNotFound, match="Snapshot"):
                change(session, other, id_)
    assert set(host.calls()) == {"RetrievePropertiesEx", "FindAllByUuid"}
    assert snapshot_list(session, guest) == [made]


def test_a_disk_that_was_attached_after_the_snapshot_stays_in_its_datastore(
    host: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(host)
    vm = host.vm()
    guest = vm["config.instanceUuid"]
    with host.simulator.database.lock:
        devices = vm["config"].hardware.device
        later = next(disk for disk in devices if isinstance(disk, disk_chains.Disk) and disk.unitNumber == 1)
        devices.remove(later)
    made = snapshot_create(session, guest, "before")
    with host.simulator.database.lock:
        vm["config"].hardware.device.append(copy(later))
        vm.touch()
    snapshot_revert(session, guest, made.id)
    assert later.backing.fileName in caplog.text  # type: ignore[union-attr]  # pyVmomi's optional field, which is set here
    place = disk_chains.locate(host.simulator, later.backing.fileName)  # type: ignore[union-attr]  # pyVmomi's optional field, which is set here
    assert host.simulator.files.find(*place) is not None


def test_a_snapshot_whose_file_a_linked_clone_uses_is_not_deleted(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = host.vm()["config.instanceUuid"]
    made = snapshot_create(session, guest, "base")
    link(host, "vm-2", to=disk_of(host, made.id))
    before = disk_files(host)
    with pytest.raises(Conflict, match="'vm-2' uses a file"):
        snapshot_delete(session, guest, made.id)
    assert disk_files(host) == before
    assert snapshot_list(session, guest) == [made]


def test_a_guest_whose_newest_file_a_linked_clone_uses_is_not_reverted(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    vm = host.vm()
    guest = vm["config.instanceUuid"]
    made = snapshot_create(session, guest, "base")
    link(host, "vm-2", to=disk_chains.snapshot_disks(vm["config"])[0].backing)
    before = disk_files(host)
    with pytest.raises(Conflict, match="'vm-2' uses a file"):
        snapshot_revert(session, guest, made.id)
    assert disk_files(host) == before


def test_a_template_has_no_snapshots_taken(vcenter: Host, session: VmwareSession) -> None:
    template = vcenter.vm("debian-12")["config.instanceUuid"]
    with pytest.raises(InvalidState, match="template"):
        snapshot_create(session, template, "x")


def test_a_snapshot_takes_few_calls(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = host.vm()["config.instanceUuid"]
    made = snapshot_create(session, guest, "first")
    for change, method, reads in (
        (lambda: snapshot_create(session, guest, "second"), "CreateSnapshot_Task", 2),
        (lambda: snapshot_revert(session, guest, made.id), "RevertToSnapshot_Task", 3),
        (lambda: snapshot_delete(session, guest, made.id), "RemoveSnapshot_Task", 2),
    ):
        host.calls()
        change()
        calls = host.calls()
        waits = calls.pop("WaitForUpdatesEx")
        assert waits <= 2
        assert calls == {method: 1, "CreateFilter": 1, "RetrievePropertiesEx": reads}


def disk_of(host: Host, snapshot_id: str) -> Any:
    """Return the backing of the first disk of a snapshot."""
    snapshot = host.simulator.database.get(vim.vm.Snapshot(snapshot_id))
    return disk_chains.snapshot_disks(snapshot["config"])[0].backing
