"""Snapshots on a real libvirtd: what they could do to the data of their guest and of others."""

import uuid
from collections.abc import Iterator

import libvirt
import pytest

from simplestack import (
    GIB,
    Conflict,
    DiskUpdate,
    EntityNotFound,
    Guest,
    GuestState,
    HypervisorError,
    InvalidState,
)
from simplestack_kvm.errors import translate
from simplestack_kvm.hooks.disks import disk_delete, disk_list, disk_update
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.power import guest_start
from simplestack_kvm.hooks.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_info,
    snapshot_list,
    snapshot_revert,
)
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .image_guests import qemu_img
from .interference import after
from .snapshot_guests import a_guest, domain_of, foreign_snapshot, has, in_image, paths, write

UEFI = (
    "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
    "<nvram>/nowhere/NAME</nvram>"
)
EXTERNAL = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB."""
    with a_guest(session, libvirtd) as guest:
        yield guest


@pytest.mark.parametrize(
    "name",
    ['r "q\\ %d', "1", "a/b", "..", ".hidden", "-c", "<&>", "x" * 255, "ü" * 255, " "],
)
@pytest.mark.parametrize("state", [GuestState.STOPPED, GuestState.STARTED])
def test_a_snapshot_of_any_name_is_in_all_disks_and_can_be_reverted_to(
    session: KvmSession, guest: Guest, name: str, state: GuestState
) -> None:
    if state == GuestState.STARTED:
        guest_start(session, guest.id)
    first = snapshot_create(session, guest.id, "first")
    made = snapshot_create(session, guest.id, name)
    assert (made.name, made.path, made.state) == (name, f"first/{name}", state)
    assert [len(in_image(path)) for path in paths(session, guest)] == [2, 2]
    assert snapshot_revert(session, guest.id, made.id) == made
    assert guest_info(session, guest.id).state == state
    snapshot_delete(session, guest.id, made.id)
    assert snapshot_list(session, guest.id) == [first]
    assert [in_image(path) for path in paths(session, guest)] == [[f"simplestack-{first.id}"]] * 2


def test_a_second_snapshot_of_a_name_is_rejected(session: KvmSession, guest: Guest) -> None:
    made = snapshot_create(session, guest.id, "twice")
    with pytest.raises(Conflict, match="'twice': choose another name"):
        snapshot_create(session, guest.id, "twice")
    assert snapshot_list(session, guest.id) == [made]
    assert {len(in_image(path)) for path in paths(session, guest)} == {1}


@pytest.mark.parametrize("running", [False, True])
def test_a_snapshot_that_only_an_image_knows_is_not_replaced(
    session: KvmSession, guest: Guest, running: bool
) -> None:
    first, _ = paths(session, guest)
    qemu_img("snapshot", "-c", "hidden", first)
    if running:
        guest_start(session, guest.id)
    made = snapshot_create(session, guest.id, "hidden")
    snapshot_delete(session, guest.id, made.id)
    assert in_image(first) == ["hidden"]


def test_snapshots_of_other_tools_are_listed_reverted_to_and_deleted(
    session: KvmSession, guest: Guest
) -> None:
    domain = domain_of(session, guest)
    foreign_snapshot(domain, "root")
    foreign_snapshot(domain, "left side")
    domain.revertToSnapshot(domain.snapshotLookupByName("root"))
    foreign_snapshot(domain, "right")
    listed = {snapshot.name: snapshot for snapshot in snapshot_list(session, guest.id)}
    assert [listed[name].path for name in ("root", "left side", "right")] == [
        "root",
        "root/left side",
        "root/right",
    ]
    for snapshot in listed.values():
        assert str(uuid.UUID(snapshot.id)) == snapshot.id
        assert snapshot_info(session, guest.id, snapshot.id) == snapshot
        assert snapshot_revert(session, guest.id, snapshot.id) == snapshot
    snapshot_delete(session, guest.id, listed["root"].id)
    assert {snapshot.path for snapshot in snapshot_list(session, guest.id)} == {"left side", "right"}
    with pytest.raises(EntityNotFound, match="Snapshot"):
        snapshot_info(session, guest.id, listed["root"].id)


def test_external_snapshots_are_listed_and_nothing_else(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    made = snapshot_create(session, guest.id, "inside")
    foreign_snapshot(domain_of(session, guest), "outside", EXTERNAL)
    first, _ = paths(session, guest)
    assert first.endswith(".outside")
    try:
        write(first, 6)
        before = snapshot_list(session, guest.id)
        assert {snapshot.name for snapshot in before} == {"inside", "outside"}
        for snapshot in before:
            for call in (snapshot_revert, snapshot_delete):
                with pytest.raises(NotImplementedError, match="'outside' is external"):
                    call(session, guest.id, snapshot.id)
        with pytest.raises(NotImplementedError, match="'outside' is external"):
            snapshot_create(session, guest.id, "third")
        assert snapshot_list(session, guest.id) == before
        assert has(first, 6)
        assert snapshot_info(session, guest.id, made.id) in before
    finally:
        guest_delete(session, guest.id)
        for path in libvirtd.pool_folder.glob(f"{guest.id}-*"):
            path.unlink()


def test_a_disk_that_a_snapshot_needs_is_not_deleted(session: KvmSession, guest: Guest) -> None:
    made = snapshot_create(session, guest.id, "both")
    with pytest.raises(Conflict, match="snapshot 'both' of the guest needs disk vdb"):
        disk_delete(session, guest.id, "vdb")
    assert len(disk_list(session, guest.id)) == 2
    snapshot_revert(session, guest.id, made.id)
    snapshot_delete(session, guest.id, made.id)
    disk_delete(session, guest.id, "vdb")
    assert len(disk_list(session, guest.id)) == 1


def test_a_guest_saved_to_disk_keeps_what_it_was_saved_with(session: KvmSession, guest: Guest) -> None:
    made = snapshot_create(session, guest.id, "before")
    guest_start(session, guest.id)
    domain_of(session, guest).managedSave()
    with pytest.raises(InvalidState, match="PAUSED"):
        snapshot_create(session, guest.id, "saved")
    with pytest.raises(InvalidState, match="PAUSED"):
        snapshot_revert(session, guest.id, made.id)
    assert domain_of(session, guest).hasManagedSaveImage()
    assert snapshot_list(session, guest.id) == [made]


def test_a_disk_that_its_domain_leaves_out_is_in_the_snapshot_too(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as first,
        volume(session.connection, libvirtd.pool, GIB) as second,
    ):
        left_out = file_disk(second.path(), "vdb", "virtio").replace("device=", "snapshot='no' device=")
        with foreign(session.connection, file_disk(first.path(), "vda", "virtio") + left_out) as domain:
            snapshot_create(session, domain.UUIDString(), "all")
            assert in_image(second.path()) == in_image(first.path()) != []


@pytest.mark.parametrize("kind", ["raw", "diskless", "uefi", "shareable"])
def test_what_libvirt_cannot_do_is_said_and_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, kind: str
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        volume(session.connection, libvirtd.pool, GIB) as second,
    ):
        good = file_disk(disk.path(), "vda", "virtio")
        devices, system, said = {
            "raw": (
                good + file_disk(second.path(), "vdb", "virtio").replace("qcow2", "raw"),
                "",
                "disk vdb is raw",
            ),
            "diskless": (file_disk("", "sda", "sata", device="cdrom"), "", "has no disk"),
            "uefi": (good, UEFI, "boot by UEFI"),
            "shareable": (
                good + file_disk(second.path(), "vdb", "virtio", more="<shareable/>"),
                "",
                "disk vdb is",
            ),
        }[kind]
        with foreign(session.connection, devices, system=system) as domain:
            with pytest.raises(NotImplementedError, match=said):
                snapshot_create(session, domain.UUIDString(), "impossible")
            assert domain.snapshotNum() == 0
            assert in_image(disk.path()) == []


def test_an_old_qcow2_image_with_snapshots_does_not_grow(session: KvmSession, libvirtd: Libvirtd) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        snapshot_create(session, domain.UUIDString(), "before")
        with pytest.raises(libvirt.libvirtError) as caught:
            disk_update(session, domain.UUIDString(), "vda", DiskUpdate(size=2))
        said = translate(caught.value)
        assert isinstance(said, Conflict)
        assert "(compat 0.10) cannot grow while it has snapshots" in said.message
        assert in_image(disk.path()) != []


def test_a_snapshot_that_qemu_did_not_write_is_an_error_and_leaves_nothing(
    session: KvmSession, guest: Guest
) -> None:
    first, second = paths(session, guest)

    def lose() -> None:
        (name,) = in_image(second)
        qemu_img("snapshot", "-d", name, second)

    with (
        after("virDomainSnapshotCreateXML", lose),
        pytest.raises(HypervisorError, match="did not write the snapshot to disk vdb"),
    ):
        snapshot_create(session, guest.id, "lost")
    assert snapshot_list(session, guest.id) == []
    assert in_image(first) == []


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


def broken() -> None:
    raise BrokenError


@pytest.mark.parametrize(
    "function", ["virDomainSnapshotCreateXML", "virStorageVolDownload", "virStreamFinish"]
)
def test_a_snapshot_whose_images_cannot_be_read_is_an_error_and_leaves_nothing(
    session: KvmSession, guest: Guest, function: str
) -> None:
    with after(function, broken, nth=1), pytest.raises(BrokenError):
        snapshot_create(session, guest.id, "unread")
    assert snapshot_list(session, guest.id) == []
    assert [in_image(path) for path in paths(session, guest)] == [[], []]


def test_a_table_of_snapshots_that_moves_while_it_is_read_is_read_again(
    session: KvmSession, guest: Guest
) -> None:
    first, _ = paths(session, guest)

    def move() -> None:
        for name in ("a", "b", "c"):
            qemu_img("snapshot", "-c", name, first)

    # The first stream brings the header, the next one the table that the header names.
    with after("virStreamFinish", move, nth=1):
        made = snapshot_create(session, guest.id, "first")
    assert snapshot_list(session, guest.id) == [made]
    assert in_image(first) == [f"simplestack-{made.id}", "a", "b", "c"]


def test_of_two_snapshots_of_a_name_that_are_taken_at_once_the_first_stays(
    session: KvmSession, guest: Guest
) -> None:
    made = []
    with (
        after(
            "virDomainListAllSnapshots",
            lambda: made.append(snapshot_create(session, guest.id, "twice")),
            nth=1,
        ),
        pytest.raises(Conflict, match="'twice': choose another name"),
    ):
        snapshot_create(session, guest.id, "twice")
    assert snapshot_list(session, guest.id) == made
    assert [len(in_image(path)) for path in paths(session, guest)] == [1, 1]
