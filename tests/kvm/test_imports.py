"""Guests of disk images that clients upload to a real libvirtd."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from simplestack import (
    GIB,
    MIB,
    Conflict,
    EntityNotFound,
    GuestImport,
    GuestState,
    HypervisorTimeout,
    InsufficientStorage,
    InvalidArguments,
)
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.hooks.interfaces import network_interface_list
from simplestack_kvm.hooks.power import guest_shutdown
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .host_state import host_state
from .image_guests import qemu_img
from .test_guest_life import BOOT_SECONDS, answers
from .uploads import DESCRIBED, Reject, Upload, load, rejecting

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Give the raw data of a disk: some clusters of text, some of zeros."""
    path = tmp_path / "disk.raw"
    path.write_bytes((b"the content of the disk".ljust(MIB, b".") + bytes(2 * MIB)) * 3)
    return path


def converted(disk: Path, image_format: str, options: str = "") -> Path:
    image = disk.with_name("image")
    more = ["-o", options] if options else []
    qemu_img("convert", "-f", "raw", "-O", image_format, *more, disk, image)
    return image


def path_of_disk(session: KvmSession, guest_id: str) -> str:
    (disk,) = disk_list(session, guest_id)
    return str(disk.extra_info)


def assert_equal(disk: Path, volume: str, image_format: str = "qcow2") -> None:
    compared = subprocess.run(
        ["qemu-img", "compare", "-f", "raw", "-F", image_format, str(disk), volume],
        check=False,
        capture_output=True,
        text=True,
    )
    assert compared.returncode == 0, compared.stdout + compared.stderr


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("qcow2", ""),
        ("qcow2", "compat=0.10"),
        ("qcow2", "cluster_size=512"),
        ("qcow", ""),
        ("qed", ""),
        ("vmdk", "subformat=streamOptimized"),
        ("vmdk", "subformat=monolithicSparse"),
        ("vpc", "force_size=on"),
        ("vdi", ""),
        ("raw", ""),
    ],
)
def test_an_image_of_any_format_becomes_the_disk_of_a_guest(
    session: KvmSession, libvirtd: Libvirtd, disk: Path, image_format: str, options: str
) -> None:
    before = host_state(session.connection, libvirtd)
    files = set(libvirtd.pool_folder.iterdir())
    image = converted(disk, image_format, options)
    for chunked in (False, True):
        made = load(session, libvirtd, image, chunked=chunked)
        assert (made.name, made.memory, made.cpus, made.state) == ("imported", 64, 1, GuestState.STOPPED)
        assert (made.hdd, made.paravirtualized) == (9 * MIB / GIB, True)
        volume = path_of_disk(session, made.id)
        assert_equal(disk, volume)
        assert set(libvirtd.pool_folder.iterdir()) - files == {Path(volume)}, "no other file is new"
        guest_delete(session, made.id)
        assert host_state(session.connection, libvirtd) == before


@pytest.mark.parametrize("what", ["version 2", "with a snapshot", "not closed"])
def test_a_qcow2_that_no_guest_should_use_as_it_is_becomes_a_plain_one(
    session: KvmSession, libvirtd: Libvirtd, disk: Path, what: str
) -> None:
    image = converted(disk, "qcow2", "compat=0.10" if what == "version 2" else "lazy_refcounts=on")
    if what == "with a snapshot":
        qemu_img("snapshot", "-c", "hidden", image)
    content = bytearray(image.read_bytes())
    if what == "not closed":
        content[79] |= 1
    made = load(session, libvirtd, bytes(content))
    volume = path_of_disk(session, made.id)
    assert_equal(disk, volume)
    info = subprocess.run(["qemu-img", "info", volume], check=True, capture_output=True, text=True).stdout
    assert "compat: 1.1" in info
    assert "hidden" not in info
    assert Path(volume).read_bytes()[79] == 0
    guest_delete(session, made.id)


def test_the_query_describes_the_guest(session: KvmSession, libvirtd: Libvirtd, disk: Path) -> None:
    wanted = GuestImport(
        name='web <&> "1"',
        memory=96,
        cpus=2,
        network=[libvirtd.network, libvirtd.network],
        paravirtualized=False,
        start=True,
    )
    made = load(session, libvirtd, converted(disk, "qcow2"), wanted)
    try:
        assert (made.name, made.memory, made.cpus) == ('web <&> "1"', 96, 2)
        assert (made.state, made.paravirtualized) == (GuestState.STARTED, False)
        interfaces = network_interface_list(session, made.id)
        assert [each.network for each in interfaces] == [libvirtd.network] * 2
    finally:
        guest_shutdown(session, made.id, force=True)
        guest_delete(session, made.id)


def test_an_imported_guest_boots(
    session: KvmSession, libvirtd: Libvirtd, guest_image: Path, until: Until
) -> None:
    wanted = GuestImport(name="boots", memory=128, network=[libvirtd.network], start=True)
    made = load(session, libvirtd, guest_image, wanted)
    try:
        until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the guest answers")
    finally:
        guest_shutdown(session, made.id, force=True)
        guest_delete(session, made.id)


def test_a_disk_is_read_in_small_pieces(session: KvmSession, libvirtd: Libvirtd, disk: Path) -> None:
    body = Upload(converted(disk, "qcow2").read_bytes())
    made = guest_import(session, body, None, libvirtd.pool, DESCRIBED)
    assert body.most_bytes <= MIB
    guest_delete(session, made.id)


@pytest.mark.parametrize("word", ["id", "name"])
def test_the_storage_is_named_by_id_or_name(
    session: KvmSession, libvirtd: Libvirtd, disk: Path, word: str
) -> None:
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    content = converted(disk, "qcow2").read_bytes()
    storage_id = pool.UUIDString() if word == "id" else pool.name()
    made = guest_import(session, Upload(content), len(content), storage_id, DESCRIBED)
    assert path_of_disk(session, made.id).startswith(str(libvirtd.pool_folder))
    guest_delete(session, made.id)


@pytest.fixture
def reject(session: KvmSession, libvirtd: Libvirtd) -> Reject:
    return rejecting(session, libvirtd)


@pytest.mark.parametrize("given", [None, GuestImport(name="imported"), GuestImport(memory=64)])
def test_an_image_whose_guest_nobody_describes_is_rejected_before_anything_is_written(
    reject: Reject, disk: Path, given: GuestImport | None
) -> None:
    reject(converted(disk, "qcow2"), r"\?name=", description=given)
    reject(disk, "no known format.*OVA.*VMDK.*raw", description=given)


def test_an_empty_body_is_rejected(reject: Reject) -> None:
    reject(b"", "empty", description=DESCRIBED)


def test_a_name_that_is_taken_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, reject: Reject, disk: Path
) -> None:
    image = converted(disk, "qcow2")
    made = load(session, libvirtd, image)
    reject(image, "another guest has the name 'imported'", Conflict, DESCRIBED)
    guest_delete(session, made.id)


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 250, "with \ufffe in it", "with \x1b in it"])
def test_a_name_that_no_guest_can_have_is_rejected(reject: Reject, disk: Path, name: str) -> None:
    wanted = GuestImport(name=name, memory=64)
    reject(
        converted(disk, "qcow2"),
        "not a valid guest name|XML and thus libvirt cannot store",
        description=wanted,
    )


def test_a_storage_or_a_network_that_does_not_exist_is_named(
    session: KvmSession, libvirtd: Libvirtd, disk: Path
) -> None:
    before = host_state(session.connection, libvirtd)
    with pytest.raises(EntityNotFound, match=r"\AStorage:nowhere"):
        guest_import(session, Upload(b"x"), 1, "nowhere", DESCRIBED)
    wanted = GuestImport(name="imported", memory=64, network=["nowhere"])
    with pytest.raises(EntityNotFound, match=r"\ANetwork:nowhere"):
        load(session, libvirtd, converted(disk, "qcow2"), wanted)
    assert host_state(session.connection, libvirtd) == before


@pytest.mark.parametrize("image_format", ["qcow2", "raw", "vmdk"])
@pytest.mark.parametrize(
    "error",
    [InvalidArguments("the body broke off"), HypervisorTimeout("abandoned"), KeyboardInterrupt()],
    ids=["a client that goes away", "a time limit", "an end"],
)
def test_an_upload_that_breaks_off_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, disk: Path, image_format: str, error: BaseException
) -> None:
    before = host_state(session.connection, libvirtd)
    content = converted(disk, image_format).read_bytes()
    for fail_at in (0, len(content) // 2, len(content)):

        def fail(read_bytes: int, fail_at: int = fail_at) -> None:
            if read_bytes > fail_at:
                raise error

        with pytest.raises(type(error)):
            guest_import(session, Upload(content, fail), None, libvirtd.pool, DESCRIBED)
        assert host_state(session.connection, libvirtd) == before


@pytest.mark.parametrize("image_format", ["qcow2", "vmdk"])
def test_an_import_that_ends_after_its_time_limit_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, disk: Path, image_format: str
) -> None:
    """Core has abandoned it, and nobody waits for the guest."""
    content = converted(disk, image_format).read_bytes()
    before = host_state(session.connection, libvirtd)
    limit = current_deadline.set(Deadline(0))
    try:
        with pytest.raises(HypervisorTimeout, match="took too long"):
            guest_import(session, Upload(content), len(content), libvirtd.pool, DESCRIBED)
    finally:
        current_deadline.reset(limit)
    assert host_state(session.connection, libvirtd) == before


def test_a_body_that_is_shorter_than_it_should_be_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, disk: Path
) -> None:
    before = host_state(session.connection, libvirtd)
    content = converted(disk, "qcow2").read_bytes()
    with pytest.raises(InvalidArguments, match="ends after"):
        guest_import(session, Upload(content), len(content) + 1, libvirtd.pool, DESCRIBED)
    assert host_state(session.connection, libvirtd) == before


def test_what_a_storage_has_no_room_for_is_rejected_before_it_is_read(
    session: KvmSession, libvirtd: Libvirtd, disk: Path
) -> None:
    body = Upload(converted(disk, "qcow2").read_bytes())
    with pytest.raises(InsufficientStorage, match="GiB left"):
        guest_import(session, body, 2**60, libvirtd.pool, DESCRIBED)
    assert body.most_bytes == 0
