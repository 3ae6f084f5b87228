"""Guests on a real libvirtd: lists, domains of foreign origin, changes, deletion."""

import re
import sys
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

import libvirt
import pytest

from simplestack import (
    GIB,
    Conflict,
    EntityNotFound,
    GuestState,
    GuestUpdate,
    InvalidArguments,
    InvalidState,
)
from simplestack_kvm.guests import guest_delete, guest_info, guest_list
from simplestack_kvm.guests_update import guest_update
from simplestack_kvm.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume

ALL_FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED


def test_the_list_shows_each_guest_as_its_own_page_does(session: KvmSession, libvirtd: Libvirtd) -> None:
    connection = session.connection
    with (
        volume(connection, libvirtd.pool, GIB) as one,
        volume(connection, libvirtd.pool, GIB) as two,
        foreign(connection, file_disk(one.path(), "vda", "virtio"), cpus=3) as off,
        foreign(connection, file_disk(two.path(), "sda", "sata")) as sata,
        foreign(connection, cpus=2, current_cpus=1) as running,
        foreign(connection) as saved,
    ):
        running.createWithFlags(PAUSED)
        saved.create()
        saved.managedSave()
        listed = {guest.id: guest for guest in guest_list(session, ALL_FIELDS)}
        for domain in (off, sata, running, saved):
            assert listed[domain.UUIDString()] == guest_info(session, domain.UUIDString())
        first, second = listed[off.UUIDString()], listed[sata.UUIDString()]
        assert (first.cpus, first.memory, first.hdd, first.paravirtualized) == (3, 32, 1, True)
        assert (second.hdd, second.paravirtualized) == (1, False)
        assert listed[running.UUIDString()].cpus == 1
        assert listed[running.UUIDString()].state == GuestState.PAUSED
        assert listed[saved.UUIDString()].state == GuestState.PAUSED
        assert listed[running.UUIDString()].host == connection.getHostname()
        assert first.host is None, "a guest that is off runs on no host"


def round_trips(action: Callable[[], object]) -> int:
    """Count the calls into libvirt that ask libvirtd; names, UUIDs and references are kept in the client."""
    local = re.compile(r"vir\w+(Get(Name|UUID|UUIDString|ID|Connect)|Free|Ref)$")
    called: list[str] = []

    def notice(_frame: FrameType, event: str, function: object) -> None:
        name = getattr(function, "__name__", "")
        if event == "c_call" and name.startswith("vir") and not local.match(name):
            called.append(name)

    sys.setprofile(notice)
    try:
        action()
    finally:
        sys.setprofile(None)
    return len(called)


def test_guests_that_are_off_cost_no_round_trip_each(session: KvmSession, libvirtd: Libvirtd) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(volume(session.connection, libvirtd.pool, GIB))
        devices = file_disk(disk.path(), "vda", "virtio")
        stack.enter_context(foreign(session.connection, devices))
        one = round_trips(lambda: guest_list(session, ALL_FIELDS))
        for _ in range(10):
            stack.enter_context(foreign(session.connection, devices))
        assert round_trips(lambda: guest_list(session, ALL_FIELDS)) == one
        assert 0 < one <= 5


def test_a_list_of_names_and_states_asks_for_no_details(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        listed = {guest.id: guest for guest in guest_list(session, frozenset({"id", "name", "state"}))}
        guest = listed[domain.UUIDString()]
        assert (guest.name, guest.state) == (domain.name(), GuestState.STOPPED)


def test_cd_drives_and_floppies_are_no_disks(session: KvmSession, libvirtd: Libvirtd) -> None:
    connection = session.connection
    with volume(connection, libvirtd.pool, GIB) as disk, volume(connection, libvirtd.pool, GIB) as medium:
        devices = (
            file_disk(disk.path(), "vda", "virtio")
            + file_disk(medium.path(), "sda", "sata", device="cdrom")
            + file_disk("", "sdb", "sata", device="cdrom")
            + file_disk(medium.path(), "fda", "fdc", device="floppy")
        )
        with foreign(connection, devices, machine="pc") as domain:
            listed = {guest.id: guest for guest in guest_list(session, ALL_FIELDS)}
            assert listed[domain.UUIDString()].hdd == 1
            assert guest_info(session, domain.UUIDString()).hdd == 1


def test_a_missing_disk_file_fails_neither_the_guest_nor_the_list(session: KvmSession) -> None:
    with foreign(session.connection, file_disk("/nonexistent/disk", "sda", "sata")) as domain:
        assert guest_info(session, domain.UUIDString()).hdd == 0
        assert domain.UUIDString() in {guest.id for guest in guest_list(session, ALL_FIELDS)}


@pytest.mark.parametrize("guest_id", ["", "no uuid", "x" * 300, "../x", str(uuid.uuid4()), "1"])
def test_an_id_that_is_no_guests_is_not_found(session: KvmSession, guest_id: str) -> None:
    with pytest.raises(EntityNotFound) as caught:
        guest_info(session, guest_id)
    assert caught.value.message == f"Guest:{guest_id} not found"


def test_a_stopped_guest_changes_name_memory_cpus_and_disk_size(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        name = f"renamed-{uuid.uuid4().hex}"
        changes = GuestUpdate(name=name, memory=96, cpus=4, hdd=2.5, paravirtualized=True)
        after = guest_update(session, domain.UUIDString(), changes)
        assert (after.name, after.memory, after.cpus, after.hdd) == (name, 96, 4, 2.5)
        smaller = guest_update(session, domain.UUIDString(), GuestUpdate(memory=48, cpus=2))
        assert (smaller.memory, smaller.cpus) == (48, 2)
        session.connection.lookupByName(name).undefine()


def test_a_refused_change_leaves_the_others_undone(session: KvmSession, libvirtd: Libvirtd) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        before = guest_info(session, domain.UUIDString())
        with pytest.raises(InvalidArguments, match="only grow"):
            guest_update(session, before.id, GuestUpdate(name="another", memory=64, hdd=0.5))
        with pytest.raises(NotImplementedError, match="paravirtualized"):
            guest_update(session, before.id, GuestUpdate(memory=64, paravirtualized=False))
        assert guest_info(session, before.id) == before


def test_a_name_that_is_taken_is_refused(session: KvmSession) -> None:
    with foreign(session.connection) as one, foreign(session.connection) as two:
        with pytest.raises(Conflict, match="taken"):
            guest_update(session, one.UUIDString(), GuestUpdate(name=two.name()))
        assert one.name() != two.name()


def test_hdd_of_a_guest_without_disks_is_refused(session: KvmSession) -> None:
    with foreign(session.connection) as domain, pytest.raises(InvalidArguments, match="no disk"):
        guest_update(session, domain.UUIDString(), GuestUpdate(hdd=1.0))


def test_a_running_guest_keeps_what_needs_it_stopped(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.createWithFlags(PAUSED)
        for changes in (GuestUpdate(name="other"), GuestUpdate(memory=64), GuestUpdate(cpus=2)):
            with pytest.raises(InvalidState, match="STOPPED"):
                guest_update(session, domain.UUIDString(), changes)


def test_deletion_keeps_what_others_use(session: KvmSession, libvirtd: Libvirtd) -> None:
    connection = session.connection
    with (
        volume(connection, libvirtd.pool, GIB) as own,
        volume(connection, libvirtd.pool, GIB) as both,
        volume(connection, libvirtd.pool, GIB) as shareable,
        volume(connection, libvirtd.pool, GIB) as medium,
        volume(connection, libvirtd.pool, GIB) as based_on,
    ):
        pool = connection.storagePoolLookupByName(libvirtd.pool)
        overlay = pool.createXML(
            "<volume><name>overlay</name><capacity>1073741824</capacity>"
            "<target><format type='qcow2'/></target>"
            f"<backingStore><path>{based_on.path()}</path><format type='qcow2'/></backingStore></volume>"
        )
        source = f"<source pool='{libvirtd.pool}' volume='{both.name()}'/>"
        other = (
            f"<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>{source}"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        devices = "".join(
            [
                file_disk(own.path(), "vda", "virtio"),
                file_disk(both.path(), "vdb", "virtio"),
                file_disk(shareable.path(), "vdc", "virtio", more="<shareable/>"),
                file_disk(based_on.path(), "vdd", "virtio"),
                file_disk(medium.path(), "sda", "sata", device="cdrom"),
            ]
        )
        with foreign(connection, devices) as domain, foreign(connection, other):
            guest_delete(session, domain.UUIDString())
            left = {volume.name() for volume in pool.listAllVolumes()}
            assert own.name() not in left
            assert {both.name(), shareable.name(), medium.name(), based_on.name()} <= left
        overlay.delete()


def test_a_guest_with_snapshots_is_deleted(session: KvmSession, libvirtd: Libvirtd) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
        guest_delete(session, domain.UUIDString())
        with pytest.raises(EntityNotFound):
            guest_info(session, domain.UUIDString())


def test_defect_14_a_running_guest_is_not_deleted_and_loses_nothing(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        domain.createWithFlags(PAUSED)
        with pytest.raises(InvalidState, match="PAUSED"):
            guest_delete(session, domain.UUIDString())
        assert domain.isPersistent()
        assert int(disk.info()[1]) == GIB
        domain.destroy()
        guest_delete(session, domain.UUIDString())
        names = session.connection.storagePoolLookupByName(libvirtd.pool).listVolumes()
        assert disk.name() not in names
