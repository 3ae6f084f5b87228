"""A storage whose folder has vanished: the others are found and used all the same."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress

import libvirt
import pytest

from simplestack import Conflict, EntityNotFound, GuestCreate, NewDisk, Target
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.storages import storage_list
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.storage.storages import choose_pool
from simplestack_kvm.libvirtd.storage.volumes import find_volume
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd
from .interference import after


@pytest.fixture
def vanished(session: KvmSession, libvirtd: Libvirtd) -> Iterator["libvirt.virStoragePool"]:
    """Give an active pool whose folder is gone. There are several, before and after others in lists."""
    pools = []
    for _ in range(3):
        name = f"vanished-{uuid.uuid4().hex[:8]}"
        folder = libvirtd.folder / name
        folder.mkdir()
        (folder / "known.img").write_bytes(b"x" * 512)
        pools.append(
            session.connection.storagePoolCreateXML(
                f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"
            )
        )
        shutil.rmtree(folder)
    yield pools[0]
    for pool in pools:
        with suppress(libvirt.libvirtError):  # libvirt gives up a pool whose refresh fails
            pool.destroy()


@pytest.fixture
def image(libvirtd: Libvirtd) -> Iterator[str]:
    """Give the name of an image that libvirt has not seen yet."""
    path = libvirtd.pool_folder / f"image-{uuid.uuid4().hex[:8]}.img"
    path.write_bytes(b"x" * 4096)
    yield path.name
    path.unlink()


def test_an_image_in_a_good_storage_is_found(
    session: KvmSession, libvirtd: Libvirtd, vanished: "libvirt.virStoragePool", image: str
) -> None:
    made = guest_create(
        session, GuestCreate(name="in a good one", memory=32, image=image, storage=libvirtd.pool)
    )
    guest_delete(session, made.id)
    assert libvirtd.pool in {storage.name for storage in storage_list(session)}


def test_an_image_that_is_nowhere_is_not_found(
    session: KvmSession, libvirtd: Libvirtd, vanished: "libvirt.virStoragePool"
) -> None:
    for _ in range(2):  # libvirt gives the pools up while they are searched
        with pytest.raises(EntityNotFound, match="Image:none"):
            find_volume(session, "none", "Image", session.connection.storagePoolLookupByName(libvirtd.pool))


def test_an_image_is_found_though_the_storage_that_was_named_vanishes(
    session: KvmSession, libvirtd: Libvirtd, vanished: "libvirt.virStoragePool", image: str
) -> None:
    found = find_volume(session, image, "Image", vanished)
    assert found.storagePoolLookupByVolume().name() == libvirtd.pool


def test_a_storage_that_vanishes_while_the_roomiest_is_chosen_is_not_chosen(
    session: KvmSession, libvirtd: Libvirtd, vanished: "libvirt.virStoragePool"
) -> None:
    with after("virConnectListAllStoragePools", vanished.destroy):
        assert choose_pool(session, None).name() != vanished.name()


@pytest.mark.parametrize("with_image", [True, False])
def test_a_storage_that_is_named_and_has_vanished_is_a_conflict_without_its_path(
    session: KvmSession, libvirtd: Libvirtd, vanished: "libvirt.virStoragePool", image: str, with_image: bool
) -> None:
    name = vanished.name()
    guest = GuestCreate(
        name="in a bad one",
        memory=32,
        storage=name,
        image=image if with_image else None,
        disks=[NewDisk(size=0.1)],
    )
    with pytest.raises(Conflict, match=f"storage {name}") as caught:
        guest_create(session, guest)
    assert str(libvirtd.folder) not in caught.value.message
    assert "in a bad one" not in {domain.name() for domain in session.connection.listAllDomains()}


def test_a_new_disk_on_a_host_without_an_active_storage_is_a_conflict(own_libvirtd: Libvirtd) -> None:
    settings = KvmSettings(transport="unix", socket=own_libvirtd.socket)
    with closing(libvirt.open(own_libvirtd.uri)) as connection:
        connection.storagePoolLookupByName(own_libvirtd.pool).destroy()
        wanted = GuestCreate(name="diskless", memory=32, disks=[NewDisk(size=0.01)])
        with pytest.raises(Conflict, match="no active storage for disks: start one"):
            guest_create(KvmSession(connection, settings, Target("localhost")), wanted)
        assert connection.listAllDomains() == []
