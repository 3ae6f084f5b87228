"""One run of a hook: its session, its result, and what is written when it ends late."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import json

from simplestack import (
    EntityNotFound,
    Export,
    HypervisorSettings,
    HypervisorTimeout,
    HypervisorUnavailable,
    PermissionDenied,
)
from simplestack.dispatch import audit
from simplestack.dispatch.results import WrongResult
from support.dispatching import Gate, Hypervisor, Session, session_of, storage_info
from support.service import wait_for

QUICK = HypervisorSettings(call_timeout_seconds=0.1, long_call_timeout_seconds=0.1)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Open it when the test is over."""
    gate = Gate()
    yield gate
    gate.open()


def test_a_wrong_result_is_rejected_and_the_session_stays() -> None:
    def host_list(session: Session) -> Any:
        return "hosts"

    hypervisor = Hypervisor(host_list, storage_info)
    with pytest.raises(WrongResult, match="plugin 'lab': host_list returned str"):
        hypervisor.call("host_list")
    assert session_of(hypervisor) == 1
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}


@pytest.mark.parametrize("enforces", [True, False])
def test_a_session_that_a_plugin_exited_with_is_replaced(enforces: bool) -> None:
    def host_list(session: Session) -> list[Any]:
        raise SystemExit(1)

    hypervisor = Hypervisor(host_list, storage_info, enforces_time_limits=enforces)
    with pytest.raises(Exception, match="SystemExit"):
        hypervisor.call("host_list")
    assert session_of(hypervisor) == 2
    wait_for(lambda: [session.number for session in hypervisor.disconnected] == [1], what="the logout")


@pytest.mark.parametrize(
    ("known", "number"), [(HypervisorUnavailable("broke"), 2), (EntityNotFound("Pool", "1"), 1), (None, 1)]
)
def test_a_session_is_judged_by_the_translated_error(known: Any, number: int) -> None:
    def host_list(session: Session) -> list[Any]:
        raise KeyError("an SDK's")

    hypervisor = Hypervisor(host_list, storage_info, translate=lambda _error: known)
    with pytest.raises(type(known) if known else KeyError):
        hypervisor.call("host_list")
    assert session_of(hypervisor) == number


def test_arguments_reach_the_hook_as_they_are() -> None:
    found: list[tuple[str, str]] = []

    def tag_create(session: Session, guest_id: str, name: str) -> list[str]:
        found.append((guest_id, name))
        return [name]

    assert Hypervisor(tag_create).call("tag_create", guest_id="1", name="n") == ["n"]
    assert found == [("1", "n")]


class TestExports:
    """An export has its session until it ends, however it ends."""

    def export(self, chunks: Iterator[bytes], **description: Any) -> tuple[Hypervisor, Any]:
        def guest_export(session: Session, guest_id: str) -> Export:
            return Export(chunks, 9)

        hypervisor = Hypervisor(guest_export, storage_info, **description)
        export = hypervisor.call("guest_export", guest_id="1")
        assert export.size == 9
        return hypervisor, export.chunks

    def test_its_session_is_not_lent_to_others_meanwhile(self) -> None:
        hypervisor, chunks = self.export(iter([b"one"]))
        assert session_of(hypervisor) == 2
        assert hypervisor.counts == {"sessions": 2, "busy_sessions": 1}
        assert list(chunks) == [b"one"]
        assert hypervisor.counts == {"sessions": 2, "busy_sessions": 0}

    @pytest.mark.parametrize("enforces", [True, False])
    @pytest.mark.parametrize(
        ("error", "number"), [(SystemExit(1), 2), (HypervisorUnavailable("broke"), 2), (ValueError("odd"), 1)]
    )
    def test_an_error_in_its_middle_is_judged_as_one_of_a_hook(
        self, error: BaseException, number: int, enforces: bool
    ) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"one"
            raise error

        hypervisor, exported = self.export(chunks(), enforces_time_limits=enforces)
        assert next(exported) == b"one"
        with pytest.raises(Exception, match=r"SystemExit|broke|odd"):
            next(exported)
        assert hypervisor.counts["busy_sessions"] == 0
        assert session_of(hypervisor) == number

    def test_it_is_not_touched_by_two_threads(self, gate: Gate) -> None:
        closed: list[bool] = []

        class Chunks:
            def __iter__(self) -> Iterator[bytes]:
                return self

            def __next__(self) -> bytes:
                gate.wait()
                raise StopIteration

            def close(self) -> None:
                closed.append(True)

        hypervisor, exported = self.export(Chunks(), settings=QUICK)
        with pytest.raises(HypervisorTimeout):
            next(exported)
        assert closed == [], "the thread that hangs still uses it"
        gate.open()
        wait_for(lambda: hypervisor.disconnected, what="the logout")
        assert closed == [True]


class TestLateEnds:
    """When an abandoned operation ends after all, a second audit line says how."""

    def ended(self, capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
        audit.end_audit()
        return [json.decode(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [(None, "ok"), (EntityNotFound("Pool", "1"), "EntityNotFound"), (KeyError("1"), "PermissionDenied")],
    )
    def test_its_line_names_the_outcome(
        self, error: Exception | None, outcome: str, gate: Gate, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def tag_list(session: Session, guest_id: str) -> list[str]:
            gate.wait()
            if error is not None:
                raise error
            return []

        hypervisor = Hypervisor(
            tag_list, settings=QUICK, audit=True, translate=lambda _error: PermissionDenied("translated")
        )
        began = time.monotonic()
        with pytest.raises(HypervisorTimeout):
            hypervisor.call("tag_list", guest_id="7")
        assert [line["outcome"] for line in self.ended(capfd)] == ["HypervisorTimeout"]
        gate.open()
        wait_for(lambda: hypervisor.disconnected, what="the logout")
        (line,) = self.ended(capfd)
        assert (line["outcome"], line["late"], line["ids"]) == (outcome, True, {"guest_id": "7"})
        assert 100 <= line["duration_ms"] <= (time.monotonic() - began) * 1000

    def test_there_is_none_without_an_audit(self, gate: Gate, capfd: pytest.CaptureFixture[str]) -> None:
        def tag_list(session: Session, guest_id: str) -> list[str]:
            gate.wait()
            return []

        hypervisor = Hypervisor(tag_list, settings=QUICK)
        with pytest.raises(HypervisorTimeout):
            hypervisor.call("tag_list", guest_id="7")
        gate.open()
        wait_for(lambda: hypervisor.disconnected, what="the logout")
        assert self.ended(capfd) == []

    def test_it_is_there_where_an_export_cannot_be_closed(
        self, gate: Gate, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        class Chunks:
            def __iter__(self) -> Iterator[bytes]:
                return iter(())

            def close(self) -> None:
                raise SystemExit("stuck")

        def guest_export(session: Session, guest_id: str) -> Export:
            gate.wait()
            return Export(Chunks())  # type: ignore[arg-type]  # an iterable will do

        hypervisor = Hypervisor(guest_export, settings=QUICK, audit=True)
        with pytest.raises(HypervisorTimeout):
            hypervisor.call("guest_export", guest_id="7")
        gate.open()
        wait_for(lambda: hypervisor.disconnected, what="the logout")
        lines = self.ended(capfd)
        assert [(line["outcome"], line.get("late")) for line in lines] == [
            ("HypervisorTimeout", None),
            ("ok", True),
        ]
        assert "cannot close an export" in caplog.text
