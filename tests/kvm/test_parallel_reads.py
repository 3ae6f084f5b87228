"""Many volumes are read over several connections, and by the session's own where those do not help."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import libvirt
import pytest

from simplestack import HypervisorUnavailable
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_kvm.libvirtd.connection import parallel_reads
from simplestack_kvm.libvirtd.connection.parallel_reads import read_all
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.storage.inventory import volumes_at

from .counterparts.libvirtd import Libvirtd
from .sockets import sockets

COUNT = 24

Volumes = dict[tuple[str, str], "libvirt.virStorageVol"]

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def many(session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make volumes in a pool of their own; three further connections are worth their making."""
    monkeypatch.setattr(parallel_reads, "THINGS_PER_CONNECTION", COUNT // 3)
    folder = libvirtd.folder / "many"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"volume-{number}").write_bytes(b"content")
    pool = session.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>many</name><target><path>{folder}</path></target></pool>"
    )
    yield
    for path in folder.iterdir():
        path.unlink()
    pool.destroy()
    folder.rmdir()


def find(connection: "libvirt.virConnect") -> Volumes:
    return {key: volume for key, volume in volumes_at(connection).items() if key[0] == "many"}


def read(volume: "libvirt.virStorageVol") -> str:
    return volume.XMLDesc()


def names(read: dict[tuple[str, str], str]) -> set[str]:
    return {name for (_, name), text in read.items() if f"<name>{name}</name>" in text}


EXPECTED = {f"volume-{number}" for number in range(COUNT)}


class Waiting(Volumes):
    """Lets the session's own connection begin when something has happened."""

    def __init__(self, session: KvmSession, event: threading.Event) -> None:
        super().__init__(find(session.connection))
        self._event = event

    def __getitem__(self, key: tuple[str, str]) -> "libvirt.virStorageVol":
        assert self._event.wait(30)
        return super().__getitem__(key)


def waiting(session: KvmSession, event: threading.Event) -> Callable[["libvirt.virConnect"], Volumes]:
    return lambda connection: (
        Waiting(session, event) if connection is session.connection else find(connection)
    )


@pytest.mark.usefixtures("many")
def test_further_connections_take_part_and_are_closed(
    session: KvmSession, libvirtd: Libvirtd, until: Until
) -> None:
    before = sockets()
    all_made = threading.Event()
    meeting = threading.Barrier(3, all_made.set)

    def connect() -> "libvirt.virConnect":
        connection = libvirt.open(libvirtd.uri)
        meeting.wait(30)
        return connection

    _, descriptions = read_all(replace(session, reopen=connect), waiting(session, all_made), read)
    assert names(descriptions) == EXPECTED
    assert all_made.is_set()
    until(lambda: not sockets() - before, 30, "the connections are closed")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("error", [HypervisorUnavailable("too many"), libvirt.libvirtError("too many")])
def test_connections_that_cannot_be_made_are_not_missed(session: KvmSession, error: Exception) -> None:
    tried = []

    def connect() -> "libvirt.virConnect":
        tried.append(1)
        raise error

    for _ in range(5):  # more than there may be at once: each gives its place back
        _, descriptions = read_all(replace(session, reopen=connect), find, read)
        assert names(descriptions) == EXPECTED
    assert tried


@pytest.mark.usefixtures("many")
def test_what_a_connection_has_taken_and_does_not_deliver_is_read_again(
    session: KvmSession,
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
    _, descriptions = read_all(hanging, waiting(session, taken), read)
    assert names(descriptions) == EXPECTED
    let_go.set()


@pytest.mark.usefixtures("many")
def test_what_there_is_no_time_for_is_left_out(session: KvmSession, monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.monotonic()

    def find_late(connection: "libvirt.virConnect") -> Volumes:
        monkeypatch.setattr("time.monotonic", lambda: started + 50)
        return find(connection)

    token = current_deadline.set(Deadline(60))
    things, descriptions = read_all(session, find_late, read)
    monkeypatch.undo()
    current_deadline.reset(token)
    assert (len(things), descriptions) == (COUNT, {})


def test_what_comes_too_late_is_not_in_the_results() -> None:
    go_on, over = threading.Event(), threading.Event()

    class Connection:
        """What a further connection is here: it delivers when all is over."""

        def close(self) -> None:
            over.set()

    own: Any = object()
    session: Any = SimpleNamespace(connection=own, reopen=Connection)

    def read(number: int) -> int:
        if threading.current_thread() is not main:
            assert go_on.wait(30)
        return number

    main = threading.current_thread()
    token = current_deadline.set(Deadline(-1))  # no time for the session's own connection
    things, results = read_all(session, lambda _: dict.fromkeys(range(COUNT * 20), 1), read)
    current_deadline.reset(token)
    before = dict(results)
    go_on.set()
    assert over.wait(30)
    assert results == before
    assert len(results) < len(things)
