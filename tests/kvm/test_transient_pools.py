"""Pools that last as long as one access to the folder of UEFI variables: nobody takes them for a storage."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libvirt
import pytest

from simplestack import EntityNotFound
from simplestack_kvm.hooks.guests import guest_clone, guest_delete
from simplestack_kvm.hooks.storages import storage_info, storage_list
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.connection.transient_pools import ABANDONED_SECONDS
from simplestack_kvm.libvirtd.storage.inventory import volumes_at

from .counterparts.libvirtd import Libvirtd
from .interference import after
from .uefi_guests import copied, path_of, pools, uefi_guest, variables


def test_a_pool_of_the_folder_is_no_storage_while_it_lasts(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    seen: list[str] = []
    other = KvmSession(libvirt.open(libvirtd.uri), session.settings, session.target)

    def look() -> None:
        (name,) = set(pools(other)) - {libvirtd.pool}
        pool_id = other.connection.storagePoolLookupByName(name).UUIDString()
        for wanted in (name, pool_id):
            with pytest.raises(EntityNotFound, match="Storage"):
                storage_info(other, wanted)
        assert [storage.name for storage in storage_list(other)] == [libvirtd.pool]
        assert {pool for pool, _ in volumes_at(other.connection)} <= {libvirtd.pool}
        with pytest.raises(libvirt.libvirtError, match="no storage vol"):
            other.connection.storageVolLookupByPath(str(path))
        seen.append(name)

    with uefi_guest(session, nvram) as domain:
        path = nvram / f"{domain.name()}_VARS.fd"
        path.write_bytes(variables(b"mine"))
        # Reading, and writing.
        with after("virStoragePoolCreateXML", look):
            clone = copied(session, domain)
        guest_delete(session, clone.id)
    assert len(set(seen)) == len(seen) >= 2
    other.connection.close()


@pytest.mark.parametrize("active", [True, False])
def test_an_operators_pool_of_the_folder_is_not_in_the_way(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, active: bool
) -> None:
    path = "<path>/var/lib/libvirt/qemu/nvram</path>"
    text = f"<pool type='dir'><name>variables</name><target>{path}</target></pool>"
    pool = session.connection.storagePoolDefineXML(text)
    try:
        if active:
            pool.create()
        with uefi_guest(session, nvram) as domain:
            (nvram / f"{domain.name()}_VARS.fd").write_bytes(variables(b"mine"))
            clone = copied(session, domain)
            assert (nvram / path_of(session, clone).name).read_bytes() == variables(b"mine")
            guest_delete(session, clone.id)
        assert pool.isActive() == active
    finally:
        if active:
            pool.destroy()
        pool.undefine()


def test_a_pool_that_a_service_left_is_ended_by_a_later_one_and_no_other_is(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    connection = session.connection

    def made(name: str, number: int) -> str:
        path = f"<path>/var/lib/libvirt/qemu/nvram{'/.' * number}</path>"
        connection.storagePoolCreateXML(f"<pool type='dir'><name>{name}</name><target>{path}</target></pool>")
        return name

    now = int(time.time())
    old = made(f"simplestack-access-{now - ABANDONED_SECONDS - 60}-0123456789abcdef", 100)
    young = made(f"simplestack-access-{now}-0123456789abcdef", 101)
    operators = made("simplestack-access-1-mine", 102)
    with uefi_guest(session, nvram) as domain:
        guest_delete(session, domain.UUIDString())
    assert old not in pools(session)
    for name in (young, operators):
        connection.storagePoolLookupByName(name).destroy()
    assert pools(session) == [libvirtd.pool]


def test_guests_are_cloned_at_the_same_time(session: KvmSession, libvirtd: Libvirtd, nvram: Path) -> None:
    def clone_and_delete(number: int) -> bytes:
        own = KvmSession(libvirt.open(libvirtd.uri), session.settings, session.target)
        clone = guest_clone(own, guest_id, f"copy-{number}-{uuid.uuid4().hex[:8]}", None)
        content = (nvram / path_of(own, clone).name).read_bytes()
        guest_delete(own, clone.id)
        own.connection.close()
        return content

    with uefi_guest(session, nvram) as domain, ThreadPoolExecutor(4) as threads:
        guest_id = domain.UUIDString()
        (nvram / f"{domain.name()}_VARS.fd").write_bytes(variables(b"mine"))
        assert set(threads.map(clone_and_delete, range(12))) == {variables(b"mine")}
    assert pools(session) == [libvirtd.pool]
