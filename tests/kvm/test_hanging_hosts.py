"""Guests and storages that hang: what they do not tell is null, and everything else is there."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import libvirt
import pytest

from simplestack import (
    GIB,
    Busy,
    Conflict,
    DiskUpdate,
    Guest,
    GuestCreate,
    GuestUpdate,
    HypervisorTimeout,
    Target,
)
from simplestack.identity.accounts import hash_password
from simplestack_kvm import session as sessions
from simplestack_kvm.hooks.disks import disk_info, disk_list, disk_update
from simplestack_kvm.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.pools import pool_info
from simplestack_kvm.hooks.storages import storage_info, storage_list
from simplestack_kvm.libvirtd import listing
from simplestack_kvm.libvirtd.connection.bounded import NoResponse, bounded
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.storage import sizes
from simplestack_kvm.libvirtd.storage.sizes import within_storage_limit
from simplestack_kvm.settings import KvmSettings
from support.service import running_service

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .hanging import PATIENCE_SECONDS, HangingPool, clients, hanging_pool, hung_guest, in_time

ALL_FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
CLIENTS = 40

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def hanging(session: KvmSession, libvirtd: Libvirtd) -> Iterator[HangingPool]:
    with hanging_pool(session.connection, libvirtd) as pool:
        yield pool


def listed(session: KvmSession) -> dict[str, Guest]:
    return {guest.id: guest for guest in guest_list(session, ALL_FIELDS)}


def test_a_guest_whose_qemu_hangs_is_shown_and_listed(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings
) -> None:
    outside = libvirtd.folder / "in-no-pool.qcow2"
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio"), cpus=2) as hung,
        foreign(session.connection, file_disk(str(outside), "vda", "virtio")) as unknown,
        foreign(session.connection) as other,
    ):
        outside.write_bytes((libvirtd.pool_folder / disk.name()).read_bytes())
        outside.chmod(0o666)
        for domain in (hung, unknown, other):
            domain.createWithFlags(PAUSED)
        with hung_guest(hung), hung_guest(unknown):
            guests = in_time(libvirtd, settings, listed)
            first, second = guests[hung.UUIDString()], guests[unknown.UUIDString()]
            assert (first.name, first.cpus, first.memory, first.hdd) == (hung.name(), 2, 32, 1)
            assert (second.name, second.memory, second.hdd) == (unknown.name(), 32, None)
            assert guests[other.UUIDString()].hdd == 0
            for domain, size in ((hung, 1), (unknown, None)):
                guest_id = domain.UUIDString()
                shown = in_time(libvirtd, settings, partial(guest_info, guest_id=guest_id))
                (part,) = in_time(libvirtd, settings, partial(disk_list, guest_id=guest_id))
                assert (shown, part.size) == (guests[guest_id], size)
                alone = in_time(libvirtd, settings, partial(disk_info, guest_id=guest_id, disk_id="vda"))
                assert alone == part
    outside.unlink()


def test_many_clients_that_poll_a_guest_whose_qemu_hangs_do_not_stop_the_host(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings
) -> None:
    outside = libvirtd.folder / "in-no-pool.raw"
    outside.write_bytes(bytes(1024))
    disk = f"<disk type='file'><source file='{outside}'/><target dev='vda' bus='virtio'/></disk>"
    with foreign(session.connection, disk) as hung:
        hung.createWithFlags(PAUSED)
        with hung_guest(hung), clients(libvirtd, settings, listed, CLIENTS) as results:
            assert in_time(libvirtd, settings, pool_info).total_memory > 0
            for guests in results():
                assert isinstance(guests, dict), guests
                assert guests[hung.UUIDString()].memory == 32


@pytest.mark.parametrize("runs", [False, True])
def test_guests_whose_storage_hangs_have_no_hdd_until_it_responds(
    session: KvmSession,
    libvirtd: Libvirtd,
    settings: KvmSettings,
    hanging: HangingPool,
    until: Until,
    *,
    runs: bool,
) -> None:
    path = str(hanging.folder / "disk.qcow2")
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(path, "vda", "virtio")) as hung,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio"), cpus=2) as other,
    ):
        if runs:
            hung.createWithFlags(PAUSED)
        before = listed(session)
        assert before[hung.UUIDString()].hdd == 1
        with hanging.hung():
            for _ in range(2):  # the first call finds out, the second one knows
                guests = in_time(libvirtd, settings, listed)
                assert guests.keys() == before.keys()
                shown = guests[hung.UUIDString()]
                assert (shown.name, shown.memory, shown.hdd) == (hung.name(), 32, None)
                assert (shown.paravirtualized, shown.state) == (True, before[shown.id].state)
                assert guests[other.UUIDString()].cpus == 2
                assert in_time(libvirtd, settings, partial(guest_info, guest_id=shown.id)) == shown
                (part,) = in_time(libvirtd, settings, partial(disk_list, guest_id=shown.id))
                assert (part.id, part.size) == ("vda", None)
            assert in_time(libvirtd, settings, pool_info).total_memory > 0
        until(lambda: listed(session) == before, PATIENCE_SECONDS, "the list is as it was")


def test_many_clients_while_a_storage_hangs_do_not_stop_the_host(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool, until: Until
) -> None:
    with foreign(session.connection, file_disk(str(hanging.folder / "disk.qcow2"), "vda", "virtio")) as hung:
        with hanging.hung(), clients(libvirtd, settings, listed, CLIENTS) as results:
            for guests in results():
                assert isinstance(guests, dict), guests
                assert guests[hung.UUIDString()].hdd is None
            # libvirtd itself has workers left.
            assert in_time(libvirtd, settings, pool_info).total_memory > 0
            assert hung.UUIDString() in in_time(libvirtd, settings, listed)
        guest_id = hung.UUIDString()
        until(lambda: listed(session)[guest_id].hdd == 1, PATIENCE_SECONDS, "the size is known again")


def test_a_disk_of_unknown_size_is_not_changed(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool, until: Until
) -> None:
    with foreign(session.connection, file_disk(str(hanging.folder / "disk.qcow2"), "vda", "virtio")) as hung:
        guest_id = hung.UUIDString()
        with hanging.hung():
            with pytest.raises(Conflict, match="size of disk vda is unknown"):
                in_time(
                    libvirtd, settings, lambda own: disk_update(own, guest_id, "vda", DiskUpdate(size=0.5))
                )
            with pytest.raises(Conflict, match="size of disk vda is unknown"):
                in_time(libvirtd, settings, lambda own: guest_update(own, guest_id, GuestUpdate(hdd=2)))
        until(lambda: guest_info(session, guest_id).hdd == 1, PATIENCE_SECONDS, "the size is known again")


def test_a_disk_of_a_running_guest_in_no_storage_does_not_shrink(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    outside = libvirtd.folder / "in-no-pool.qcow2"
    with volume(session.connection, libvirtd.pool, GIB) as disk:
        outside.write_bytes((libvirtd.pool_folder / disk.name()).read_bytes())
    outside.chmod(0o666)
    with foreign(session.connection, file_disk(str(outside), "vda", "virtio")) as domain:
        domain.createWithFlags(PAUSED)
        with pytest.raises(Exception, match="only grow"):
            disk_update(session, domain.UUIDString(), "vda", DiskUpdate(size=0.5))
        disk_update(session, domain.UUIDString(), "vda", DiskUpdate(size=1.5))
        info: Any = domain.blockInfo("vda")  # annotated as str
        assert info[0] == 1.5 * GIB
    outside.unlink()


def test_guests_are_made_and_deleted_while_a_disk_in_no_storage_hangs(
    libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool, session: KvmSession
) -> None:
    connection = session.connection
    connection.storagePoolLookupByName(hanging.name).destroy()
    with (
        foreign(connection, file_disk(str(hanging.folder / "disk.qcow2"), "vda", "virtio")),
        volume(connection, libvirtd.pool, GIB) as image,
    ):
        wanted = GuestCreate(name="made meanwhile", memory=32, image=image.name(), storage=libvirtd.pool)
        with hanging.hung():
            made = in_time(libvirtd, settings, partial(guest_create, guest=wanted))
            in_time(libvirtd, settings, partial(guest_delete, guest_id=made.id))
            assert made.id not in in_time(libvirtd, settings, listed)
        for kept in libvirtd.pool_folder.glob(f"{made.id}-*"):  # that guest may be based on them
            kept.unlink()


def test_a_session_whose_call_was_given_up_is_not_used_again(
    libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool, session: KvmSession
) -> None:
    own = KvmSession(libvirt.open(libvirtd.uri), settings, Target("localhost"))
    with foreign(session.connection, file_disk(str(hanging.folder / "disk.qcow2"), "vda", "virtio")):
        assert sessions.check(own)
        with hanging.hung():
            listed(own)
            assert not sessions.check(own)
            sessions.disconnect(own)
    assert sessions.check(session)


def test_a_connection_is_not_closed_under_a_call_that_was_given_up(
    libvirtd: Libvirtd, settings: KvmSettings, until: Until
) -> None:
    connection = libvirt.open(libvirtd.uri)
    session = KvmSession(connection, settings, Target("localhost"))
    go_on = threading.Event()
    names: list[str] = []

    def ask() -> None:
        assert go_on.wait(PATIENCE_SECONDS)
        names.append(connection.getHostname())

    with pytest.raises(NoResponse):
        bounded(session, "a place", ask, 0.1)
    sessions.disconnect(session)
    go_on.set()
    until(lambda: bool(names), PATIENCE_SECONDS, "the call that was given up ends")


def responds(session: KvmSession) -> bool:
    """Tell whether the host's storages can be listed."""
    try:
        storage_list(session)
    except HypervisorTimeout:
        return False
    return True


def test_a_storage_that_hangs_is_listed_without_what_it_promised(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool, until: Until
) -> None:
    before = {found.name: found for found in in_time(libvirtd, settings, storage_list)}
    assert before[hanging.name].allocated_space is not None
    with hanging.hung():
        during = {found.name: found for found in in_time(libvirtd, settings, storage_list)}
        assert during.keys() == before.keys()
        shown = during[hanging.name]
        assert (shown.type, shown.size, shown.allocated_space) == ("dir", before[hanging.name].size, None)
        # libvirtd holds the pool now, and no client of its can list pools.
        for call in (storage_list, lambda own: storage_info(own, hanging.name)):
            with pytest.raises(HypervisorTimeout, match="a storage of the host does not respond"):
                in_time(libvirtd, settings, call)
    until(lambda: responds(session), PATIENCE_SECONDS, "the storages respond")
    assert storage_info(session, hanging.name) == before[hanging.name]
    assert {found.name for found in storage_list(session)} == before.keys()


def test_storages_that_are_busy_are_not_said_to_hang(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_look, done = threading.Barrier(3), threading.Event()

    def wait() -> bool:
        all_look.wait(PATIENCE_SECONDS)
        return done.wait(PATIENCE_SECONDS)

    def look(own: KvmSession) -> bool:
        return within_storage_limit(own, wait, 2 * PATIENCE_SECONDS)

    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
        clients(libvirtd, settings, look, 2) as looks,
    ):
        guest_id = domain.UUIDString()
        calls: list[Callable[[], object]] = [
            lambda: storage_list(session),
            lambda: storage_info(session, libvirtd.pool),
            lambda: disk_update(session, guest_id, "vda", DiskUpdate(size=2)),
        ]
        all_look.wait(PATIENCE_SECONDS)
        monkeypatch.setattr(sizes, "STORAGE_SECONDS", 0.2)
        monkeypatch.setattr(listing, "STORAGE_SECONDS", 0.2)
        try:
            for call in calls:
                with pytest.raises(Busy, match="try again") as caught:
                    call()
                assert caught.value.retry_after_seconds is not None
                assert "respond" not in caught.value.message
            assert listed(session)[guest_id].hdd is None
            assert guest_info(session, guest_id).hdd is None
            assert sessions.check(session), "nothing was given up"
        finally:
            monkeypatch.undo()
            done.set()
        assert looks() == [True, True]
    assert libvirtd.pool in {found.name for found in storage_list(session)}


def test_a_storage_whose_folder_vanished_hides_no_other(session: KvmSession, libvirtd: Libvirtd) -> None:
    folder = libvirtd.folder / "pool-vanished"
    folder.mkdir()
    pool = session.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>vanished</name><target><path>{folder}</path></target></pool>"
    )
    pool.createXML("<volume><name>v</name><capacity unit='MiB'>1</capacity></volume>")
    (folder / "v").unlink()
    folder.rmdir()
    try:
        shown = {found.name: found for found in storage_list(session)}
        assert {"vanished", libvirtd.pool} <= shown.keys()
        with (
            volume(session.connection, libvirtd.pool, GIB) as disk,
            foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
            foreign(session.connection, file_disk(f"{folder}/v", "vda", "virtio")) as broken,
        ):
            guests = listed(session)
            assert guests[domain.UUIDString()].hdd == 1
            assert guests[broken.UUIDString()].hdd is None
    finally:
        pool.destroy()


def test_clients_of_the_service_read_lists_and_the_pool_while_a_storage_hangs(
    session: KvmSession, libvirtd: Libvirtd, hanging: HangingPool, tmp_path: Path, until: Until
) -> None:
    config = (
        "[hypervisors.kvm]\nallowed_hosts = ['localhost']\ntransport = 'unix'\n"
        f"socket = '{libvirtd.socket}'\n[hypervisors.kvm.accounts]\nadmin = '{hash_password('secret')}'\n"
    )
    statuses: list[int] = []
    done = threading.Event()
    with (
        foreign(session.connection, file_disk(str(hanging.folder / "disk.qcow2"), "vda", "virtio")) as hung,
        running_service(tmp_path, config) as service,
    ):

        def poll() -> None:
            while not done.is_set():
                statuses.append(service.get("/kvm/localhost/guests").status)
                done.wait(1)

        threads = [threading.Thread(target=poll, daemon=True) for _ in range(CLIENTS)]
        with hanging.hung():
            for thread in threads:
                thread.start()
            # At first they are more at once than one host may have, whether it hangs or not.
            all_read = [200] * CLIENTS
            until(lambda: statuses[-CLIENTS:] == all_read, PATIENCE_SECONDS, "all clients read lists")
            pool = "/kvm/localhost"
            until(lambda: service.get(pool).status == 200, PATIENCE_SECONDS, "the pool is shown")
            answer = service.get(f"/kvm/localhost/guests/{hung.UUIDString()}")
            assert (answer.status, answer.json["hdd"], answer.json["memory"]) == (200, None, 32)
            done.set()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
    assert set(statuses) <= {200, 503}, "no list fails for what hangs"
