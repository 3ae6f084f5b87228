"""Several processes and threads write to one world at once, as the workers of a service do."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from simplestack import Conflict, DiskCreate, Guest, GuestCreate
from simplestack.mock import MockSession
from simplestack.mock.hooks import disks, guests, guests_create, storages, tags

WRITERS = Path(__file__).with_name("writers.py")
PROCESSES = 4
TIMEOUT_SECONDS = 120

Connect = Callable[..., MockSession]


@contextmanager
def started(database: str, task: str, number: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        # Python 3.12 warns of a fork beside other threads, which one of the tasks is about.
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore:This process",
            str(WRITERS),
            database,
            task,
            str(number),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has forked, too
        process.communicate()


def run_all(database: str, task: str) -> list[tuple[str, str]]:
    """Run a task in several processes at once; return all that they print, as word and rest."""
    with (
        started(database, task, 1) as one,
        started(database, task, 2) as two,
        started(database, task, 3) as three,
        started(database, task, 4) as four,
    ):
        processes = [one, two, three, four]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        lines: list[str] = []
        for process in processes:
            output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            assert process.returncode == 0
            lines += output.splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


@pytest.mark.parametrize(("task", "raced"), [("name", 25), ("mac", 8)])
def test_of_many_processes_exactly_one_gets_each_name_and_each_mac(
    database: str, task: str, raced: int
) -> None:
    outcomes = run_all(database, task)
    assert Counter(thing for word, thing in outcomes if word == "won") == {
        str(one): 1 for one in range(raced)
    }
    assert len(outcomes) == raced * PROCESSES


def test_no_disk_is_lost_when_many_processes_add_to_one_guest(connect: Connect, database: str) -> None:
    made = {thing for _, thing in run_all(database, "grow")}
    session = connect()
    guest = guests.guest_list(session)[1].id
    found = disks.disk_list(session, guest)
    assert len(made) == 100
    assert {disk.name for disk in found} >= made
    assert len({disk.number for disk in found}) == len({disk.id for disk in found}) == 102
    assert guests.guest_info(session, guest).hdd == 220


def test_the_sums_are_right_after_processes_and_threads_did_all_sorts_of_things(
    connect: Connect, database: str
) -> None:
    session = connect()
    before = storages.storage_list(session), guests.guest_list(session)
    labels = {thing for _, thing in run_all(database, "mixed")}
    assert len(labels) == PROCESSES * 2 * 5
    assert (storages.storage_list(session), guests.guest_list(session)) == before
    assert set(tags.tag_list(session, guests.guest_list(session)[0].id)) >= labels


def test_a_writer_that_is_killed_leaves_whole_guests_and_right_sums(connect: Connect, database: str) -> None:
    session = connect()
    with started(database, "killed", 1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        told = [process.stdout.readline().split()[1] for _ in range(20)]
        process.kill()
        told += [line.split()[1] for line in process.stdout.read().splitlines()]
    found = {guest.name for guest in guests.guest_list(session)}
    assert found >= set(told)
    assert len(found) <= 2 + len(told) + 1
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = "SELECT name, amount FROM claimed WHERE kind = 'storage'"
        claimed = dict(connection.execute(query).fetchall())
        records = [msgspec.json.decode(row[0]) for row in connection.execute("SELECT record FROM guest")]
    counted: Counter[str] = Counter()
    for record in records:
        for disk in record["hardware"]["disks"]:
            counted[disk["storage"]] += disk["size_bytes"]
    assert claimed == counted
    guests_create.guest_create(session, GuestCreate(name="afterwards", memory=64))


def test_connections_do_not_cross_a_fork(database: str) -> None:
    with started(database, "forked", 1) as process:
        output, _ = process.communicate("go\n", timeout=TIMEOUT_SECONDS)
    status, names = output.splitlines()
    assert status == "status 0"
    assert set(names.split("|")) >= {"before", "in the child", "in the parent"}
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_threads_with_sessions_of_their_own_lose_nothing(
    connect: Connect, session: MockSession, stopped: Guest
) -> None:
    def add(number: int) -> None:
        disks.disk_create(connect(), stopped.id, DiskCreate(size=1, name=str(number)))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(add, range(60)))
    found = disks.disk_list(session, stopped.id)
    assert {disk.name for disk in found} >= {str(number) for number in range(60)}
    assert [disk.number for disk in found] == [str(number) for number in range(62)]


def test_of_many_threads_exactly_one_gets_a_name(connect: Connect) -> None:
    def create(_: int) -> bool:
        try:
            guests_create.guest_create(connect(), GuestCreate(name="raced", memory=64))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(create, range(16))).count(True) == 1


def test_readers_see_whole_guests_while_they_change(
    connect: Connect, session: MockSession, stopped: Guest
) -> None:
    def grow(_: int) -> None:
        disks.disk_create(connect(), stopped.id, DiskCreate(size=1))

    with ThreadPoolExecutor(8) as threads:
        writing = [threads.submit(grow, number) for number in range(40)]
        is_over = False
        while not is_over:
            is_over = all(future.done() for future in writing)
            listed = disks.disk_list(session, stopped.id)
            assert [disk.number for disk in listed] == [str(number) for number in range(len(listed))]
    assert len(listed) == 42
    assert guests.guest_info(session, stopped.id).hdd == 160


def test_a_guest_that_was_read_shows_the_change_of_another_process_at_once(
    connect: Connect, database: str
) -> None:
    session = connect()
    guest = guests_create.guest_create(session, GuestCreate(name="before", memory=64))
    for name in ("first", "second"):
        assert guests.guest_info(session, guest.id).name != name
        with started(database, "rename", 1) as process:
            process.communicate(f"{guest.id} {name}\n", timeout=TIMEOUT_SECONDS)
        assert guests.guest_info(session, guest.id).name == name


def test_workers_that_make_the_database_at_once_make_one(database: str) -> None:
    assert len(run_all(database, "name")) == 100
    assert min(path.name for path in Path(database).parent.iterdir()) == "mock.sqlite3"


def test_a_reset_empties_the_worlds_once_for_each_start_of_a_service(database: str) -> None:
    def worker(number: int, start: str) -> list[str]:
        with started(database, "reset", number, SIMPLESTACK_INSTANCE=start) as process:
            output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        return output.strip().split("|")[1:]

    assert worker(1, "a") == ["database", "of 1", "web"]
    assert worker(2, "a") == ["database", "of 1", "of 2", "web"]
    assert worker(3, "b") == ["database", "of 3", "web"]
    assert worker(4, "a") == ["database", "of 3", "of 4", "web"], "that start has emptied them already"


def test_without_a_name_for_its_start_a_service_is_told_by_the_parent_of_its_workers(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMPLESTACK_INSTANCE", raising=False)
    for number in (1, 2):
        with started(database, "reset", number) as process:
            output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert output.strip() == "names|database|of 1|of 2|web"


def test_a_session_survives_that_another_service_empties_the_worlds(connect: Connect, database: str) -> None:
    session = connect("mine")
    with started(database, "reset", 1, SIMPLESTACK_INSTANCE="other") as process:
        process.communicate(timeout=TIMEOUT_SECONDS)
    made = guests_create.guest_create(session, GuestCreate(name="mine", memory=64))
    assert [guest.name for guest in guests.guest_list(session)] == ["web", "database", "mine"]
    assert guests.guest_info(session, made.id) == made
