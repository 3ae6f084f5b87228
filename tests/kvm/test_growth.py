"""Growing disks on a real libvirtd: what a guest wrote into its raw disk is data, not a header to follow."""

import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from simplestack import GIB, MIB, Busy, Conflict, DiskUpdate, GuestUpdate, InvalidArguments
from simplestack_kvm.hooks.disks import disk_info, disk_update
from simplestack_kvm.hooks.guests import guest_info, guest_list
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.libvirtd.changes import turns
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .interference import after

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED


def refresh(session: KvmSession, libvirtd: Libvirtd) -> None:
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


@contextmanager
def disk_file(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Path]:
    """Give the path of a file in the pool, and remove it."""
    path = libvirtd.pool_folder / f"disk-{uuid.uuid4().hex[:8]}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        refresh(session, libvirtd)


def device(path: Path, disk_format: str = "raw") -> str:
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='{disk_format}'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )


@pytest.fixture
def victim(libvirtd: Libvirtd) -> Path:
    """Give a file of the host's in no pool, which only root may touch."""
    folder = libvirtd.folder / f"outside-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    path = folder / "victim"
    path.write_bytes(b"precious" * 1024)
    path.chmod(0o600)
    return path


def hostile_header(victim: Path, size: str, *, data_file: bool) -> bytes:
    """Return a qcow2 header that refers to a file of the host's."""
    image = victim.with_name("image.qcow2")
    if data_file:
        other = victim.with_name("others")  # qemu-img makes the data file: it is not to be the victim
        options = ["-o", f"data_file={other},data_file_raw=on", str(image), size]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options], check=True)
        header = image.read_bytes().replace(bytes(other), bytes(victim))
    else:
        options = ["-u", "-b", str(victim), "-F", "raw", str(image), size]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options], check=True)
        header = image.read_bytes()
    image.unlink()
    return header


@pytest.mark.parametrize("data_file", [False, True])
@pytest.mark.parametrize("seen", [False, True])
def test_the_growth_of_a_raw_disk_follows_no_header_that_its_guest_wrote(
    session: KvmSession, libvirtd: Libvirtd, victim: Path, data_file: bool, seen: bool
) -> None:
    header = hostile_header(victim, "1M", data_file=data_file)
    with disk_file(session, libvirtd) as path, foreign(session.connection, device(path)) as domain:
        path.write_bytes(b"\0" * 4 * MIB)
        refresh(session, libvirtd)
        with path.open("r+b") as file:
            file.write(header)
        if seen:
            refresh(session, libvirtd)
        content, kept = path.read_bytes(), victim.read_bytes()
        guest_id = domain.UUIDString()
        for grow in (
            lambda: disk_update(session, guest_id, "vda", DiskUpdate(size=1)),
            lambda: guest_update(session, guest_id, GuestUpdate(hdd=1.0)),
        ):
            with pytest.raises(Conflict, match="start the guest") as caught:
                grow()
            assert str(libvirtd.folder) not in caught.value.message
            assert (path.read_bytes(), victim.read_bytes()) == (content, kept)
        domain.createWithFlags(PAUSED)
        assert (disk_update(session, guest_id, "vda", DiskUpdate(size=1)).size or 0) > 0
        assert path.stat().st_size == GIB
        assert path.read_bytes()[: len(content)] == content
        assert victim.read_bytes() == kept


@pytest.mark.parametrize("said", ["1M", "8G"])
def test_a_running_guest_that_writes_a_header_does_not_decide_how_large_its_disk_is(
    session: KvmSession, libvirtd: Libvirtd, victim: Path, said: str
) -> None:
    header = hostile_header(victim, said, data_file=False)
    with disk_file(session, libvirtd) as path, foreign(session.connection, device(path)) as domain:
        path.write_bytes(b"\0" * 64 * MIB)
        domain.createWithFlags(PAUSED)
        with path.open("r+b") as file:
            file.write(header)
        refresh(session, libvirtd)
        guest_id = domain.UUIDString()
        for shrink in (
            lambda: disk_update(session, guest_id, "vda", DiskUpdate(size=32 / 1024)),
            lambda: guest_update(session, guest_id, GuestUpdate(hdd=32 / 1024)),
        ):
            with pytest.raises(InvalidArguments, match="only grow"):
                shrink()
            assert path.stat().st_size == 64 * MIB


def test_a_raw_disk_grows_whether_its_guest_runs_or_not(session: KvmSession, libvirtd: Libvirtd) -> None:
    with disk_file(session, libvirtd) as path, foreign(session.connection, device(path)) as domain:
        path.write_bytes(b"x" * MIB)
        refresh(session, libvirtd)
        assert disk_update(session, domain.UUIDString(), "vda", DiskUpdate(size=0.5)).size == 0.5
        domain.createWithFlags(PAUSED)
        assert disk_update(session, domain.UUIDString(), "vda", DiskUpdate(size=1)).size == 1
        assert path.stat().st_size == GIB
        assert path.read_bytes()[: 2 * MIB] == b"x" * MIB + b"\0" * MIB


def test_a_disk_that_was_filled_after_libvirt_looked_is_not_cut(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with disk_file(session, libvirtd) as path, foreign(session.connection, device(path, "qcow2")) as domain:
        path.touch()
        refresh(session, libvirtd)
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=full", str(path), "8M"],
            check=True,
        )
        content = path.read_bytes()
        grown = disk_update(session, domain.UUIDString(), "vda", DiskUpdate(size=1))
        assert grown.size == disk_info(session, domain.UUIDString(), "vda").size == 1
        assert path.stat().st_size >= len(content)
        subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(path)], check=True)


@pytest.mark.parametrize("said", ["1M", "8G"])
def test_a_raw_disk_is_as_large_as_its_file_whatever_its_guest_wrote_into_it(
    session: KvmSession, libvirtd: Libvirtd, victim: Path, said: str
) -> None:
    fields = frozenset({"id", "hdd"})
    with disk_file(session, libvirtd) as path, foreign(session.connection, device(path)) as domain:
        path.write_bytes(hostile_header(victim, said, data_file=False).ljust(64 * MIB, b"\0"))
        refresh(session, libvirtd)
        guest_id = domain.UUIDString()
        for state in ("off", "running"):
            if state == "running":
                domain.createWithFlags(PAUSED)
            assert disk_info(session, guest_id, "vda").size == 1 / 16
            assert guest_info(session, guest_id).hdd == 1 / 16
            assert {guest.id: guest.hdd for guest in guest_list(session, fields)}[guest_id] == 1 / 16
        assert disk_update(session, guest_id, "vda", DiskUpdate(size=1)).size == 1


@contextmanager
def another(session: KvmSession, libvirtd: Libvirtd) -> Iterator[KvmSession]:
    """Give a session of another client."""
    with closing(libvirt.open(libvirtd.uri)) as connection:
        yield replace(session, connection=connection, abandoned=Abandoned())


def test_of_two_growths_at_once_the_smaller_one_does_not_cut_the_disk(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio"), memory_mib=64) as domain,
        another(session, libvirtd) as other,
        ThreadPoolExecutor(1) as executor,
    ):
        domain.createWithFlags(PAUSED)
        guest_id = domain.UUIDString()

        def grow() -> None:
            grown = executor.submit(disk_update, other, guest_id, "vda", DiskUpdate(size=10)).result()
            assert grown.size == 10

        with (
            after("virDomainSetMemoryFlags", grow, nth=1),
            pytest.raises(InvalidArguments, match="only grow"),
        ):
            guest_update(session, guest_id, GuestUpdate(memory=48, hdd=2))
        info: Any = domain.blockInfo("vda")  # annotated as str
        assert info[0] == 10 * GIB


def test_one_request_at_a_time_grows_the_disks_of_a_guest_that_runs(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.1)
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
        another(session, libvirtd) as other,
        ThreadPoolExecutor(1) as executor,
    ):
        domain.createWithFlags(PAUSED)
        guest_id = domain.UUIDString()
        failures: list[BaseException | None] = []

        def grow() -> None:
            growth = executor.submit(disk_update, other, guest_id, "vda", DiskUpdate(size=10))
            failures.append(growth.exception())

        # The size has been compared, and the disk has not grown yet.
        with after("virDomainGetBlockInfo", grow, nth=1):
            assert disk_update(session, guest_id, "vda", DiskUpdate(size=2)).size == 2
        (failure,) = failures
        assert isinstance(failure, Busy)
        assert disk_update(session, guest_id, "vda", DiskUpdate(size=10)).size == 10
