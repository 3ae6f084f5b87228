"""Changes to guests on a real libvirtd: all of them or none, and no maximum is cut that somebody else set."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt
import pytest

from simplestack import (
    GIB,
    Conflict,
    GuestCreate,
    GuestUpdate,
    HypervisorError,
    InvalidArguments,
    InvalidState,
)
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .interference import after

KIB_PER_MIB = 1024
CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
TOPOLOGY = "<cpu><topology sockets='1' cores='4' threads='1'/></cpu>"
NUMA = "<cpu><numa><cell id='0' cpus='0-3' memory='65536' unit='KiB'/></numa></cpu>"


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


def defined(domain: "libvirt.virDomain") -> tuple[int, int, int, int]:
    """Return what the definition has: memory in MiB and CPUs, each at most and now."""
    document = parse_document(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    memory, now, vcpu = (document.find(tag) for tag in ("memory", "currentMemory", "vcpu"))
    assert memory is not None
    assert now is not None
    assert vcpu is not None
    most = int(vcpu.text or 0)
    return (
        int(memory.text or 0) // KIB_PER_MIB,
        int(now.text or 0) // KIB_PER_MIB,
        most,
        int(vcpu.get("current", most)),
    )


@contextmanager
def with_room(session: KvmSession, devices: str = "", extra: str = "") -> Iterator["libvirt.virDomain"]:
    """Give a guest of others that has 64 of at most 128 MiB, and 2 of at most 4 CPUs."""
    with foreign(session.connection, devices, cpus=4, current_cpus=2, extra=extra) as domain:
        domain.setMemoryFlags(128 * KIB_PER_MIB, CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
        domain.setMemoryFlags(64 * KIB_PER_MIB, CONFIG)
        assert defined(domain) == (128, 64, 4, 2)
        yield domain


def fail() -> None:
    raise BrokenError


def test_a_guest_of_others_keeps_its_maxima(session: KvmSession) -> None:
    with with_room(session) as domain:
        guest_id = domain.UUIDString()
        for memory, cpus in ((96, 3), (32, 1), (128, 4)):
            changed = guest_update(session, guest_id, GuestUpdate(memory=memory, cpus=cpus))
            assert (changed.memory, changed.cpus) == (memory, cpus)
            assert defined(domain) == (128, memory, 4, cpus)
    with with_room(session) as domain:
        guest_update(session, domain.UUIDString(), GuestUpdate(memory=256, cpus=6))
        assert defined(domain) == (256, 256, 6, 6)


def test_a_guest_without_room_to_grow_has_no_more_than_it_is_given(session: KvmSession) -> None:
    made = guest_create(session, GuestCreate(name=f"own-{uuid.uuid4().hex[:8]}", memory=64, cpus=2))
    domain = session.connection.lookupByUUIDString(made.id)
    try:
        for memory, cpus in ((96, 4), (32, 1)):
            guest_update(session, made.id, GuestUpdate(memory=memory, cpus=cpus))
            assert defined(domain) == (memory, memory, cpus, cpus)
    finally:
        guest_delete(session, made.id)


@pytest.mark.parametrize("extra", [TOPOLOGY, NUMA])
def test_a_topology_stays_whole(session: KvmSession, extra: str) -> None:
    with foreign(session.connection, cpus=4, extra=extra) as domain:
        guest_id, memory = domain.UUIDString(), defined(domain)[0]
        changed = guest_update(session, guest_id, GuestUpdate(memory=memory - 8, cpus=3))
        assert (changed.memory, changed.cpus) == (memory - 8, 3)
        assert defined(domain)[2:] == (4, 3)
        before = domain.XMLDesc()
        with pytest.raises(InvalidArguments, match="at most 4"):
            guest_update(session, guest_id, GuestUpdate(memory=memory - 16, cpus=8))
        assert domain.XMLDesc() == before


def test_a_change_that_libvirt_rejects_changes_nothing(session: KvmSession, libvirtd: Libvirtd) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,  # made with compat 0.10
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
        before = domain.XMLDesc()
        with pytest.raises(libvirt.libvirtError, match="snapshots"):
            guest_update(session, domain.UUIDString(), GuestUpdate(memory=64, cpus=2, hdd=2))
        assert domain.XMLDesc() == before


STEPS = ["virDomainRename", "virDomainSetMemoryFlags", "virDomainSetVcpusFlags", "virStorageVolResize"]


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("function", STEPS)
def test_a_change_that_fails_half_way_is_undone(
    session: KvmSession, libvirtd: Libvirtd, function: str, room: bool
) -> None:
    with volume(session.connection, libvirtd.pool, GIB) as disk:
        devices = file_disk(disk.path(), "vda", "virtio")
        make: Any = with_room(session, devices) if room else foreign(session.connection, devices)
        with make as domain:
            before, shown = domain.XMLDesc(), guest_info(session, domain.UUIDString())
            changes = GuestUpdate(name=f"renamed-{uuid.uuid4().hex[:8]}", memory=192, cpus=8, hdd=2)
            # The call has taken effect when its answer is lost.
            with after(function, fail, nth=1), pytest.raises(BrokenError):
                guest_update(session, shown.id, changes)
            assert session.connection.lookupByUUIDString(shown.id).XMLDesc() == before
            grown = function == "virStorageVolResize"  # the last step; to cut a disk would lose data
            assert int(disk.info()[1]) == (2 * GIB if grown else GIB)


def test_a_change_of_a_running_guest_that_fails_half_way_is_undone(session: KvmSession) -> None:
    with with_room(session) as domain:
        domain.createWithFlags(PAUSED)
        before = defined(domain)
        with after("virDomainSetVcpusFlags", fail, nth=1), pytest.raises((BrokenError, HypervisorError)):
            guest_update(session, domain.UUIDString(), GuestUpdate(memory=96, cpus=3))
        assert defined(domain)[:2] == before[:2]


def test_what_cannot_be_undone_is_named(session: KvmSession, libvirtd: Libvirtd) -> None:
    with volume(session.connection, libvirtd.pool, GIB) as disk:
        with foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain:
            guest_id = domain.UUIDString()

            def vanish() -> None:
                domain.undefine()
                raise HypervisorError("it failed")

            with after("virStorageVolResize", vanish), pytest.raises(HypervisorError) as caught:
                guest_update(session, guest_id, GuestUpdate(memory=64, cpus=2, hdd=2))
        assert caught.value.message.startswith("it failed; ")
        assert "memory" in caught.value.message
        assert "CPUs" in caught.value.message


def test_a_name_that_somebody_else_gave_the_guest_meanwhile_is_kept(session: KvmSession) -> None:
    with foreign(session.connection) as one, foreign(session.connection) as two:
        guest_id, wanted, other = one.UUIDString(), f"wanted-{uuid.uuid4().hex}", f"other-{uuid.uuid4().hex}"

        def rename_both() -> None:
            two.rename(wanted)
            one.rename(other)

        with (
            after("virDomainHasManagedSaveImage", rename_both, nth=2),
            pytest.raises(Conflict, match="another guest has the name"),
        ):
            guest_update(session, guest_id, GuestUpdate(name=wanted, memory=64))
        assert session.connection.lookupByUUIDString(guest_id).name() == other
        assert defined(session.connection.lookupByUUIDString(guest_id))[:2] == (32, 32)


def test_a_guest_that_is_saved_to_disk_says_what_cannot_be_changed(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.create()
        domain.managedSave()
        for changes, what in ((GuestUpdate(memory=16), "memory"), (GuestUpdate(cpus=2), "CPUs")):
            with pytest.raises(InvalidState) as caught:
                guest_update(session, domain.UUIDString(), changes)
            assert caught.value.message.startswith(
                f"cannot change the {what} of guest {domain.name()!r} while it is PAUSED"
            )
