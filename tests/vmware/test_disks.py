"""Disks that are added, grown and deleted. Files that others use stay."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Busy, Conflict, DiskCreate, DiskUpdate, EntityNotFound, InvalidArguments, InvalidState
from simplestack_vmware.hooks import disks as hooks
from simplestack_vmware.hooks.disks import disk_create, disk_delete, disk_list, disk_update
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.snapshots import snapshot_create
from simplestack_vmware.vsphere.disks.files import VmDisks
from simplestack_vmware.vsphere.disks.removal import remove_disk
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere import disk_chains
from simulators.vsphere.database import Object
from support.vsphere import Host

from .conftest import Connect
from .interference import before_call
from .linked_clones import disk_files, link, share

Disk = vim.vm.device.VirtualDisk
READ = "RetrievePropertiesEx"
#: Calls of a task that is quick, and of the first task of a session.
TASK_CALLS = 5


def id_of(host: Host, name: str = "vm-1") -> str:
    found: str = host.vm(name)["config.instanceUuid"]
    return found


def devices(vm: Object, kind: Any = Disk) -> list[Any]:
    return [each for each in vm["config.hardware.device"] if isinstance(each, kind)]


def has_file(host: Host, name: str) -> bool:
    return host.simulator.files.find(*disk_chains.locate(host.simulator, name)) is not None


def test_a_deleted_disk_goes_with_its_file_and_no_other(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before = disk_files(host)
    disk_delete(session, guest, "2001")
    after = disk_files(host)
    gone = {path for store, paths in before.items() for path in paths - after[store]}
    assert gone == {"vm-1/vm-1_1.vmdk"}
    assert [disk.id for disk in disk_list(session, guest)] == ["2000"]
    with pytest.raises(EntityNotFound, match="Disk"):
        disk_delete(session, guest, "2001")


@pytest.mark.parametrize("use", [share, link])
def test_a_disk_that_another_guest_uses_stays_and_a_warning_says_so(
    host: Host, log_in: Connect, use: Any, caplog: pytest.LogCaptureFixture
) -> None:
    session, guest = log_in(host), id_of(host)
    file = devices(host.vm())[0].backing
    use(host, "vm-2", file)
    disk_delete(session, guest, "2000")
    assert has_file(host, file.fileName)
    assert [disk.id for disk in disk_list(session, guest)] == ["2001"]
    assert f"stays in its datastore as {file.fileName!r}: guest 'vm-2'" in caplog.text


def test_a_disk_that_a_snapshot_needs_stays(
    host: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    session, guest = log_in(host), id_of(host)
    snapshot_create(session, guest, "before")
    before = disk_files(host)
    disk_delete(session, guest, "2000")
    assert disk_files(host) == before
    assert "the guest has snapshots" in caplog.text


@pytest.mark.parametrize("sharing", ["sharingMultiWriter"])
def test_a_disk_that_may_be_shared_stays(host: Host, log_in: Connect, sharing: str) -> None:
    session = log_in(host)
    with host.simulator.database.lock:
        devices(host.vm())[1].backing.sharing = sharing
        host.vm().touch()
    before = disk_files(host)
    disk_delete(session, id_of(host), "2001")
    assert disk_files(host) == before


def test_a_disk_that_took_the_key_of_another_one_is_not_deleted(host: Host, log_in: Connect) -> None:
    """Between the read and the deletion, others put another disk at the same place."""
    session, guest = log_in(host), id_of(host)
    vm = find_guest(session, guest, VmDisks)
    disk_delete(session, guest, "2001")
    disk_create(session, guest, DiskCreate(size=3))
    before = disk_files(host)
    with pytest.raises(Busy):
        remove_disk(session, vm, "2001")
    assert disk_files(host) == before


def test_a_disk_that_others_add_right_after_is_not_taken_for_the_new_one(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    others = log_in(host)
    # The first read is of the guest, the second shows the new disk.
    before_call(host, READ, lambda: disk_create(others, guest, DiskCreate(size=4)), after=1)
    made = disk_create(session, guest, DiskCreate(size=3))
    assert (made.size, made.number) == (3, "0:2")
    assert [disk.size for disk in disk_list(session, guest)] == [8, 2, 3, 4]


def test_disks_of_other_guests_and_templates_are_not_changed(vcenter: Host, session: VmwareSession) -> None:
    with pytest.raises(EntityNotFound, match="Disk"):
        disk_delete(session, id_of(vcenter), "3000")  # its CD drive
    (template,) = [vm for vm in vcenter.all(vim.VirtualMachine) if vm["config.template"]]
    identity = template["config.instanceUuid"]
    for change in (
        lambda: disk_delete(session, identity, "2000"),
        lambda: disk_create(session, identity, DiskCreate(size=1)),
        lambda: disk_update(session, identity, "2000", DiskUpdate(size=100)),
    ):
        with pytest.raises(InvalidState):
            change()
    assert vcenter.calls()["ReconfigVM_Task"] == 0


def test_the_eighth_disk_skips_unit_7_and_the_sixteenth_gets_a_second_controller(
    host: Host, log_in: Connect
) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    for size in range(1, 15):
        made = disk_create(session, guest, DiskCreate(size=size))
        assert made.size == size
    numbers = [disk.number for disk in disk_list(session, guest)]
    assert numbers == [*(f"0:{unit}" for unit in range(16) if unit != 7), "1:0"]
    kinds = {type(each) for each in devices(host.vm(), vim.vm.device.VirtualSCSIController)}
    assert kinds == {vim.vm.device.ParaVirtualSCSIController}
    assert len(devices(host.vm(), vim.vm.device.VirtualSCSIController)) == 2


def test_a_disk_is_made_in_the_datastore_that_is_named(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    home = devices(vcenter.vm())[0].backing.fileName.partition("]")[0][1:]
    for store in vcenter.all(vim.Datastore):
        mounts = {mount.key for mount in store["host"]}
        if vcenter.vm()["runtime.host"] in mounts:
            made = disk_create(session, guest, DiskCreate(size=1.5, storage_id=store["name"]))
            assert made.size == 1.5
            assert made.extra_info is not None
            assert made.extra_info.startswith(f"[{store['name']}] ")
    assert disk_create(session, guest, DiskCreate(size=1)).extra_info.startswith(f"[{home}] ")  # type: ignore[union-attr]  # of this hypervisor always set
    with pytest.raises(EntityNotFound, match="Storage"):
        disk_create(session, guest, DiskCreate(size=1, storage_id="none"))


def test_a_disk_grows_where_it_is(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    before = disk_list(session, guest)
    grown = disk_update(session, guest, "2001", DiskUpdate(size=5))
    assert (grown.size, grown.number, grown.extra_info) == (5, before[1].number, before[1].extra_info)
    host.calls()
    assert disk_update(session, guest, "2001", DiskUpdate(size=5)) == grown
    assert host.calls()["ReconfigVM_Task"] == 0
    with pytest.raises(InvalidArguments, match="only grow"):
        disk_update(session, guest, "2001", DiskUpdate(size=4))
    assert disk_list(session, guest) == [before[0], grown]


def test_a_disk_of_a_guest_with_snapshots_or_of_a_linked_clone_does_not_grow(
    host: Host, log_in: Connect
) -> None:
    session = log_in(host)
    snapshot_create(session, id_of(host), "before")
    link(host, "vm-2", devices(host.vm("vm-1"))[1].backing)
    host.calls()
    for name, reason in (("vm-1", "has snapshots"), ("vm-2", "linked clone")):
        with pytest.raises(Conflict, match=reason):
            disk_update(session, id_of(host, name), "2000", DiskUpdate(size=50))
    assert host.calls()["ReconfigVM_Task"] == 0


@pytest.mark.parametrize("use", [share, link])
def test_a_disk_that_another_guest_uses_does_not_grow(host: Host, log_in: Connect, use: Any) -> None:
    """A linked clone would be damaged: its disk does not fit the file any more."""
    session, guest = log_in(host), id_of(host)
    use(host, "vm-2", devices(host.vm())[0].backing)
    before = disk_list(session, guest)
    with pytest.raises(Conflict, match="guest 'vm-2' uses a file that this would change"):
        disk_update(session, guest, "2000", DiskUpdate(size=100))
    assert disk_list(session, guest) == before


def test_names_of_disks_are_not_supported(vcenter: Host, session: VmwareSession) -> None:
    for change in (
        lambda: disk_create(session, id_of(vcenter), DiskCreate(size=1, name="data")),
        lambda: disk_update(session, id_of(vcenter), "2000", DiskUpdate(name="data")),
    ):
        with pytest.raises(NotImplementedError, match="name"):
            change()  # type: ignore[no-untyped-call]  # pyVmomi's constructors have no types
    assert vcenter.calls()["ReconfigVM_Task"] == 0


def test_changes_take_few_calls(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    hooks.disk_list(session, guest)
    changes: list[tuple[Callable[[], object], int]] = [
        (lambda: disk_create(session, guest, DiskCreate(size=1)), 2),
        (lambda: disk_update(session, guest, "2002", DiskUpdate(size=2)), 3),
        (lambda: disk_delete(session, guest, "2002"), 2),
    ]
    for change, reads in changes:
        vcenter.calls()
        change()
        made = vcenter.calls()
        assert made[READ] == reads
        assert made["ReconfigVM_Task"] == 1
        assert made.total() <= reads + 1 + TASK_CALLS, made
