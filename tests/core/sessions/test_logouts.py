"""Logging out: aside from requests, again when a host did not answer, and counted when the process stops."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from simplestack import HypervisorSettings, HypervisorTimeout, HypervisorUnavailable
from simplestack.sessions import logouts
from support.dispatching import Gate, Hypervisor, Session
from support.service import wait_for
from support.threads import in_threads


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    monkeypatch.setattr(logouts, "_DELAYS_SECONDS", (0.0, 0.02, 0.02, 0.02))


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


class Host:
    """A host that takes a logout at the n-th attempt."""

    def __init__(self, succeeds_at: int, error: BaseException | None = None) -> None:
        self.attempts: list[Session] = []
        self._succeeds_at = succeeds_at
        self._error = error or HypervisorTimeout("silent")

    def disconnect(self, session: Session) -> None:
        self.attempts.append(session)
        if len(self.attempts) < self._succeeds_at:
            raise self._error


def host_list(session: Session) -> list[Any]:
    """Break the session."""
    raise HypervisorUnavailable("broke")


def host_info(session: Session, host_id: str) -> Any:
    """Do nothing wrong with the session."""
    raise NotImplementedError


def broken(hypervisor: Hypervisor) -> None:
    with pytest.raises(HypervisorUnavailable, match="broke"):
        hypervisor.call("host_list")


def used(hypervisor: Hypervisor, **who: str) -> None:
    with pytest.raises(Exception, match="does not support this"):
        hypervisor.call("host_info", host_id="1", **who)


def test_no_request_waits_for_a_logout(gate: Gate) -> None:
    hypervisor = Hypervisor(host_list, disconnect=lambda _session: gate.wait())
    broken(hypervisor)
    gate.await_arrivals()
    assert hypervisor.counts["sessions"] == 1
    gate.open()
    wait_for(lambda: hypervisor.counts["sessions"] == 0, what="the logout")


def test_it_is_tried_again_when_the_host_did_not_answer() -> None:
    host = Host(succeeds_at=3)
    hypervisor = Hypervisor(host_list, disconnect=host.disconnect)
    broken(hypervisor)
    wait_for(lambda: hypervisor.counts["sessions"] == 0, what="the logout")
    assert [session.number for session in host.attempts] == [1, 1, 1]


@pytest.mark.parametrize("error", [HypervisorTimeout("silent"), RuntimeError("a defect"), SystemExit(1)])
def test_it_is_given_up_after_four_attempts(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    host = Host(succeeds_at=100, error=error)
    hypervisor = Hypervisor(host_list, disconnect=host.disconnect)
    broken(hypervisor)
    wait_for(lambda: hypervisor.counts["sessions"] == 0, what="the end of the attempts")
    assert len(host.attempts) == 4
    assert "cannot log out of h, giving up after attempt 4" in caplog.text


def test_the_log_has_no_text_of_an_unknown_error_which_may_quote_a_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Host(succeeds_at=100, error=RuntimeError("OpaqueRef:secret"))
    hypervisor = Hypervisor(host_list, disconnect=host.disconnect)
    with caplog.at_level(logging.DEBUG):
        broken(hypervisor)
        wait_for(lambda: hypervisor.counts["sessions"] == 0, what="the end of the attempts")
    assert "giving up after attempt 4: RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_a_host_that_cannot_be_told_has_room_for_new_sessions(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    monkeypatch.setattr(logouts, "_DELAYS_SECONDS", (0.0, 30.0))
    host = Host(succeeds_at=100)
    settings = HypervisorSettings(max_sessions_per_host=1, connect_timeout_seconds=10)
    hypervisor = Hypervisor(host_list, host_info, disconnect=host.disconnect, settings=settings)
    broken(hypervisor)
    used(hypervisor)
    assert hypervisor.counts["sessions"] == 2, "the lost one counts among all"
    hypervisor.dispatcher.close(1)


def test_sessions_that_wait_for_another_attempt_are_bounded_for_each_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logouts, "_DELAYS_SECONDS", (0.0, 3600.0))
    host = Host(succeeds_at=100)
    settings = HypervisorSettings(max_sessions_per_host=2)
    hypervisor = Hypervisor(host_list, disconnect=host.disconnect, settings=settings)
    for number in range(1, 6):
        broken(hypervisor)
        wait_for(lambda: len(host.attempts) == number, what="an attempt")  # noqa: B023  at once
    wait_for(lambda: hypervisor.counts["sessions"] == 2, what="the others to be given up")
    hypervisor.dispatcher.close(1)


def test_one_host_that_hangs_delays_no_other(gate: Gate) -> None:
    ended: list[str] = []

    def disconnect(session: Session) -> None:
        if session.host == "hangs":
            gate.wait()
        ended.append(session.host)

    settings = HypervisorSettings(idle_timeout_seconds=0.01)
    hypervisor = Hypervisor(host_info, disconnect=disconnect, settings=settings)
    for host in ("hangs", "one", "two"):
        used(hypervisor, host=host)
    wait_for(lambda: sorted(ended) == ["one", "two"], what="the others")


class TestStopping:
    """A process that stops logs out, waits so long and no longer, and says what it could not end."""

    def test_all_idle_sessions_are_logged_out(self, caplog: pytest.LogCaptureFixture) -> None:
        hypervisor = Hypervisor(host_info)
        for user in ("a", "b"):
            used(hypervisor, user=user)
        hypervisor.dispatcher.close(20)
        assert sorted(session.user for session in hypervisor.disconnected) == ["a", "b"]
        assert "still logged in" not in caplog.text

    def test_one_in_use_is_logged_out_when_it_is_released(self, gate: Gate) -> None:
        def storage_list(session: Session) -> list[Any]:
            gate.wait()
            return []

        hypervisor = Hypervisor(storage_list)
        with in_threads(1) as start:
            call = start(hypervisor.call, "storage_list")
            gate.await_arrivals()
            hypervisor.dispatcher.close(0.01)
            assert hypervisor.disconnected == []
            gate.open()
            assert call.result() == []
        wait_for(lambda: len(hypervisor.disconnected) == 1, what="the logout")

    def test_it_says_how_many_could_not_be_logged_out_and_where(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        def disconnect(session: Session) -> None:
            if session.host == "hangs":
                gate.wait()
            if session.host == "down":
                raise HypervisorTimeout("silent")

        hypervisor = Hypervisor(host_info, disconnect=disconnect)
        for host, user in (("hangs", "a"), ("down", "a"), ("down", "b"), ("fine", "a")):
            used(hypervisor, host=host, user=user)
        with caplog.at_level(logging.WARNING):
            hypervisor.dispatcher.close(0.3)
        assert "3 sessions still logged in: 2 at down, 1 at hangs" in caplog.text

    def test_what_waits_for_another_attempt_is_tried_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logouts, "_DELAYS_SECONDS", (0.0, 3600.0))
        first = threading.Event()
        ended: list[Session] = []

        def disconnect(session: Session) -> None:
            if not first.is_set():
                first.set()
                raise HypervisorTimeout("silent")
            ended.append(session)

        hypervisor = Hypervisor(host_list, disconnect=disconnect)
        broken(hypervisor)
        assert first.wait(20)
        hypervisor.dispatcher.close(20)
        assert [session.number for session in ended] == [1]

    def test_a_host_that_does_not_answer_gets_one_last_attempt(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        host = Host(succeeds_at=100)
        hypervisor = Hypervisor(host_info, disconnect=host.disconnect)
        used(hypervisor)
        hypervisor.dispatcher.pool._logouts._closing.set()
        hypervisor.dispatcher.close(20)
        assert len(host.attempts) == 1
        assert "giving up after attempt 1" in caplog.text
        assert "1 session still logged in: 1 at h" in caplog.text

    def test_one_that_is_logged_out_meanwhile_is_none_that_could_not_be(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        hypervisor = Hypervisor(host_info, disconnect=lambda _session: gate.wait())
        used(hypervisor)
        with in_threads(1) as start:
            closing = start(hypervisor.dispatcher.close, 20)
            gate.await_arrivals()
            wait_for(hypervisor.dispatcher.pool._logouts._closing.is_set, what="the end to begin")
            gate.open()
            closing.result()
        assert hypervisor.counts["sessions"] == 0
        assert "still logged in" not in caplog.text
