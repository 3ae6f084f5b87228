"""Storages on the real libvirtd."""

import os
from collections.abc import Iterator

import pytest

from simplestack import GIB, EntityNotFound, Storage
from simplestack_kvm.hooks import storages
from simplestack_kvm.libvirtd.connection.session import KvmSession
from support.known import known

from .counterparts.libvirtd import Libvirtd

SPARSE = "<volume><name>sparse</name><allocation>0</allocation><capacity unit='GiB'>1</capacity></volume>"


@pytest.fixture
def inactive(session: KvmSession, libvirtd: Libvirtd) -> Iterator[str]:
    folder = f"<target><path>{libvirtd.folder}/inactive</path></target>"
    pool = session.connection.storagePoolDefineXML(
        f"<pool type='dir'><name>test-inactive</name>{folder}</pool>"
    )
    yield pool.UUIDString()
    pool.undefine()


def test_defect_15_sizes_are_in_gib(session: KvmSession, libvirtd: Libvirtd) -> None:
    filler = libvirtd.pool_folder / "filler"
    filler.write_bytes(bytes(4096))
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    storage = storages.storage_info(session, libvirtd.pool)
    filler.unlink()
    found = os.statvfs(libvirtd.pool_folder)
    assert storage.size == pytest.approx(found.f_blocks * found.f_frsize / GIB)
    assert 0 < known(storage.used_space) < known(storage.size)
    assert storage.type == "dir"


def promised_gib(storage: Storage) -> float:
    return known(storage.allocated_space) - known(storage.used_space)


def test_defect_15_what_is_promised_is_more_than_is_used(session: KvmSession, libvirtd: Libvirtd) -> None:
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    before = storages.storage_info(session, libvirtd.pool)
    volume = pool.createXML(SPARSE.replace(">1<", ">3<"))
    try:
        after = storages.storage_info(session, libvirtd.pool)
        assert promised_gib(after) - promised_gib(before) == pytest.approx(3, abs=0.01)
    finally:
        volume.delete()


def test_a_storage_is_found_by_its_id_and_by_its_name(session: KvmSession, libvirtd: Libvirtd) -> None:
    by_name = storages.storage_info(session, libvirtd.pool)
    by_id = storages.storage_info(session, by_name.id)
    assert by_id.name == libvirtd.pool
    assert by_name.id in {storage.id for storage in storages.storage_list(session)}


def test_a_storage_that_is_not_in_use_is_not_there(session: KvmSession, inactive: str) -> None:
    assert inactive not in {storage.id for storage in storages.storage_list(session)}
    with pytest.raises(EntityNotFound):
        storages.storage_info(session, inactive)


UNKNOWN = ["", "none", "00000000-0000-4000-8000-000000000000", "a\0b", "../x", "é" * 300]


@pytest.mark.parametrize("storage_id", UNKNOWN)
def test_an_unknown_storage_is_not_found(session: KvmSession, storage_id: str) -> None:
    with pytest.raises(EntityNotFound, match="Storage:"):
        storages.storage_info(session, storage_id)


def test_a_volume_whose_file_is_gone_does_not_fail_the_list(session: KvmSession, libvirtd: Libvirtd) -> None:
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    pool.createXML(SPARSE)
    (libvirtd.pool_folder / "sparse").unlink()
    try:
        assert libvirtd.pool in {storage.name for storage in storages.storage_list(session)}
    finally:
        pool.refresh(0)
