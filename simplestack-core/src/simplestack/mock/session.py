"""Connect and disconnect sessions, and warn about the database when the service starts."""

import os
from pathlib import Path

from simplestack import Credentials, HypervisorError, Target
from simplestack.mock.settings import MockSettings
from simplestack.mock.store.file import open_file
from simplestack.mock.store.world import World


class MockSession(World):
    """A connection to one world. Core lends it to one request at a time."""


def connect(target: Target, credentials: Credentials, settings: MockSettings) -> MockSession:
    """Connect to a world, and create it if it does not exist. Every password is accepted.

    :raises HypervisorError: the database cannot be used
    :raises InsufficientStorage: there are too many worlds
    """
    del credentials
    session = MockSession(target.name, open_file(_path(settings), reset=settings.reset), settings)
    try:
        if not session.exists():
            with session.change():
                pass
    except BaseException:
        session.connection.close()
        raise
    return session


def disconnect(session: MockSession) -> None:
    """Close the connection to the database."""
    session.connection.close()


def warnings(settings: MockSettings) -> list[str]:
    """Report a database that cannot be used, before the first request."""
    lines = ["any user and password are accepted: nothing in the mock's worlds is protected"]
    path = _path(settings)
    try:
        if path.exists():
            open_file(path, reset=False).close()
    except (OSError, HypervisorError) as error:
        lines.append(f"{path}: {getattr(error, 'message', error)}")
    return lines


def _path(settings: MockSettings) -> Path:
    return Path(os.path.expanduser(settings.database))  # noqa: PTH111  Path's raises without a home
