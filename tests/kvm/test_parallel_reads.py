"""Many volumes are read over several connections, and by the session's own where those do not help."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from simplestack import HypervisorUnavailable
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_kvm import parallel_reads
from simplestack_kvm.parallel_reads import Key, read_volumes
from simplestack_kvm.session import KvmSession

from .counterparts.libvirtd import Libvirtd

COUNT = 24

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def volumes(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[Key, "libvirt.virStorageVol"]]:
    """Make volumes in a pool of their own; three further connections are worth their making."""
    monkeypatch.setattr(parallel_reads, "VOLUMES_PER_CONNECTION", COUNT // 3)
    folder = libvirtd.folder / "many"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"volume-{number}").write_bytes(b"content")
    pool = session.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>many</name><target><path>{folder}</path></target></pool>"
    )
    yield {("many", volume.name()): volume for volume in pool.listAllVolumes()}
    for path in folder.iterdir():
        path.unlink()
    pool.destroy()
    folder.rmdir()


def read(volume: "libvirt.virStorageVol") -> str:
    return volume.XMLDesc()


def names(read: dict[Key, str]) -> set[str]:
    return {name for (_, name), text in read.items() if f"<name>{name}</name>" in text}


EXPECTED = {f"volume-{number}" for number in range(COUNT)}


def sockets() -> int:
    """Count this process's connections."""
    return sum(1 for entry in Path("/proc/self/fd").iterdir() if is_socket(entry))


def is_socket(entry: Path) -> bool:
    try:
        return str(entry.readlink()).startswith("socket:")
    except OSError:  # it was closed just now
        return False


class Waiting(dict[Key, "libvirt.virStorageVol"]):
    """Lets the session's own connection begin when something has happened."""

    def __init__(self, volumes: dict[Key, "libvirt.virStorageVol"], event: threading.Event) -> None:
        super().__init__(volumes)
        self._event = event

    def __getitem__(self, key: Key) -> "libvirt.virStorageVol":
        assert self._event.wait(30)
        return super().__getitem__(key)


def test_further_connections_take_part_and_are_closed(
    session: KvmSession, libvirtd: Libvirtd, volumes: dict[Key, "libvirt.virStorageVol"], until: Until
) -> None:
    before = sockets()
    all_made = threading.Event()
    meeting = threading.Barrier(3, all_made.set)

    def connect() -> "libvirt.virConnect":
        connection = libvirt.open(libvirtd.uri)
        meeting.wait(30)
        return connection

    descriptions = read_volumes(replace(session, reopen=connect), Waiting(volumes, all_made), read)
    assert names(descriptions) == EXPECTED
    assert all_made.is_set()
    until(lambda: sockets() <= before, 30, "the connections are closed")


@pytest.mark.parametrize("error", [HypervisorUnavailable("too many"), libvirt.libvirtError("too many")])
def test_connections_that_cannot_be_made_are_not_missed(
    session: KvmSession, volumes: dict[Key, "libvirt.virStorageVol"], error: Exception
) -> None:
    tried = []

    def connect() -> "libvirt.virConnect":
        tried.append(1)
        raise error

    for _ in range(5):  # more than there may be at once: each gives its place back
        assert names(read_volumes(replace(session, reopen=connect), volumes, read)) == EXPECTED
    assert tried


def test_what_a_connection_has_taken_and_does_not_deliver_is_read_again(
    session: KvmSession, libvirtd: Libvirtd, volumes: dict[Key, "libvirt.virStorageVol"]
) -> None:
    taken = threading.Event()
    let_go = threading.Event()

    class Hanging:
        """A connection on which the description of a volume does not come."""

        def listAllStoragePools(self, _flags: int) -> list["Pool"]:  # noqa: N802  libvirt's
            return [Pool()]

        def close(self) -> None:
            pass

    class Pool:
        def name(self) -> str:
            return "many"

        def listAllVolumes(self) -> list["Volume"]:  # noqa: N802  libvirt's
            return [Volume(name) for name in EXPECTED]

    class Volume:
        def __init__(self, name: str) -> None:
            self._name = name

        def name(self) -> str:
            return self._name

        def XMLDesc(self) -> str:  # noqa: N802  libvirt's
            taken.set()
            assert let_go.wait(30)
            return "too late"

    connect: Any = Hanging
    hanging = replace(session, reopen=connect)
    descriptions = read_volumes(hanging, Waiting(volumes, taken), read)
    assert names(descriptions) == EXPECTED
    let_go.set()


def test_what_there_is_no_time_for_is_left_out(
    session: KvmSession, volumes: dict[Key, "libvirt.virStorageVol"]
) -> None:
    token = current_deadline.set(Deadline(parallel_reads.RESERVE_SECONDS - 1))
    assert read_volumes(session, volumes, read) == {}
    current_deadline.reset(token)
