"""Changes of disks that fail half-way on a real libvirtd: nothing of them is left."""

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import replace

import libvirt
import pytest

from simplestack import GIB, Conflict, Disk, DiskCreate, DiskUpdate
from simplestack_kvm.hooks import disks
from simplestack_kvm.hooks.disks import disk_create, disk_delete, disk_list, disk_update
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import DISK_NAMES
from simplestack_kvm.libvirtd.networks import plugging

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .interference import after


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


def fail() -> None:
    raise BrokenError


@pytest.mark.parametrize("function", ["virDomainSetMetadata", "virStorageVolResize"])
def test_a_disk_that_cannot_be_renamed_and_grown_keeps_its_name(
    session: KvmSession, libvirtd: Libvirtd, function: str
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        guest_id = domain.UUIDString()
        disk_update(session, guest_id, "vda", DiskUpdate(name="before"))
        with after(function, fail, nth=1), pytest.raises(BrokenError):
            disk_update(session, guest_id, "vda", DiskUpdate(name="after", size=2))
        (shown,) = disk_list(session, guest_id)
        grown = function == "virStorageVolResize"  # it had succeeded; to cut a disk would lose data
        assert (shown.name, shown.size) == ("before", 2 if grown else 1)


@pytest.mark.parametrize("running", [False, True])
def test_a_disk_that_cannot_be_named_is_not_made(
    session: KvmSession, libvirtd: Libvirtd, running: bool
) -> None:
    with foreign(session.connection, machine="pc") as domain:
        if running:
            domain.create()
        files = set(libvirtd.pool_folder.iterdir())
        wanted = DiskCreate(size=1, name="data", storage_id=libvirtd.pool)
        with after("virDomainSetMetadata", fail, nth=1), pytest.raises(BrokenError):
            disk_create(session, domain.UUIDString(), wanted)
        assert disk_list(session, domain.UUIDString()) == []
        assert set(libvirtd.pool_folder.iterdir()) == files
        assert DISK_NAMES not in domain.XMLDesc()
        assert disk_create(session, domain.UUIDString(), wanted).name == "data"


def test_a_disk_that_cannot_be_attached_leaves_no_name(session: KvmSession, libvirtd: Libvirtd) -> None:
    with foreign(session.connection, machine="q35") as domain:  # which has few free ports while it runs
        domain.create()
        wanted = DiskCreate(size=1, name="data", storage_id=libvirtd.pool)

        def fill() -> None:
            for _ in range(20):
                disk_create(session, domain.UUIDString(), wanted)

        with pytest.raises(Conflict, match="free device"):
            fill()
        disks = disk_list(session, domain.UUIDString())
        assert domain.XMLDesc().count('name="data"') + domain.XMLDesc().count("name='data'") == len(disks)
        domain.destroy()
        for disk in disks:
            disk_delete(session, domain.UUIDString(), disk.id)


@contextmanager
def another(session: KvmSession, libvirtd: Libvirtd) -> Iterator[KvmSession]:
    """Give a session of another client."""
    with closing(libvirt.open(libvirtd.uri)) as connection:
        yield replace(session, connection=connection, abandoned=Abandoned())


@pytest.mark.parametrize("names", [("mine", "theirs"), ("data", "data")])
def test_a_disk_that_takes_the_device_of_one_that_is_being_added_keeps_its_name(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    mine, theirs = (DiskCreate(size=1, name=name, storage_id=libvirtd.pool) for name in names)
    added: list[Disk] = []
    with (
        foreign(session.connection) as domain,
        another(session, libvirtd) as other,
        ThreadPoolExecutor(1) as executor,
    ):
        guest_id = domain.UUIDString()

        def attach_after_theirs(domain: "libvirt.virDomain", element: ET.Element) -> None:
            if threading.current_thread() is threading.main_thread():
                added.append(executor.submit(disk_create, other, guest_id, theirs).result())
            plugging.attach(domain, element)

        monkeypatch.setattr(disks, "attach", attach_after_theirs)
        with pytest.raises(libvirt.libvirtError):
            disk_create(session, guest_id, mine)
        assert [disk.name for disk in added] == [theirs.name]
        assert disk_list(session, guest_id) == added
        disk_delete(session, guest_id, added[0].id)


@pytest.mark.parametrize("names", [("mine", "theirs"), ("data", "data")])
def test_a_disk_that_was_named_before_the_one_that_is_not_added_keeps_its_name(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    mine, theirs = (DiskCreate(size=1, name=name, storage_id=libvirtd.pool) for name in names)
    theirs_named, mine_named = threading.Event(), threading.Event()
    attach = plugging.attach

    def attach_in_turn(domain: "libvirt.virDomain", element: ET.Element) -> None:
        if threading.current_thread() is threading.main_thread():
            mine_named.set()
            added.result()
        else:
            theirs_named.set()
            assert mine_named.wait(30)
        attach(domain, element)

    monkeypatch.setattr(disks, "attach", attach_in_turn)
    with (
        foreign(session.connection) as domain,
        another(session, libvirtd) as other,
        ThreadPoolExecutor(1) as executor,
    ):
        guest_id = domain.UUIDString()
        added = executor.submit(disk_create, other, guest_id, theirs)
        assert theirs_named.wait(30)
        with pytest.raises(libvirt.libvirtError):
            disk_create(session, guest_id, mine)
        (disk,) = disk_list(session, guest_id)
        assert disk.name == theirs.name
        disk_delete(session, guest_id, disk.id)


def test_two_disks_that_are_renamed_at_once_have_their_new_names(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    started: list[Future[Disk]] = []
    with (
        foreign(session.connection) as domain,
        another(session, libvirtd) as other,
        ThreadPoolExecutor(1) as executor,
    ):
        guest_id = domain.UUIDString()
        wanted = DiskCreate(size=1, storage_id=libvirtd.pool)
        first, second = (disk_create(session, guest_id, wanted) for _ in range(2))

        def rename() -> None:
            change = DiskUpdate(name="theirs")
            started.append(executor.submit(disk_update, other, guest_id, second.id, change))
            wait(started, 1)  # it would be done by then, if nothing kept it waiting

        # The names were read, and have not been written.
        with after("virDomainIsPersistent", rename, nth=1):
            disk_update(session, guest_id, first.id, DiskUpdate(name="mine"))
        assert started[0].result(30).name == "theirs"
        assert [disk.name for disk in disk_list(session, guest_id)] == ["mine", "theirs"]
        for disk in (first, second):
            disk_delete(session, guest_id, disk.id)
