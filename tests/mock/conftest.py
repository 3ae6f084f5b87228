"""A world of its own for each test, reached through the plugin's own connect."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simplestack import Credentials, Guest, GuestState, Target
from simplestack.mock import MockSession, MockSettings, plugin
from simplestack.mock.hooks import guests

Connect = Callable[..., MockSession]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "mock.sqlite3")


@pytest.fixture
def connect(database: str) -> Iterator[Connect]:
    sessions: list[MockSession] = []

    def connect(world: str = "demo", **settings: object) -> MockSession:
        wanted = MockSettings(**{"database": database, **settings})  # type: ignore[arg-type]  # any settings
        sessions.append(plugin.connect(Target(world), Credentials("u", "p"), wanted))
        return sessions[-1]

    yield connect
    for session in sessions:
        plugin.disconnect(session)


@pytest.fixture
def session(connect: Connect) -> MockSession:
    return connect()


@pytest.fixture
def running(session: MockSession) -> Guest:
    """The guest of a new world that runs."""
    return next(guest for guest in guests.guest_list(session) if guest.state is GuestState.STARTED)


@pytest.fixture
def stopped(session: MockSession) -> Guest:
    """The guest of a new world that is stopped; it has two disks."""
    return next(guest for guest in guests.guest_list(session) if guest.state is GuestState.STOPPED)
