"""The making of guests on a real libvirtd: all or nothing."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    MIB,
    Conflict,
    EntityNotFound,
    GuestCreate,
    GuestState,
    InsufficientStorage,
    InvalidArguments,
    NewDisk,
    NewNetworkInterface,
)
from simplestack_kvm import errors
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from support.lacking import lacking

from .counterparts.libvirtd import Libvirtd
from .domains import foreign, volume
from .interference import after

ACTIVE = libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE


@pytest.fixture
def second_pool(session: KvmSession, libvirtd: Libvirtd) -> Iterator["libvirt.virStoragePool"]:
    """Give another active pool."""
    folder = libvirtd.pool_folder.with_name(f"pool-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    pool = session.connection.storagePoolDefineXML(
        f"<pool type='dir'><name>{folder.name}</name><target><path>{folder}</path></target></pool>"
    )
    pool.create()
    yield pool
    pool.destroy()
    pool.undefine()


@pytest.fixture
def raw_image(libvirtd: Libvirtd) -> Iterator[Path]:
    """Give a raw volume that holds 8 MiB of data; it is copied in behind libvirt's back."""
    image = libvirtd.pool_folder / f"image-{uuid.uuid4().hex[:8]}.img"
    image.write_bytes(bytes(range(256)) * (8 * MIB // 256))
    yield image
    image.unlink()


def traces(session: KvmSession, libvirtd: Libvirtd) -> tuple[list[str], list[str]]:
    """Return the names of all domains and of all files in the pool."""
    names = sorted(domain.name() for domain in session.connection.listAllDomains())
    return names, sorted(path.name for path in libvirtd.pool_folder.iterdir())


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"network_interfaces": [NewNetworkInterface(network="nowhere")]}, "Network:nowhere"),
        ({"network_interfaces": [NewNetworkInterface(network=str(uuid.uuid4()))]}, "Network:"),
        ({"image": "no such image"}, "Image:no such image"),
        ({"image": "../../etc/passwd"}, "Image:../../etc/passwd"),
        ({"iso": "no.iso"}, "ISO:no.iso"),
        ({"storage": "no pool"}, "Storage:no pool"),
        ({"disks": [NewDisk(size=1), NewDisk(size=1, storage="no pool")]}, "Storage:no pool"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_left(
    session: KvmSession, libvirtd: Libvirtd, wrong: dict[str, object], error: str
) -> None:
    before = traces(session, libvirtd)
    wanted = {"name": "never", "memory": 32, "disks": [NewDisk(size=1)], "storage": libvirtd.pool} | wrong
    with pytest.raises(EntityNotFound, match=error):
        guest_create(session, GuestCreate(**wanted))  # type: ignore[arg-type]  # parametrized
    assert traces(session, libvirtd) == before


def test_a_guest_that_cannot_start_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, raw_image: Path
) -> None:
    before = traces(session, libvirtd)
    # More memory than QEMU can be given here: found out at the start, when all has been made.
    with pytest.raises(libvirt.libvirtError):
        guest_create(
            session,
            GuestCreate(
                name="too large",
                memory=60 * 1024**2,
                image=raw_image.name,
                disks=[NewDisk(size=1)],
                start=True,
            ),
        )
    assert traces(session, libvirtd) == before


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


def test_a_guest_that_runs_already_when_its_creation_fails_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, raw_image: Path
) -> None:
    before = traces(session, libvirtd)
    running: list[str] = []

    def fail() -> None:
        running.extend(domain.name() for domain in session.connection.listAllDomains(ACTIVE))
        raise BrokenError

    guest = GuestCreate(name="broken", memory=32, image=raw_image.name, disks=[NewDisk(size=1)], start=True)
    with after("virConnectGetHostname", fail), pytest.raises(BrokenError):  # asked to show the new guest
        guest_create(session, guest)
    assert "broken" in running
    assert traces(session, libvirtd) == before


def test_a_name_that_somebody_else_takes_meanwhile_is_a_conflict_and_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    def take() -> None:
        session.connection.defineXML(
            "<domain type='qemu'><name>wanted</name><memory>8192</memory><os><type>hvm</type></os></domain>"
        )

    _, files = traces(session, libvirtd)
    try:
        with (
            after("virConnectGetCapabilities", take, nth=1),
            pytest.raises(Conflict, match="another guest has the name 'wanted'"),
        ):
            guest_create(session, GuestCreate(name="wanted", memory=32, disks=[NewDisk(size=1)]))
        assert traces(session, libvirtd)[1] == files
    finally:
        session.connection.lookupByName("wanted").undefine()


def test_a_name_that_is_taken_leaves_nothing(session: KvmSession, libvirtd: Libvirtd) -> None:
    with foreign(session.connection) as domain:
        before = traces(session, libvirtd)
        with pytest.raises(Conflict, match="another guest has the name"):
            guest_create(session, GuestCreate(name=domain.name(), memory=32, disks=[NewDisk(size=1)]))
        assert traces(session, libvirtd) == before


@pytest.mark.parametrize("name", ["a/b", "../x", "   ", ".", "..", "x" * 248, "\u00fc" * 124])
def test_a_name_that_libvirt_cannot_keep_is_refused(session: KvmSession, name: str) -> None:
    with pytest.raises(InvalidArguments, match="`name`"):
        guest_create(session, GuestCreate(name=name, memory=32))


@pytest.mark.parametrize("name", ["x" * 247, "<&'\"]]>", "--help", "%s%n", "\U0001f600 name"])
def test_any_other_name_is_data(session: KvmSession, name: str) -> None:
    made = guest_create(session, GuestCreate(name=name, memory=32))
    assert made.name == name
    assert session.connection.lookupByName(name).UUIDString() == made.id
    guest_delete(session, made.id)


def test_an_image_that_two_storages_have_is_ambiguous_until_one_of_them_is_named(
    session: KvmSession, libvirtd: Libvirtd, second_pool: "libvirt.virStoragePool", raw_image: Path
) -> None:
    folder = libvirtd.pool_folder.with_name(second_pool.name())
    (folder / raw_image.name).write_bytes(raw_image.read_bytes())
    third = libvirtd.pool_folder.with_name("third")
    third.mkdir()
    pool = session.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>third</name><target><path>{third}</path></target></pool>"
    )
    try:
        with pytest.raises(Conflict, match="ambiguous"):
            guest_create(session, GuestCreate(name="twin", memory=32, image=raw_image.name, storage="third"))
        made = guest_create(
            session, GuestCreate(name="twin", memory=32, image=raw_image.name, storage=second_pool.name())
        )
        (disk,) = disk_list(session, made.id)
        assert disk.extra_info is not None
        assert Path(disk.extra_info).parent == folder
        guest_delete(session, made.id)
    finally:
        pool.destroy()


def test_the_copy_of_an_image_is_independent_of_it(
    session: KvmSession, libvirtd: Libvirtd, raw_image: Path
) -> None:
    made = guest_create(
        session, GuestCreate(name="copy", memory=32, image=raw_image.name, storage=libvirtd.pool)
    )
    (disk,) = disk_list(session, made.id)
    assert disk.extra_info is not None
    info = subprocess.run(["qemu-img", "info", disk.extra_info], check=True, capture_output=True, text=True)
    assert "file format: qcow2" in info.stdout
    assert "backing file" not in info.stdout
    same = subprocess.run(["qemu-img", "compare", disk.extra_info, str(raw_image)], check=False)
    assert same.returncode == 0
    guest_delete(session, made.id)
    assert raw_image.exists()


def test_a_full_storage_is_refused_and_nothing_is_left(
    session: KvmSession, libvirtd: Libvirtd, raw_image: Path
) -> None:
    small = libvirtd.pool_folder.with_name(f"small-{uuid.uuid4().hex[:8]}")
    disk = small.with_suffix(".ext4")
    disk.touch()
    subprocess.run(["truncate", "--size=6M", str(disk)], check=True)
    subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)
    small.mkdir()
    # A pool of type fs mounts its device itself, in libvirtd's own namespace.
    loop = subprocess.run(
        ["losetup", "--find", "--show", str(disk)], check=False, capture_output=True, text=True
    )
    if loop.returncode != 0:
        lacking("needs a loop device, none can be had here")
    device = loop.stdout.strip()
    pool = session.connection.storagePoolDefineXML(
        f"<pool type='fs'><name>{small.name}</name><source><device path='{device}'/><format type='ext4'/>"
        f"</source><target><path>{small}</path></target></pool>"
    )
    try:
        pool.create()
        before = traces(session, libvirtd)
        with pytest.raises(InsufficientStorage, match=r"left|space"):
            guest_create(
                session, GuestCreate(name="large", memory=32, image=raw_image.name, storage=small.name)
            )
        assert traces(session, libvirtd) == before
        assert set(pool.listVolumes()) <= {"lost+found"}
    finally:
        if pool.isActive():
            pool.destroy()
        pool.undefine()
        subprocess.run(["losetup", "--detach", device], check=True)


def test_an_image_that_does_not_fit_after_all_is_insufficient_storage(session: KvmSession) -> None:
    error = libvirt.libvirtError("write failed")
    error.err = (38, 18, "qemu-img: error while writing: No space left on device", 2, "", None, None, 28, 0)
    assert isinstance(errors.translate(error), InsufficientStorage)


def test_disks_are_named_and_start_gives_a_running_guest(session: KvmSession, libvirtd: Libvirtd) -> None:
    with volume(session.connection, libvirtd.pool, MIB) as medium:
        made = guest_create(
            session,
            GuestCreate(
                name="all of it",
                memory=48,
                cpus=2,
                disks=[NewDisk(size=1.5, name="system & more"), NewDisk(size=0.25)],
                iso=medium.name(),
                network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
                start=True,
            ),
        )
        domain = session.connection.lookupByUUIDString(made.id)
        document = parse_document(domain.XMLDesc())
        assert document.find(f"devices/disk[@device='cdrom']/source[@file='{medium.path()}']") is not None
        assert document.find(f"devices/interface/source[@network='{libvirtd.network}']") is not None
        assert (domain.name(), domain.maxMemory(), domain.maxVcpus()) == ("all of it", 48 * 1024, 2)
    assert (made.state, made.memory, made.cpus, made.hdd) == (GuestState.STARTED, 48, 2, 1.75)
    first, second = disk_list(session, made.id)
    assert (first.id, first.name, first.number, first.size) == ("vda", "system & more", "0", 1.5)
    assert (second.id, second.number) == ("vdb", "1")
    assert second.name.startswith(made.id)
    domain.destroy()
    guest_delete(session, made.id)


def test_a_guest_without_virtio_has_plain_devices(session: KvmSession, libvirtd: Libvirtd) -> None:
    made = guest_create(
        session,
        GuestCreate(
            name="plain",
            memory=32,
            disks=[NewDisk(size=1)],
            network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
            paravirtualized=False,
        ),
    )
    assert made.paravirtualized is False
    document = parse_document(session.connection.lookupByUUIDString(made.id).XMLDesc())
    assert [target.get("bus") for target in document.iterfind("devices/disk/target")] == ["sata", "sata"]
    assert [model.get("type") for model in document.iterfind("devices/interface/model")] == ["e1000e"]
    guest_delete(session, made.id)


def test_defect_10_a_new_guest_has_no_display_that_anybody_can_reach_and_is_confined(
    session: KvmSession,
) -> None:
    made = guest_create(session, GuestCreate(name="'><inject>", memory=32, cpus=3))
    document = parse_document(session.connection.lookupByUUIDString(made.id).XMLDesc())
    assert document.find("devices/graphics") is None
    assert document.find("seclabel") is None
    assert document.find("inject") is None
    assert document.findtext("vcpu") == "3"
    guest_delete(session, made.id)


def test_defect_11_making_a_guest_returns_the_guest(session: KvmSession) -> None:
    made = guest_create(session, GuestCreate(name="defect 11", memory=64))
    assert (made.name, made.memory, made.state) == ("defect 11", 64, GuestState.STOPPED)
    guest_delete(session, made.id)
