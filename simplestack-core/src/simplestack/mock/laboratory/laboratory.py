"""The laboratory of one world, for tests in Python and for the test API."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from simplestack import Credentials, SettingsError
from simplestack.config.load import load_configuration
from simplestack.mock.laboratory import store
from simplestack.mock.laboratory.rules import Report, Rule
from simplestack.mock.session import MockSession, connect, disconnect
from simplestack.mock.settings import MockSettings
from simplestack.sessions.targets import parse_target


class Laboratory:
    """Fills a world, sets rules for it, and tells what was called.

    .. code-block:: python

        laboratory = Laboratory.of("simplestack.toml", "demo")
        laboratory.add_rule(Rule(operation="guest_create", action="error", error="Busy", times=1))
    """

    def __init__(self, world: str, settings: MockSettings) -> None:
        """Prepare; a world that is not there yet is made with the first call.

        :param world: the host's name in the URL
        :param settings: those of the service
        :raises InvalidArguments: the name cannot be one
        """
        self._target = parse_target(world)
        self._settings = settings

    @classmethod
    def of(cls, config: str | Path, world: str) -> Self:
        """Return the laboratory of a service's world.

        :param config: the service's TOML file
        :raises SettingsError: a setting is wrong
        """
        raw = load_configuration(Path(config)).hypervisors.get("mock", {})
        try:
            return cls(world, msgspec.convert(raw, MockSettings))
        except msgspec.ValidationError as error:
            raise SettingsError.of(error, "hypervisors.mock", MockSettings) from None

    def add_guests(self, count: int) -> int:
        """Add many guests at once, ``guest-00001`` and so on; return how many the world has.

        :raises Conflict: it may not have so many
        :raises InsufficientStorage: no room for their disks
        """
        with self._entered() as session:
            with session.change():
                session.add_bulk_guests(count)
            return len(session.summaries())

    def guests(self) -> int:
        """Return how many guests the world has."""
        with self._entered() as session:
            return len(session.summaries())

    def add_rule(self, rule: Rule) -> Report:
        """Set a rule; return it with its id."""
        with self._entered() as session, session.change():
            (number,) = store.add(session.connection, session.name, [rule])
        return Report(id=number, rule=rule, calls=0, hits=0)

    def rules(self) -> list[Report]:
        """Return the rules, oldest first."""
        with self._entered() as session:
            return store.read(session.connection, session.name)

    def remove_rule(self, number: int) -> None:
        """Remove a rule. Calls that hang because of it go on.

        :raises EntityNotFound: ``Rule``
        """
        with self._entered() as session, session.change():
            store.remove(session.connection, session.name, number)

    def remove_rules(self) -> None:
        """Remove all rules."""
        with self._entered() as session, session.change():
            store.remove(session.connection, session.name)

    def calls(self) -> dict[str, int]:
        """Return how often each hook was called since the world was made."""
        with self._entered() as session:
            return store.calls(session.connection, session.name)

    def reset(self) -> None:
        """Make the world as new."""
        with self._entered() as session:
            with session.change():
                store.forget(session.connection, session.name)
                session.remove()
            with session.change():  # which makes it
                pass

    @contextmanager
    def _entered(self) -> Iterator[MockSession]:
        session = connect(self._target, Credentials("laboratory", ""), self._settings)
        try:
            yield session
        finally:
            disconnect(session)
