"""Which files of disks other VMs use, as far as anybody can tell. A file that they may use stays."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Busy, Conflict
from simplestack_vmware.hooks.disks import disk_delete
from simplestack_vmware.hooks.guests import guest_delete
from simplestack_vmware.hooks.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_list,
    snapshot_revert,
)
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.data import copy
from simulators.vsphere.database import Object
from simulators.vsphere.sessions import READING, Account
from support.vsphere import PASSWORD, Host, running_host

from .conftest import Connect
from .deletions import Delete, both, disks, has_first_disk, id_of
from .interference import before_call
from .linked_clones import disk_files, share

Disk = vim.vm.device.VirtualDisk
#: All privileges that the operations here need.
OPERATING = READING | {
    "VirtualMachine.Config.RemoveDisk",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.State.CreateSnapshot",
    "VirtualMachine.State.RemoveSnapshot",
    "VirtualMachine.State.RevertToSnapshot",
}


def change(host: Host, vm: Object, path: str, value: Any) -> None:
    with host.simulator.database.lock:
        vm[path] = value


def lose(host: Host, name: str, state: str = "orphaned", *stores: Any) -> None:
    """Let vSphere lose the configuration of a VM.

    :param stores: datastores that vSphere still knows that the VM uses
    """
    vm = host.vm(name)
    change(host, vm, "config", None)
    change(host, vm, "runtime.connectionState", getattr(vim.VirtualMachine.ConnectionState, state))
    change(host, vm, "datastore", list(stores))


@both
@pytest.mark.parametrize("state", ["orphaned", "inaccessible"])
def test_a_vm_that_vsphere_has_lost_may_use_a_file(
    host: Host, log_in: Connect, caplog: pytest.LogCaptureFixture, delete: Delete, state: str
) -> None:
    session = log_in(host)
    lose(host, "vm-2", state)
    delete(session, host)
    assert has_first_disk(host)
    assert f"guest 'vm-2' may use it: vSphere cannot read its configuration (it is {state})" in caplog.text


@both
def test_a_vm_whose_disks_the_user_may_not_read_may_use_a_file(
    either: Host, log_in: Connect, caplog: pytest.LogCaptureFixture, delete: Delete
) -> None:
    share(either, "vm-2", disks(either)[0].backing)
    hidden = {either.vm("vm-2").id: frozenset({"System.Anonymous", "System.View"})}
    either.simulator.sessions.accounts["tenant"] = Account(PASSWORD, OPERATING, hidden)
    delete(log_in(either, "tenant"), either)
    assert has_first_disk(either)
    assert "guest 'vm-2' may use it: the user may not read its disks" in caplog.text


@both
def test_a_vm_that_cannot_be_read_is_no_user_of_other_datastores(
    vcenter: Host, session: VmwareSession, delete: Delete
) -> None:
    lose(vcenter, "vm-2", "orphaned", vcenter.find(vim.Datastore, "isos").ref)
    delete(session, vcenter)
    assert not has_first_disk(vcenter)


def test_snapshots_of_files_that_a_lost_vm_may_use_are_409(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    made = snapshot_create(session, guest, "base")
    lose(host, "vm-2")
    before = disk_files(host)
    for attempt in (snapshot_delete, snapshot_revert):
        with pytest.raises(Conflict, match=r"guest 'vm-2' may use .*orphaned"):
            attempt(session, guest, made.id)
    with pytest.raises(Conflict, match=r"guest 'vm-2' may use .*orphaned"):
        guest_delete(session, guest)
    assert disk_files(host) == before
    assert snapshot_list(session, guest) == [made]


@both
@pytest.mark.parametrize("name", ["debian-12", "shop-db"])
def test_templates_and_vms_in_vapps_use_files_too(
    vcenter: Host, session: VmwareSession, delete: Delete, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    share(vcenter, name, disks(vcenter)[0].backing)
    delete(session, vcenter)
    assert has_first_disk(vcenter)
    assert f"guest '{name}' uses it" in caplog.text


@both
def test_a_disk_of_an_unknown_kind_may_be_any_file(
    host: Host, log_in: Connect, delete: Delete, caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(host)
    with host.simulator.database.lock:
        disks(host, "vm-2")[1].backing = Disk.RawDiskVer2BackingInfo(descriptorFileName="x", deviceName="y")
        host.vm("vm-2").touch()
    delete(session, host)
    assert has_first_disk(host)
    assert "guest 'vm-2' may use it" in caplog.text


@both
def test_a_disk_with_a_life_of_its_own_stays(
    host: Host, log_in: Connect, delete: Delete, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a volume of Kubernetes: vSphere deletes it with the VM that it is attached to."""
    session = log_in(host)
    with host.simulator.database.lock:
        disks(host)[0].vDiskId = vim.vslm.ID(id="2b6c")
        host.vm().touch()
    delete(session, host)
    assert has_first_disk(host)
    assert "it is a first class disk" in caplog.text


@both
@pytest.mark.parametrize("how", ["multi-writer", "bus"])
def test_a_disk_that_guests_of_other_vcenters_may_share_stays(
    host: Host, log_in: Connect, delete: Delete, how: str
) -> None:
    session = log_in(host)
    with host.simulator.database.lock:
        if how == "bus":
            for each in host.vm()["config.hardware.device"]:
                if isinstance(each, vim.vm.device.VirtualSCSIController):
                    each.sharedBus = vim.vm.device.VirtualSCSIController.Sharing.physicalSharing
        else:
            disks(host)[0].backing.sharing = "sharingMultiWriter"
        host.vm().touch()
    delete(session, host)
    assert has_first_disk(host)


@both
def test_a_disk_that_somebody_attaches_while_it_is_looked_at_is_not_deleted(
    host: Host, log_in: Connect, delete: Delete
) -> None:
    """Another VM's disk becomes this guest's, too, after the guest was read."""
    session = log_in(host)
    delete_target = disks(host, "vm-2")[0]

    def attach() -> None:
        with host.simulator.database.lock:
            vm = host.vm()
            disks(host)[1].backing = copy(delete_target.backing)
            vm["config"].changeVersion = "meanwhile"
            vm.touch()

    # The first read is of the guest, the second of all disks.
    before_call(host, "RetrievePropertiesEx", attach, after=1)
    before = disk_files(host)
    with pytest.raises(Busy):
        delete(session, host)
    assert disk_files(host) == before
    assert host.calls()["Destroy_Task"] == 0


@both
def test_a_disk_that_another_vm_gets_while_the_guest_is_looked_at_stays(
    host: Host, log_in: Connect, delete: Delete
) -> None:
    session = log_in(host)
    mine = copy(disks(host)[0].backing)
    before_call(host, "RetrievePropertiesEx", lambda: share(host, "vm-2", mine), after=1)
    delete(session, host)
    assert has_first_disk(host)


def test_a_guest_whose_neighbors_cannot_be_seen_keeps_its_files(
    vcenter: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    folder = vcenter.find(vim.Folder, "servers")
    vcenter.simulator.sessions.accounts["tenant"] = Account(
        PASSWORD, OPERATING, {folder.id: frozenset[str]()}
    )
    tenant = log_in(vcenter, "tenant")
    assert folder.ref == vcenter.vm()["parent"]
    disk_delete(tenant, id_of(vcenter), "2000")
    assert has_first_disk(vcenter)
    assert "the user may not see all guests" in caplog.text


def test_the_check_takes_as_many_calls_for_1000_vms_as_for_10(trust: Any, log_in: Connect) -> None:
    counts = []
    for vms in (10, 900):
        with running_host(trust, vms=vms) as host:
            session = log_in(host)
            lose(host, "vm-3")
            host.calls()
            disk_delete(session, id_of(host), "2000")
            counts.append(host.calls())
    assert counts[0]["RetrievePropertiesEx"] == counts[1]["RetrievePropertiesEx"] == 2
