"""Guests on a real libvirtd: lists, domains of foreign origin, changes, deletion."""

import re
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import libvirt
import pytest

from simplestack import (
    GIB,
    Conflict,
    DiskUpdate,
    EntityNotFound,
    Guest,
    GuestState,
    GuestUpdate,
    InvalidArguments,
    InvalidState,
)
from simplestack_kvm.hooks.disks import disk_list, disk_update
from simplestack_kvm.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.libvirtd.connection.session import KvmSession
from support.threads import profiled

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume, volume_disk
from .interference import after

ALL_FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
KIB_PER_MIB = 1024


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


def names(session: KvmSession) -> dict[str, str]:
    """Return the names of all guests by their ids, as libvirtd has them: a domain's object keeps its own."""
    return {domain.UUIDString(): domain.name() for domain in session.connection.listAllDomains()}


def round_trips(action: Callable[[], object]) -> int:
    """Count the calls into libvirt that ask libvirtd; names, UUIDs and references are kept in the client."""
    local = re.compile(r"vir\w+(Get(Name|Key|UUID|UUIDString|ID|UsageID|Connect)|Free|Ref)$")
    called: list[str] = []

    def notice(_frame: FrameType, event: str, function: object) -> None:
        name = getattr(function, "__name__", "")
        if event == "c_call" and name.startswith("vir") and not local.match(name):
            called.append(name)

    with profiled(notice):
        action()
    return len(called)


def test_guests_that_are_off_cost_a_round_trip_when_they_are_new_and_none_later(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(volume(session.connection, libvirtd.pool, GIB))
        devices = (
            file_disk(disk.path(), "vda", "virtio")
            + file_disk(disk.path(), "sda", "sata")
            + file_disk("", "sdb", "sata", device="cdrom")
        )
        stack.enter_context(foreign(session.connection, devices))
        new = round_trips(lambda: guest_list(session, ALL_FIELDS))
        one = round_trips(lambda: guest_list(session, ALL_FIELDS))
        assert (new - one, 0 < one <= 9) == (1, True)
        for _ in range(10):
            stack.enter_context(foreign(session.connection, devices))
        assert round_trips(lambda: guest_list(session, ALL_FIELDS)) == one + 10
        assert round_trips(lambda: guest_list(session, ALL_FIELDS)) == one


def test_a_guest_that_changes_while_it_is_off_is_listed_as_it_is(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        volume(session.connection, libvirtd.pool, 2 * GIB) as other,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        for change, hdd in (
            (lambda: None, 1),
            (lambda: domain.attachDeviceFlags(file_disk(other.path(), "vdb", "virtio"), config), 3),
            (lambda: domain.detachDeviceFlags(file_disk(disk.path(), "vda", "virtio"), config), 2),
            (lambda: other.resize(5 * GIB), 5),
            (lambda: domain.updateDeviceFlags(file_disk(disk.path(), "vdb", "virtio"), config), 1),
        ):
            change()
            (listed,) = [
                guest for guest in guest_list(session, ALL_FIELDS) if guest.id == domain.UUIDString()
            ]
            assert listed.hdd == hdd
            assert listed == guest_info(session, domain.UUIDString())


def listed(session: KvmSession, domain: "libvirt.virDomain", fields: frozenset[str] = ALL_FIELDS) -> Guest:
    """Return a guest as the list has it."""
    (guest,) = [guest for guest in guest_list(session, fields) if guest.id == domain.UUIDString()]
    return guest


def redefine(domain: "libvirt.virDomain", old: str, new: str) -> None:
    """Replace text in the description of a guest that is off."""
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert old in text
    connection: Any = domain.connect()  # type: ignore[no-untyped-call]  # the binding's own lacks types
    connection.defineXML(text.replace(old, new))


def test_a_guest_whose_disk_is_named_by_pool_and_volume_is_listed_as_it_is(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as one,
        volume(session.connection, libvirtd.pool, 5 * GIB) as other,
        foreign(session.connection, volume_disk(libvirtd.pool, one.name(), "vda", "virtio")) as domain,
    ):
        assert listed(session, domain).hdd == 1
        redefine(domain, one.name(), other.name())
        assert listed(session, domain).hdd == 5
        assert listed(session, domain) == guest_info(session, domain.UUIDString())


def test_a_guest_whose_disk_has_come_into_a_storage_is_listed_with_its_size(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    elsewhere = str(libvirtd.folder / "in-no-pool.qcow2")
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(elsewhere, "vda", "virtio")) as domain,
    ):
        assert listed(session, domain).hdd is None
        redefine(domain, elsewhere, disk.path())
        assert listed(session, domain).hdd == 1
        assert round_trips(lambda: listed(session, domain)) == round_trips(lambda: listed(session, domain))


def test_a_guest_without_disks_that_gets_one_is_listed_with_it(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection) as domain,
    ):
        assert (listed(session, domain).hdd, listed(session, domain).paravirtualized) == (0, None)
        redefine(domain, "</devices>", file_disk(disk.path(), "vda", "virtio") + "</devices>")
        assert (listed(session, domain).hdd, listed(session, domain).paravirtualized) == (1, True)


def test_a_list_of_the_kind_of_guests_alone_shows_it_as_it_is(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    fields = frozenset({"id", "paravirtualized"})
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        assert listed(session, domain, fields).paravirtualized
        config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        domain.detachDeviceFlags(file_disk(disk.path(), "vda", "virtio"), config)
        domain.attachDeviceFlags(file_disk(disk.path(), "sda", "sata"), config)
        assert listed(session, domain, fields).paravirtualized is False


def test_a_list_of_names_and_states_asks_for_no_details(session: KvmSession) -> None:
    fields = frozenset({"id", "name", "state"})
    with foreign(session.connection) as off, foreign(session.connection) as running:
        before = round_trips(lambda: guest_list(session, fields))
        running.createWithFlags(PAUSED)
        assert round_trips(lambda: guest_list(session, fields)) == before, "a guest that runs cost more"
        listed = {guest.id: (guest.name, guest.state) for guest in guest_list(session, fields)}
        assert listed[off.UUIDString()] == (names(session)[off.UUIDString()], GuestState.STOPPED)
        assert listed[running.UUIDString()] == (names(session)[running.UUIDString()], GuestState.PAUSED)


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


def test_a_disk_whose_file_is_missing_has_no_size_and_fails_neither_the_guest_nor_the_list(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        volume(session.connection, libvirtd.pool, GIB) as gone,
    ):
        Path(gone.path()).unlink()
        for path in (gone.path(), "/nonexistent/disk"):
            devices = file_disk(disk.path(), "vda", "virtio") + file_disk(path, "sda", "sata")
            with foreign(session.connection, devices) as domain:
                shown = guest_info(session, domain.UUIDString())
                assert (shown.hdd, shown.memory, shown.cpus) == (None, 32, 1), "part of the sum is no sum"
                assert shown in guest_list(session, ALL_FIELDS)
                assert [found.size for found in disk_list(session, shown.id)] == [1, None]
                with pytest.raises(Conflict, match="size of disk sda is unknown"):
                    guest_update(session, shown.id, GuestUpdate(hdd=5))
                with pytest.raises(Conflict, match="size of disk sda is unknown"):
                    disk_update(session, shown.id, "sda", DiskUpdate(size=5))


@pytest.mark.parametrize(
    "guest_id", ["", "no uuid", "x" * 300, "../x", "5d2b1c7e-4a0f-4c36-9a55-3f1f0c6a7b80", "1"]
)
def test_an_id_that_is_no_guests_is_not_found(session: KvmSession, guest_id: str) -> None:
    with pytest.raises(EntityNotFound) as caught:
        guest_info(session, guest_id)
    assert caught.value.message == f"Guest:{guest_id} not found"


def defined(domain: "libvirt.virDomain") -> tuple[int, int, int, int]:
    """Return what libvirtd has of a guest that is off: memory in KiB and CPUs, each at most and now."""
    info: Any = domain.info()  # annotated as str
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    most_cpus = domain.vcpusFlags(config | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    return info[1], info[2], most_cpus, domain.vcpusFlags(config)


def test_a_stopped_guest_changes_name_memory_cpus_and_disk_size(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        name = f"renamed-{uuid.uuid4().hex}"
        changes = GuestUpdate(name=name, memory=96, cpus=4, hdd=2.5, paravirtualized=True)
        changed = guest_update(session, domain.UUIDString(), changes)
        assert (changed.name, changed.memory, changed.cpus, changed.hdd) == (name, 96, 4, 2.5)
        renamed = session.connection.lookupByName(name)
        assert renamed.UUIDString() == domain.UUIDString()
        assert defined(renamed) == (96 * KIB_PER_MIB, 96 * KIB_PER_MIB, 4, 4)
        assert int(disk.info()[1]) == 2.5 * GIB
        smaller = guest_update(session, domain.UUIDString(), GuestUpdate(memory=48, cpus=2))
        assert (smaller.memory, smaller.cpus) == (48, 2)
        assert defined(renamed) == (48 * KIB_PER_MIB, 48 * KIB_PER_MIB, 2, 2)
        renamed.undefine()


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
        before = names(session)
        with pytest.raises(Conflict, match="another guest has the name"):
            guest_update(session, one.UUIDString(), GuestUpdate(name=two.name()))
        assert names(session) == before
        assert {one.UUIDString(), two.UUIDString()} <= before.keys()


def test_a_name_that_somebody_else_takes_meanwhile_is_refused(session: KvmSession) -> None:
    with foreign(session.connection) as one, foreign(session.connection) as two:
        before, unchanged = names(session), defined(one)
        wanted = f"wanted-{uuid.uuid4().hex}"
        changes = GuestUpdate(name=wanted, memory=64)
        with (
            # Asked for the name's sake, and then for the memory's: by then the name was found to be free.
            after("virDomainHasManagedSaveImage", lambda: two.rename(wanted), nth=2),
            pytest.raises(Conflict, match="another guest has the name"),
        ):
            guest_update(session, one.UUIDString(), changes)
        assert names(session) == before | {two.UUIDString(): wanted}
        assert defined(one) == unchanged
        session.connection.lookupByName(wanted).undefine()


def test_hdd_of_a_guest_without_disks_is_refused(session: KvmSession) -> None:
    with foreign(session.connection) as domain, pytest.raises(InvalidArguments, match="no disk"):
        guest_update(session, domain.UUIDString(), GuestUpdate(hdd=1.0))


def test_a_running_guest_keeps_what_needs_it_stopped(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.createWithFlags(PAUSED)
        before = names(session), [domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
        for changes in (GuestUpdate(name="other"), GuestUpdate(memory=64), GuestUpdate(cpus=2)):
            with pytest.raises(InvalidState, match="STOPPED"):
                guest_update(session, domain.UUIDString(), changes)
        now = names(session), [domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
        assert now == before


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
