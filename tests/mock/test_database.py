"""The file: where it lies, who may read it, and what is said of one that cannot be used."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from simplestack import (
    Busy,
    Conflict,
    Credentials,
    GuestCreate,
    HypervisorError,
    InsufficientStorage,
    Stack,
    Target,
)
from simplestack.mock import MockSession, MockSettings, plugin
from simplestack.mock.hooks import guests, guests_create
from simplestack.mock.settings import default_database

Connect = Callable[..., MockSession]


def test_only_its_owner_may_read_the_database(connect: Connect, database: str) -> None:
    session = connect()
    guests_create.guest_create(session, GuestCreate(name="x", memory=64))
    folder = Path(database).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    files = list(folder.iterdir())
    assert len(files) >= 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_default_file_is_in_the_state_directory_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere/state")
    assert MockSettings().database == "/somewhere/state/simplestack/mock-4.sqlite3"
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    assert default_database() == "/home/somebody/.local/state/simplestack/mock-4.sqlite3"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_database() == "/home/somebody/.local/state/simplestack/mock-4.sqlite3"


def test_a_user_without_a_home_has_the_file_in_var(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)
    assert default_database() == "/var/lib/simplestack/mock-4.sqlite3"


def test_worlds_outlive_their_sessions(database: str) -> None:
    settings = MockSettings(database=database)
    for expected in (2, 3):
        session = plugin.connect(Target("demo"), Credentials("u", "p"), settings)
        assert len(guests.guest_list(session)) == expected
        guests_create.guest_create(session, GuestCreate(name=f"guest {expected}", memory=64))
        plugin.disconnect(session)
    assert sorted(path.name for path in Path(database).parent.iterdir()) == [
        "mock.sqlite3",
        "mock.sqlite3.lock",
    ]


def test_one_session_ends_without_the_others(connect: Connect, database: str) -> None:
    stays = connect()
    goes = plugin.connect(Target("demo"), Credentials("other", "p"), MockSettings(database=database))
    plugin.disconnect(goes)
    assert len(guests.guest_list(stays)) == 2


def damaged(path: Path) -> None:
    path.write_bytes(b"this is not a database at all" * 100)


def of_another_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def of_another_version(path: Path) -> None:
    plugin.disconnect(plugin.connect(Target("demo"), Credentials("u", "p"), MockSettings(database=str(path))))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damaged, r"damaged: stop the service, remove the file that `database` in \[hypervisors.mock\]"),
        (of_another_application, "another application's: name another"),
        (of_another_version, "has schema 99, this version of Simplestack needs 4: stop the service"),
        (Path.mkdir, "cannot be opened"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(
    tmp_path: Path, spoil: Callable[[Path], None], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spoilt.sqlite3"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    settings = MockSettings(database=str(path))
    with (
        caplog.at_level(logging.ERROR, "simplestack.mock"),
        pytest.raises(HypervisorError, match=message) as caught,
    ):
        plugin.connect(Target("demo"), Credentials("u", "p"), settings)
    assert str(tmp_path) not in caught.value.message
    assert str(path) in caplog.text
    assert any(str(path) in line for line in plugin.warnings(settings))
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = MockSettings(database=str(tmp_path / "file" / "below" / "mock.sqlite3"))
    with pytest.raises(HypervisorError, match="cannot be made: Not a directory"):
        plugin.connect(Target("demo"), Credentials("u", "p"), settings)


def test_a_service_that_starts_says_that_nothing_is_protected(database: str) -> None:
    (line,) = plugin.warnings(MockSettings(database=database))
    assert "any user and password" in line
    assert not Path(database).exists()


def test_errors_of_the_database_are_translated() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        assert isinstance(plugin.translate(caught.value), InsufficientStorage)
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("SELECT * FROM missing")
        assert isinstance(plugin.translate(caught.value), HypervisorError)
    assert plugin.translate(ValueError("ours")) is None


def test_a_write_lock_that_is_held_too_long_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "busy.sqlite3"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as holder,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as waiter,
    ):
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            waiter.execute("BEGIN IMMEDIATE")
    assert isinstance(plugin.translate(caught.value), Busy)


def test_a_change_waits_for_other_writers_no_longer_than_its_time_limit(tmp_path: Path) -> None:
    path = tmp_path / "busy.sqlite3"
    config = tmp_path / "simplestack.toml"
    config.write_text(f"[hypervisors.mock]\ndatabase = '{path}'\ncall_timeout_seconds = 0.2\n")
    with (
        Stack("mock", "demo", "anybody", "", config=config) as stack,
        closing(sqlite3.connect(path, isolation_level=None)) as holder,
    ):
        guest = stack.guest_list()[0]
        holder.execute("BEGIN IMMEDIATE")
        started_seconds = time.monotonic()
        with pytest.raises(Busy):
            stack.tag_create(guest_id=guest.id, name="x")
        assert time.monotonic() - started_seconds < 10
        holder.execute("ROLLBACK")
        assert stack.tag_create(guest_id=guest.id, name="x")


def test_a_failed_change_holds_nothing_up(session: MockSession) -> None:
    with pytest.raises(Conflict):
        guests_create.guest_create(session, GuestCreate(name="web", memory=64))
    made = threading.Thread(
        target=guests_create.guest_create, args=(session, GuestCreate(name="from a thread", memory=64))
    )
    made.start()
    made.join(timeout=10)
    assert "from a thread" in {guest.name for guest in guests.guest_list(session)}
