"""Guests that lack something that they need: the guest is there, so it is no 404."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    MIB,
    Conflict,
    DiskUpdate,
    GuestCreate,
    GuestUpdate,
    NewDisk,
    NewNetworkInterface,
    SimplestackError,
)
from simplestack_kvm import errors
from simplestack_kvm.hooks.disks import disk_update
from simplestack_kvm.hooks.guests import guest_info
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_resume, guest_shutdown, guest_start
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign, volume
from .interference import after


def network(name: str) -> str:
    return f"<interface type='network'><source network='{name}'/></interface>"


def pool_disk(pool: str, name: str) -> str:
    return (
        f"<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
        f"<source pool='{pool}' volume='{name}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )


def file_disk(path: str) -> str:
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )


FILTER = (
    "<interface type='network'><source network='simplestack-test'/><filterref filter='nowhere'/></interface>"
)
SECRET = (
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
    "<source protocol='rbd' name='pool/image'><host name='127.0.0.1'/></source>"
    "<auth username='x'><secret type='ceph' uuid='00000000-0000-4000-8000-000000000000'/></auth>"
    "<target dev='vda' bus='virtio'/></disk>"
)


@contextmanager
def inactive_network(session: KvmSession) -> Iterator[str]:
    name = f"off-{uuid.uuid4().hex[:6]}"
    made = session.connection.networkDefineXML(f"<network><name>{name}</name></network>")
    yield name
    made.undefine()


@contextmanager
def inactive_pool(session: KvmSession) -> Iterator[str]:
    name = f"off-{uuid.uuid4().hex[:6]}"
    made = session.connection.storagePoolDefineXML(
        f"<pool type='dir'><name>{name}</name><target><path>/nonexistent/{name}</path></target></pool>"
    )
    yield name
    made.undefine()


def public(error: BaseException) -> SimplestackError:
    assert isinstance(error, Exception)
    known = error if isinstance(error, SimplestackError) else errors.translate(error)
    assert known is not None
    return known


def assert_conflict(call: Callable[[], object], *mentioned: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  what a client reads of it is checked
        call()
    error = public(caught.value)
    assert type(error) is Conflict, error
    for text in mentioned:
        assert text in error.message
    assert "/" not in error.message.replace("storage/volume", ""), "a path of the host"


@pytest.mark.parametrize(
    ("device", "mentioned"),
    [
        (network("nowhere"), "network"),
        (pool_disk("nowhere", "x"), "storage"),
        (pool_disk("simplestack-test", "nowhere"), "volume"),
        (file_disk("/nonexistent/disk.qcow2"), "disk"),
        (FILTER, "filter"),
        (SECRET, "secret"),
    ],
)
def test_a_guest_that_lacks_something_to_start_is_a_conflict(
    session: KvmSession, device: str, mentioned: str
) -> None:
    with foreign(session.connection, device) as domain:
        assert_conflict(lambda: guest_start(session, domain.UUIDString()), mentioned)
        assert guest_info(session, domain.UUIDString()).state == "STOPPED"


def test_a_guest_whose_network_or_storage_is_not_active_is_a_conflict(session: KvmSession) -> None:
    with inactive_network(session) as name, foreign(session.connection, network(name)) as domain:
        assert_conflict(
            lambda: guest_start(session, domain.UUIDString()), "the guest needs", name, "not active"
        )
    with inactive_pool(session) as name, foreign(session.connection, pool_disk(name, "x")) as domain:
        assert_conflict(
            lambda: guest_start(session, domain.UUIDString()), "the guest needs", name, "not active"
        )


def test_a_saved_guest_that_lacks_its_network_is_a_conflict_and_stays_saved(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    name = f"goes-{uuid.uuid4().hex[:6]}"
    made = session.connection.networkCreateXML(f"<network><name>{name}</name></network>")
    with foreign(session.connection, network(name)) as domain:
        domain.create()
        domain.managedSave()
        made.destroy()
        assert_conflict(lambda: guest_resume(session, domain.UUIDString()), name)
        assert guest_info(session, domain.UUIDString()).state == "PAUSED"
        guest_shutdown(session, domain.UUIDString(), force=True)


def test_a_network_that_goes_away_while_a_guest_is_made_is_a_conflict_and_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    name = f"goes-{uuid.uuid4().hex[:6]}"
    made = session.connection.networkCreateXML(f"<network><name>{name}</name></network>")
    files = set(Path(libvirtd.pool_folder).iterdir())
    guest = GuestCreate(
        name=f"guest-{name}",
        memory=32,
        disks=[NewDisk(size=0.1)],
        network_interfaces=[NewNetworkInterface(network=name)],
        start=True,
    )
    try:
        with after("virDomainDefineXML", made.destroy):
            assert_conflict(lambda: guest_create(session, guest), name)
    finally:
        with suppress(libvirt.libvirtError):  # it is gone, as it should be
            made.destroy()
    assert set(Path(libvirtd.pool_folder).iterdir()) == files
    assert guest.name not in {domain.name() for domain in session.connection.listAllDomains()}


def test_a_disk_whose_file_is_gone_does_not_grow_and_is_a_conflict(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    for when in ("before", "meanwhile"):
        with (
            volume(session.connection, libvirtd.pool, MIB) as disk,
            foreign(session.connection, file_disk(disk.path())) as domain,
        ):
            path, guest_id = Path(disk.path()), domain.UUIDString()
            if when == "before":
                path.unlink()
                grow = partial(disk_update, session, guest_id, "vda", DiskUpdate(size=1))
                assert_conflict(grow, "vda")
            else:
                with after("virStreamFinish", path.unlink):
                    assert_conflict(partial(guest_update, session, guest_id, GuestUpdate(hdd=1)), "vda")
