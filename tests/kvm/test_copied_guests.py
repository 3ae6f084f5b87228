"""Guests that are created from other guests, on a real libvirtd."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import (
    EntityNotFound,
    Guest,
    GuestCreate,
    GuestState,
    InvalidArguments,
    InvalidState,
    NewDisk,
    NewNetworkInterface,
    SimplestackError,
)
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_clone, guest_delete, guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.power import guest_shutdown, guest_start
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .image_guests import Pool, traces
from .interference import after
from .snapshot_guests import a_guest, domain_of, has, paths, write


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB."""
    with a_guest(session, libvirtd) as guest:
        yield guest


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_guest_is_copied_with_what_the_request_adds(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, by: str
) -> None:
    write(paths(session, guest)[0], 3)
    made = guest_create(
        session,
        GuestCreate(
            name="copied <&>",
            template=getattr(guest, by),
            memory=64,
            cpus=2,
            disks=[NewDisk(size=0.5, name="more")],
            network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
            storage=libvirtd.pool,
            start=True,
        ),
    )
    assert (made.memory, made.cpus, made.hdd, made.state) == (64, 2, 2.5, GuestState.STARTED)
    assert [disk.name for disk in disk_list(session, made.id)][2:] == ["more"]
    assert f"network='{libvirtd.network}'" in domain_of(session, made).XMLDesc()
    assert set(paths(session, made)).isdisjoint(paths(session, guest))
    guest_shutdown(session, made.id, force=True)
    assert has(paths(session, made)[0], 3)
    guest_delete(session, made.id)
    assert guest_info(session, guest.id) == guest
    assert has(paths(session, guest)[0], 3)


def test_without_more_the_copy_has_what_the_guest_has(session: KvmSession, guest: Guest) -> None:
    made = guest_create(session, GuestCreate(name="copied", template=guest.id))
    assert (made.memory, made.cpus, made.hdd, made.state) == (32, 1, 2, GuestState.STOPPED)
    guest_delete(session, made.id)


def test_an_iso_goes_into_the_drive_of_the_copy_alone(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    first, second = pool.path(".iso"), pool.path(".iso")
    for path in (first, second):
        path.write_bytes(b"\0" * 4096)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    origin = guest_create(session, GuestCreate(name="origin", memory=32, iso=first.name))
    made = guest_create(session, GuestCreate(name="copied", template="origin", iso=second.name))
    try:
        for guest, iso in ((origin, first), (made, second)):
            assert re.findall(r"source file='(.*?)'", domain_of(session, guest).XMLDesc()) == [str(iso)]
    finally:
        guest_delete(session, made.id)
        guest_delete(session, origin.id)
    assert first.exists()
    assert second.exists()


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"template": "nowhere"}, EntityNotFound),
        ({"template": "00000000-0000-4000-8000-000000000000"}, EntityNotFound),
        ({"storage": "nowhere"}, EntityNotFound),
        ({"iso": "nowhere.iso"}, EntityNotFound),
        ({"network_interfaces": [NewNetworkInterface(network="nowhere")]}, EntityNotFound),
        ({"disks": [NewDisk(size=1, storage="nowhere")]}, EntityNotFound),
        ({"name": "a/b"}, InvalidArguments),
        ({"paravirtualized": False}, NotImplementedError),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    session: KvmSession,
    libvirtd: Libvirtd,
    guest: Guest,
    wanted: dict[str, Any],
    error: type[SimplestackError],
) -> None:
    before = traces(session, libvirtd)
    with pytest.raises(error):
        guest_create(session, GuestCreate(**({"name": "copied", "template": guest.id} | wanted)))
    assert traces(session, libvirtd) == before


def test_a_guest_that_runs_is_not_copied(session: KvmSession, libvirtd: Libvirtd, guest: Guest) -> None:
    guest_start(session, guest.id)
    before = traces(session, libvirtd)
    with pytest.raises(InvalidState, match="STARTED"):
        guest_create(session, GuestCreate(name="copied", template=guest.id))
    assert traces(session, libvirtd) == before


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


@pytest.mark.parametrize("function", ["virStorageVolCreateXML", "virDomainSetMetadata", "virDomainCreate"])
def test_a_copy_that_fails_late_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, function: str
) -> None:
    def fail() -> None:
        raise BrokenError

    before = traces(session, libvirtd)
    disks = [NewDisk(size=0.5, name="more")]
    with after(function, fail, nth=1), pytest.raises(BrokenError):
        guest_create(session, GuestCreate(name="copied", template=guest.id, disks=disks, start=True))
    assert traces(session, libvirtd) == before
    assert guest_info(session, guest.id) == guest


def test_a_clone_runs_beside_its_guest(session: KvmSession) -> None:
    devices = (
        "<vsock model='virtio'><cid auto='no' address='4711'/></vsock>"
        "<graphics type='vnc' port='5977' autoport='no' websocket='5797'><listen type='address' "
        "address='127.0.0.1'/></graphics>"
    )
    with foreign(session.connection, devices) as domain:
        clone = guest_clone(session, domain.UUIDString(), "copied", None)
        text = domain_of(session, clone).XMLDesc()
        for number in ("4711", "5977", "5797"):
            assert number not in text
        assert "<cid auto='yes'/>" in text
        assert "port='-1' autoport='yes' websocket='-1' listen='127.0.0.1'" in text
        guest_delete(session, clone.id)
