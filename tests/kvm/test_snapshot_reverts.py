"""Reverts on a real libvirtd: what they could do to the data of their guest and of others."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from simplestack import (
    GIB,
    Conflict,
    DiskCreate,
    DiskUpdate,
    Guest,
    GuestState,
    GuestUpdate,
    HypervisorTimeout,
)
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_kvm.hooks.disks import disk_create, disk_list, disk_update
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_shutdown, guest_start, guest_suspend
from simplestack_kvm.hooks.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_list,
    snapshot_revert,
)
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .image_guests import qemu_img
from .interference import after
from .snapshot_guests import a_guest, domain_of, foreign_snapshot, has, ids, in_image, in_use, paths, write

#: Each tag has a namespace of its own, which ends in its percent-encoded name.
TAGS = "urn:simplestack:kvm:tag:"


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB."""
    with a_guest(session, libvirtd) as guest:
        yield guest


def test_every_state_can_be_reverted_to_from_every_other(session: KvmSession, guest: Guest) -> None:
    off = snapshot_create(session, guest.id, "off")
    guest_start(session, guest.id)
    on = snapshot_create(session, guest.id, "on")
    guest_suspend(session, guest.id)
    paused = snapshot_create(session, guest.id, "paused")
    states = {off.id: GuestState.STOPPED, on.id: GuestState.STARTED, paused.id: GuestState.PAUSED}
    assert [snapshot.id for snapshot in snapshot_list(session, guest.id)] == [off.id, on.id, paused.id]
    for wanted in (on, paused, off, on, off, paused, on):
        assert snapshot_revert(session, guest.id, wanted.id).id == wanted.id
        assert guest_info(session, guest.id).state == states[wanted.id]


def test_a_revert_brings_back_what_all_disks_held(session: KvmSession, guest: Guest) -> None:
    both = paths(session, guest)
    for path in both:
        write(path, 1)
    made = snapshot_create(session, guest.id, "then")
    for path in both:
        write(path, 2)
    disk_update(session, guest.id, "vdb", DiskUpdate(size=2))
    guest_update(session, guest.id, GuestUpdate(memory=64, cpus=2))
    snapshot_revert(session, guest.id, made.id)
    assert [has(path, 1) for path in both] == [True, True]
    assert [disk.size for disk in disk_list(session, guest.id)] == [1, 1]
    assert guest_info(session, guest.id) == guest


def test_a_revert_keeps_name_and_tags(session: KvmSession, guest: Guest) -> None:
    def tag(name: str, text: Any = "<tag/>") -> None:
        domain_of(session, guest).setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT,
            text,
            "simplestack-tag",
            TAGS + name,
            libvirt.VIR_DOMAIN_AFFECT_CONFIG,
        )

    def tags() -> list[str]:
        return re.findall(f'"{TAGS}(.*?)"', domain_of(session, guest).XMLDesc())

    before = snapshot_create(session, guest.id, "without tags")
    tag("a%20b")
    old = snapshot_create(session, guest.id, "with tags")
    tag("a%20b", None)
    tag("c%2Fd")
    tag("e")
    guest_update(session, guest.id, GuestUpdate(name=f"{guest.name} renamed"))
    disk_update(session, guest.id, "vda", DiskUpdate(name="later"))
    for snapshot in (old, before):
        snapshot_revert(session, guest.id, snapshot.id)
        assert set(tags()) == {"c%2Fd", "e"}
        assert guest_info(session, guest.id).name == f"{guest.name} renamed"
        assert disk_list(session, guest.id)[0].name != "later"
    tag("c%2Fd", None)
    tag("e", None)
    snapshot_revert(session, guest.id, old.id)
    assert tags() == []
    assert len(snapshot_list(session, guest.id)) == 2


@pytest.mark.parametrize("running", [False, True])
def test_a_disk_added_since_is_detached_and_keeps_its_data(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, warnings: list[str], running: bool
) -> None:
    before = snapshot_create(session, guest.id, "before")
    if running:
        guest_start(session, guest.id)
    disk_create(session, guest.id, DiskCreate(size=1, storage_id=libvirtd.pool))
    needed = paths(session, guest)[2]
    later = snapshot_create(session, guest.id, "with it")
    disk_create(session, guest.id, DiskCreate(size=1, storage_id=libvirtd.pool))
    dropped = paths(session, guest)[3]
    if running:
        guest_shutdown(session, guest.id, force=True)
    write(needed, 7)
    write(dropped, 5)
    snapshot_revert(session, guest.id, before.id)
    assert len(disk_list(session, guest.id)) == 2
    files = {str(path) for path in libvirtd.pool_folder.iterdir()}
    assert {needed, dropped} <= files
    assert has(dropped, 5)
    for disk in (needed, dropped):
        name = f"volume {libvirtd.pool}/{disk.rpartition('/')[2]}"
        assert any(name in warning and "was detached" in warning for warning in warnings)
    snapshot_revert(session, guest.id, later.id)
    assert paths(session, guest)[2] == needed
    if running:
        guest_shutdown(session, guest.id, force=True)
    snapshot_revert(session, guest.id, before.id)
    guest_delete(session, guest.id)
    files = {str(path) for path in libvirtd.pool_folder.iterdir()}
    assert needed not in files
    assert has(dropped, 5)


def test_a_disk_of_another_tool_that_was_added_since_is_kept_and_said(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, warnings: list[str]
) -> None:
    made = snapshot_create(session, guest.id, "before")
    with volume(session.connection, libvirtd.pool, GIB) as others:
        domain_of(session, guest).attachDeviceFlags(file_disk(others.path(), "vdc", "virtio"))
        snapshot_revert(session, guest.id, made.id)
        assert len(disk_list(session, guest.id)) == 2
        others.info()
    assert any(others.name() in warning and "was detached" in warning for warning in warnings)


def test_a_disk_that_another_guest_has_by_now_is_not_reverted_under_it(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    first, second = paths(session, guest)
    made = snapshot_create(session, guest.id, "before")
    domain_of(session, guest).detachDeviceFlags(
        file_disk(second, "vdb", "virtio"), libvirt.VIR_DOMAIN_AFFECT_CONFIG
    )
    with foreign(session.connection, file_disk(second, "vda", "virtio")) as other:
        write(second, 9)
        write(first, 8)
        with pytest.raises(Conflict, match=f"guest {other.name()} uses it"):
            snapshot_revert(session, guest.id, made.id)
        assert has(second, 9)
        assert has(first, 8)
        # Its deletion leaves what the snapshot needs.
        guest_delete(session, other.UUIDString())
    assert has(second, 9)


def test_a_disk_that_others_are_based_on_is_not_reverted(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    first, _ = paths(session, guest)
    made = snapshot_create(session, guest.id, "before")
    write(first, 5)
    overlay = libvirtd.pool_folder / f"overlay-{uuid.uuid4().hex[:8]}.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-b", first, "-F", "qcow2", overlay)
    try:
        with pytest.raises(Conflict, match="is based on it"):
            snapshot_revert(session, guest.id, made.id)
    finally:
        overlay.unlink()
    assert has(first, 5)


@pytest.mark.parametrize("call", ["virStoragePoolListAllVolumes", "virConnectListAllDomains"])
def test_a_guest_is_not_reverted_without_time_to_check_what_others_use(
    session: KvmSession, guest: Guest, call: str
) -> None:
    first, _ = paths(session, guest)
    made = snapshot_create(session, guest.id, "before")
    write(first, 5)
    token = current_deadline.set(None)
    try:
        with (
            after(call, lambda: current_deadline.set(Deadline(-1)), nth=1),
            pytest.raises(HypervisorTimeout, match="not enough time to check whether others use the disks"),
        ):
            snapshot_revert(session, guest.id, made.id)
    finally:
        current_deadline.reset(token)
    assert has(first, 5)


def test_a_guest_whose_storage_is_stopped_meanwhile_is_not_reverted(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    first, _ = paths(session, guest)
    made = snapshot_create(session, guest.id, "before")
    write(first, 5)
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    try:
        with (
            after("virStoragePoolRefresh", pool.destroy, nth=1),
            pytest.raises(Conflict, match="disk vda of snapshot 'before' is not in an active storage"),
        ):
            snapshot_revert(session, guest.id, made.id)
    finally:
        pool.create()
    assert has(first, 5)


def test_a_revert_that_fails_half_way_is_said(session: KvmSession, guest: Guest) -> None:
    first, second = paths(session, guest)
    for path in (first, second):
        write(path, 1)
    made = snapshot_create(session, guest.id, "before")
    for path in (first, second):
        write(path, 2)
    with in_use(second), pytest.raises(Conflict, match="in use") as caught:
        snapshot_revert(session, guest.id, made.id)
    assert "some disks of the guest may be reverted, and others not" in caught.value.message
    assert [has(path, 1) for path in (first, second)] == [True, False]
    snapshot_revert(session, guest.id, made.id)
    assert [has(path, 1) for path in (first, second)] == [True, True]


@pytest.mark.parametrize("running", [False, True])
def test_a_snapshot_that_one_disk_lacks_is_not_reverted_to(
    session: KvmSession, guest: Guest, running: bool
) -> None:
    first, second = paths(session, guest)
    made = snapshot_create(session, guest.id, "then")
    qemu_img("snapshot", "-d", f"simplestack-{made.id}", second)
    write(first, 3)
    if running:
        guest_start(session, guest.id)
    with pytest.raises(Conflict, match="disk vdb no longer has snapshot 'then'"):
        snapshot_revert(session, guest.id, made.id)
    if running:
        assert guest_info(session, guest.id).state == GuestState.STARTED
        guest_shutdown(session, guest.id, force=True)
    assert has(first, 3)
    snapshot_delete(session, guest.id, made.id)
    assert snapshot_list(session, guest.id) == []


def test_a_name_that_is_the_number_of_another_snapshot_is_neither_reverted_to_nor_deleted(
    session: KvmSession, guest: Guest
) -> None:
    domain = domain_of(session, guest)
    first, second = paths(session, guest)
    foreign_snapshot(domain, "mine")  # QEMU's number of it is 1
    write(first, 4)
    foreign_snapshot(domain, "1")
    theirs = ids(session, guest.id)["1"]
    with pytest.raises(Conflict, match="QEMU may take another snapshot"):
        snapshot_revert(session, guest.id, theirs)
    with pytest.raises(Conflict, match="QEMU may take another snapshot"):
        snapshot_delete(session, guest.id, theirs)
    assert has(first, 4)
    assert in_image(first) == in_image(second) == ["mine", "1"]
