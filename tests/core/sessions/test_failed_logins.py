"""A login that failed is rejected for a while without asking the hypervisor."""

from typing import Any

import pytest

from simplestack import HypervisorSettings, Unauthorized
from simplestack.identity.credentials import Credentials
from simplestack.sessions.failed_logins import FailedLogins
from simplestack.sessions.maker import Place, SessionKey
from support.dispatching import Hypervisor, Session, session_of, storage_info


class TestFailedLogins:
    """A login that failed is rejected for a while without asking the hypervisor."""

    @pytest.fixture
    def attempts(self) -> list[str]:
        return []

    @pytest.fixture
    def hypervisor(self, attempts: list[str]) -> Hypervisor:
        def connect(_target: Any, credentials: Credentials, _settings: Any) -> Session:
            attempts.append(credentials.username)
            if credentials.password != "secret":
                raise Unauthorized("wrong password")
            return Session(1, credentials.username, "", "h")

        return Hypervisor(storage_info, connect=connect, settings=HypervisorSettings(failed_login_seconds=60))

    def test_it_is_not_asked_again(self, hypervisor: Hypervisor, attempts: list[str]) -> None:
        for _ in range(3):
            with pytest.raises(Unauthorized, match="wrong password"):
                session_of(hypervisor, password="wrong")
        assert attempts == ["admin"]
        assert hypervisor.counts["sessions"] == 0

    def test_other_logins_are_asked(self, hypervisor: Hypervisor, attempts: list[str]) -> None:
        with pytest.raises(Unauthorized):
            session_of(hypervisor, password="wrong")
        assert session_of(hypervisor) == 1
        with pytest.raises(Unauthorized):
            session_of(hypervisor, user="other", password="wrong")
        with pytest.raises(Unauthorized):
            session_of(hypervisor, host="other", password="wrong")
        assert attempts == ["admin", "admin", "other", "admin"]

    def test_it_is_asked_again_after_its_time(self) -> None:
        failures = FailedLogins()
        key = SessionKey(Place("lab", "h"), b"1")
        failures.remember(key, Unauthorized("wrong"), 60)
        with pytest.raises(Unauthorized):
            failures.check(key)
        failures.remember(key, Unauthorized("wrong"), 0)
        failures.check(key)

    def test_one_that_never_failed_is_asked(self) -> None:
        failures = FailedLogins()
        failures.check(SessionKey(Place("lab", "h"), b"1"))
        failures.remember(SessionKey(Place("lab", "h"), b"1"), Unauthorized("wrong"), 60)
        failures.check(SessionKey(Place("lab", "h"), b"2"))

    def test_the_oldest_is_forgotten_first(self) -> None:
        failures = FailedLogins()
        keys = [SessionKey(Place("lab", "h"), str(number).encode()) for number in range(1025)]
        for key in keys:
            failures.remember(key, Unauthorized("wrong"), 60)
        failures.check(keys[0])
        for key in (keys[1], keys[-1]):
            with pytest.raises(Unauthorized):
                failures.check(key)

    def test_one_that_fails_again_is_the_newest(self) -> None:
        failures = FailedLogins()
        keys = [SessionKey(Place("lab", "h"), str(number).encode()) for number in range(1025)]
        for key in [*keys[:1024], keys[0], keys[1024]]:
            failures.remember(key, Unauthorized("wrong"), 60)
        with pytest.raises(Unauthorized):
            failures.check(keys[0])
        failures.check(keys[1])
