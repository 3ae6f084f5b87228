"""Guests that are changed: all of a change in one task, or nothing of it."""

from typing import Any

import msgspec
import pytest
from pyVmomi import vim

from simplestack import (
    Busy,
    Conflict,
    DiskCreate,
    GuestUpdate,
    InvalidArguments,
    InvalidState,
)
from simplestack_vmware import plugin
from simplestack_vmware.hooks.disks import disk_create, disk_delete, disk_list
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.guests_update import guest_update
from simplestack_vmware.hooks.power import guest_start, guest_suspend
from simplestack_vmware.hooks.snapshots import snapshot_create
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from simulators.vsphere.faults import Rule
from support.threads import in_threads
from support.vsphere import Host

from .conftest import Connect
from .linked_clones import link
from .test_disks import READ, TASK_CALLS, devices, id_of

CHANGES = {"ReconfigVM_Task", "MarkAsTemplate", "MarkAsVirtualMachine", "Rename_Task"}


def set_config(host: Host, vm: Object, **values: object) -> None:
    """Let a VM's configuration have other values, as if somebody had set them in vSphere."""
    with host.simulator.database.lock:
        for name, value in values.items():
            owner: Any = vm["config"] if hasattr(vm["config"], name) else vm["config"].hardware
            setattr(owner, name, value)
        vm.touch()


def changed(host: Host) -> dict[str, int]:
    """Return the calls since this was last asked that change something."""
    return {method: count for method, count in host.calls().items() if method in CHANGES}


# What it could do to the data of others


def test_a_disk_that_a_linked_clone_is_based_on_does_not_grow(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    link(host, "vm-2", devices(host.vm())[1].backing)
    host.calls()
    with pytest.raises(Conflict, match="guest 'vm-2' uses a file"):
        guest_update(session, guest, GuestUpdate(hdd=20, name="other"))
    assert changed(host) == {}
    assert [disk.size for disk in disk_list(session, guest)] == [8, 2]


def test_a_name_that_another_guest_has_is_rejected_in_whatever_folder(
    vcenter: Host, session: VmwareSession
) -> None:
    guest = id_of(vcenter)
    vcenter.calls()
    for name in ("vm-0", "vm-2", "shop-db", "debian-12"):  # one is in a vApp, one is a template
        with pytest.raises(Conflict, match=f"has the name '{name}'"):
            guest_update(session, guest, GuestUpdate(name=name, memory=2048))
    assert changed(vcenter) == {}
    assert guest_update(session, guest, GuestUpdate(name="vm-1")).name == "vm-1"


def test_what_others_change_meanwhile_is_not_overwritten(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    host.simulator.faults.add(Rule(method="ReconfigVM_Task", effect="hold"))
    with in_threads(1) as start:
        ended = start(guest_update, session, guest, GuestUpdate(memory=2048, hdd=20))
        with host.simulator.database.lock:
            host.simulator.database.changes.wait_for(lambda: reconfigurations(host), timeout=20)
        set_config(host, host.vm(), memoryMB=4096, changeVersion="of another client")
        host.simulator.faults.clear()
        with pytest.raises(Busy, match="others are changing the guest"):
            ended.result()
    shown = guest_info(session, guest)
    assert (shown.memory, shown.hdd) == (4096, 10)


def reconfigurations(host: Host) -> list[Object]:
    return [task for task in host.all(vim.Task) if "reconfig" in task["info.descriptionId"]]


def test_templates_keep_what_guests_are_made_with(vcenter: Host, session: VmwareSession) -> None:
    template = id_of(vcenter, "debian-12")
    vcenter.calls()
    for changes in (GuestUpdate(memory=2048), GuestUpdate(cpus=4, name="x"), GuestUpdate(hdd=99)):
        with pytest.raises(InvalidState) as rejected:
            guest_update(session, template, changes)
        assert rejected.value.details["current"] == "TEMPLATE"
    assert changed(vcenter) == {}
    assert guest_update(session, template, GuestUpdate(name="debian-13")).name == "debian-13"


def test_all_or_nothing_is_changed(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before = guest_info(session, guest)
    full = Rule(method="ReconfigVM_Task", fault="NoDiskSpace", effect="fail task", properties=NO_SPACE)
    host.simulator.faults.add(full)
    host.calls()
    with pytest.raises(Fault, match="NoDiskSpace"):
        guest_update(session, guest, GuestUpdate(name="web", memory=2048, cpus=4, hdd=20))
    assert changed(host) == {"ReconfigVM_Task": 1}
    assert guest_info(session, guest) == before
    for rejected in (GuestUpdate(name="web", hdd=9), GuestUpdate(name="web", memory=1023)):
        with pytest.raises(InvalidArguments):
            guest_update(session, guest, rejected)
    assert changed(host) == {}
    assert guest_info(session, guest) == before


NO_SPACE = {"file": "[shared-1] vm-1/vm-1_1.vmdk", "datastore": "shared-1"}


def test_of_two_changes_at_once_none_is_lost(host: Host, log_in: Connect) -> None:
    """Each is made, or its client is told to try again."""
    session, guest = log_in(host), id_of(host)
    wanted: list[tuple[str, object]] = [("memory", 2048), ("cpus", 4), ("name", "web"), ("hdd", 12)]

    failures: list[Exception] = []

    def change(each: tuple[str, object]) -> bool:
        for _ in range(20):
            try:
                guest_update(session, guest, msgspec.convert(dict([each]), GuestUpdate))
            except (Busy, Fault) as error:
                failures.append(error)
                continue
            return True
        return False

    with in_threads(len(wanted)) as start:
        ended = [start(change, each) for each in wanted]
    assert [each.result() for each in ended] == [True] * 4
    assert all(isinstance(each, Busy) or isinstance(plugin.translate(each), Busy) for each in failures)
    shown = guest_info(session, guest)
    assert [getattr(shown, name) for name, _ in wanted] == [value for _, value in wanted]


# What it does


def test_everything_is_changed_in_one_task(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before = guest_info(session, guest)
    host.calls()
    after = guest_update(session, guest, GuestUpdate(name="a/b % c\\d", memory=2048, cpus=4, hdd=12.5))
    made = host.calls()
    assert (made["ReconfigVM_Task"], made["Rename_Task"]) == (1, 0)
    # The guest twice, the names, and the disks of all VMs; on vCenter, the names once more.
    reads = 4 + host.simulator.product.is_vcenter
    assert made[READ] == reads
    assert made.total() <= reads + 1 + TASK_CALLS, made
    assert (after.id, after.name, after.memory, after.cpus, after.hdd) == (
        before.id,
        "a/b % c\\d",
        2048,
        4,
        12.5,
    )
    assert [disk.size for disk in disk_list(session, guest)] == [8, 4.5]
    assert host.find(vim.VirtualMachine, "a%2fb %25 c%5cd")["config.instanceUuid"] == guest
    assert guest_info(session, "a/b % c\\d") == after


def test_what_is_the_same_is_not_changed(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before = guest_info(session, guest)
    host.calls()
    same = GuestUpdate(name="vm-1", memory=1024, cpus=2, hdd=10, paravirtualized=True, template=False)
    assert guest_update(session, guest, same) == guest_update(session, guest, GuestUpdate()) == before
    assert changed(host) == {}


def test_a_change_of_memory_takes_few_calls(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    guest_info(session, guest)
    vcenter.calls()
    guest_update(session, guest, GuestUpdate(memory=2048, cpus=4))
    made = vcenter.calls()
    assert (made[READ], made["ReconfigVM_Task"]) == (2, 1)
    assert made.total() <= 3 + TASK_CALLS, made


def test_a_guest_that_runs_gets_more_with_hot_add_alone(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    host.calls()
    for changes, words in (
        (GuestUpdate(memory=2048), "memory hot-add"),
        (GuestUpdate(cpus=4), "CPU hot-add"),
        (GuestUpdate(memory=512), "reduce the memory"),
        (GuestUpdate(cpus=1), "reduce the CPUs"),
    ):
        with pytest.raises(InvalidState, match=f"{words}.* while it is STARTED: it must be STOPPED"):
            guest_update(session, guest, changes)
    assert changed(host) == {}
    set_config(host, host.vm(), memoryHotAddEnabled=True, cpuHotAddEnabled=True)
    grown = guest_update(session, guest, GuestUpdate(memory=2048, cpus=4, hdd=12, name="web"))
    assert (grown.memory, grown.cpus, grown.hdd, grown.name, grown.state) == (2048, 4, 12, "web", "STARTED")
    for less in (GuestUpdate(memory=1024), GuestUpdate(cpus=2)):
        with pytest.raises(InvalidState, match="reduce"):
            guest_update(session, guest, less)


def test_hot_add_of_memory_has_limits(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    limits = {"hotPlugMemoryLimit": 3072, "hotPlugMemoryIncrementSize": 128}
    set_config(host, host.vm(), memoryHotAddEnabled=True, **limits)
    host.calls()
    with pytest.raises(InvalidState, match="beyond its 3072 MiB for hot-add while it is STARTED"):
        guest_update(session, guest, GuestUpdate(memory=4096))
    with pytest.raises(InvalidState, match="units of 128 MiB while it is STARTED"):
        guest_update(session, guest, GuestUpdate(memory=1100))
    assert changed(host) == {}
    assert guest_update(session, guest, GuestUpdate(memory=3072)).memory == 3072


def test_a_suspended_guest_keeps_its_size(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    guest_suspend(session, guest)
    set_config(host, host.vm(), memoryHotAddEnabled=True, cpuHotAddEnabled=True)
    host.calls()
    for changes in (GuestUpdate(memory=2048), GuestUpdate(cpus=4), GuestUpdate(memory=512)):
        with pytest.raises(InvalidState, match="while it is PAUSED"):
            guest_update(session, guest, changes)
    assert changed(host) == {}


def test_cpus_fill_the_sockets(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    set_config(host, host.vm(), numCPU=4, numCoresPerSocket=4)
    host.calls()
    with pytest.raises(InvalidArguments, match=r"`cpus`: 6 is not a multiple of 4, .*: use 8"):
        guest_update(session, guest, GuestUpdate(cpus=6))
    assert changed(host) == {}
    assert guest_update(session, guest, GuestUpdate(cpus=8)).cpus == 8


def test_where_vsphere_chooses_the_cores_any_number_of_cpus_is_sent(
    vcenter: Host, session: VmwareSession
) -> None:
    set_config(vcenter, vcenter.vm(), numCPU=4, numCoresPerSocket=4, autoCoresPerSocket=True)
    vcenter.calls()
    with pytest.raises(Fault, match="InvalidArgument"):  # the simulator does not choose
        guest_update(session, id_of(vcenter), GuestUpdate(cpus=6))
    assert changed(vcenter) == {"ReconfigVM_Task": 1}


def test_disks_only_grow_and_not_with_snapshots(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    with pytest.raises(InvalidArguments, match="9 GiB is less than the guest's disks have"):
        guest_update(session, guest, GuestUpdate(hdd=9))
    snapshot_create(session, guest, "before")
    host.calls()
    with pytest.raises(Conflict, match="while it has snapshots"):
        guest_update(session, guest, GuestUpdate(hdd=20, memory=2048))
    assert changed(host) == {}
    assert guest_update(session, guest, GuestUpdate(hdd=10, memory=2048)).memory == 2048


def test_a_guest_without_disks_cannot_grow(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    with host.simulator.database.lock:
        hardware = host.vm()["config"].hardware
        hardware.device = [
            each for each in hardware.device if not isinstance(each, vim.vm.device.VirtualDisk)
        ]
        host.vm().touch()
    with pytest.raises(InvalidArguments, match="no disk to grow"):
        guest_update(session, guest, GuestUpdate(hdd=1))


def test_the_last_disk_grows(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    disk_create(session, guest, DiskCreate(size=1))
    assert guest_update(session, guest, GuestUpdate(hdd=13.25)).hdd == 13.25
    assert [disk.size for disk in disk_list(session, guest)] == [8, 2, 3.25]


def test_the_disk_controller_stays(host: Host, log_in: Connect) -> None:
    with pytest.raises(NotImplementedError, match="paravirtualized"):
        guest_update(log_in(host), id_of(host), GuestUpdate(paravirtualized=False, memory=2048))
    assert changed(host) == {}


def test_memory_is_a_multiple_of_4_mib(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    for wrong, right in ((1, 4), (1023, 1024), (1025, 1028)):
        with pytest.raises(InvalidArguments, match=f"multiple of 4 MiB.*use {right}"):
            guest_update(session, id_of(host), GuestUpdate(memory=wrong))
    assert changed(host) == {}


def test_a_guest_without_disks_has_none_to_grow(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    for disk in disk_list(session, guest):
        disk_delete(session, guest, disk.id)
    with pytest.raises(InvalidArguments, match="no disk to grow"):
        guest_update(session, guest, GuestUpdate(hdd=20, name="web"))
    assert guest_info(session, guest).name == "vm-1"


def test_an_orphaned_guest_is_not_changed(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    with vcenter.simulator.database.lock:
        vcenter.vm()["runtime.connectionState"] = vim.VirtualMachine.ConnectionState.orphaned
    with pytest.raises(Conflict, match="repair or remove it"):
        guest_update(session, guest, GuestUpdate(memory=2048))
    assert changed(vcenter) == {}
