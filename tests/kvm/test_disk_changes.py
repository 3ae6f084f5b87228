"""Changes of disks that fail half-way on a real libvirtd: nothing of them is left."""

import pytest

from simplestack import GIB, Conflict, DiskCreate, DiskUpdate
from simplestack_kvm.disks import disk_create, disk_delete, disk_list, disk_update
from simplestack_kvm.records import DISK_NAMES
from simplestack_kvm.session import KvmSession

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
