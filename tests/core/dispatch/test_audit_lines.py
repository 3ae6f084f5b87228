"""What an audit line says of calls that service plugins make and refuse."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from msgspec import json

from simplestack import (
    CallContext,
    EntityNotFound,
    Export,
    HypervisorSettings,
    HypervisorTimeout,
    HypervisorUnavailable,
    OperationNotSupported,
    PermissionDenied,
    warn,
)
from simplestack.dispatch import audit
from simplestack.dispatch.warnings import current_warnings
from support.dispatching import Gate, Hypervisor, Session
from support.service import wait_for

Wrapper = Generator[None, Any, Any]
#: Returns the lines that were written since the last time.
Written = Callable[[], list[dict[str, Any]]]
NESTED = ("tag_list", "guest_delete", {"guest_id": "1"})


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str]) -> Written:
    def lines() -> list[dict[str, Any]]:
        audit.end_audit()
        return [json.decode(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]

    return lines


def guest_delete(session: Session, guest_id: str) -> None:
    """Delete it, and return nothing."""


def operation_call(context: CallContext) -> Wrapper:
    """Look at the tags of guest 1 before each operation."""
    context.call("tag_list", guest_id="1")
    return (yield)


def told(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(key) for key in ("operation", "nested_in", "ids", "outcome"))


def delete(hypervisor: Hypervisor, error: type[Exception] | None = None) -> None:
    """Delete guest 7, which ends with an error."""
    if error is None:
        hypervisor.call("guest_delete", guest_id="7")
        return
    with pytest.raises(error):
        hypervisor.call("guest_delete", guest_id="7")


def refusing(error: BaseException) -> Hypervisor:
    """Make a hypervisor with a policy that raises an error before each operation."""

    def operation_call() -> Wrapper:
        raise error
        yield

    return Hypervisor(guest_delete, services=(operation_call,), audit=True)


class TestReasons:
    """A line has the message that its client reads."""

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (PermissionDenied("guest 7 is tagged 'protected'"), "guest 7 is tagged 'protected'"),
            (HypervisorUnavailable("the quota service is down"), "the quota service is down"),
            (PermissionDenied("two\n lines\x1b[2J"), "two lines\x1b[2J"),
            (PermissionDenied("half a pair: \ud800"), "half a pair: ?"),
            (PermissionDenied("x" * 301), "x" * 300 + "..."),
            (PermissionDenied(""), None),
            (PermissionDenied(None), None),  # type: ignore[arg-type]  # as a plugin may write it
            (KeyError("secret"), None),
        ],
    )
    def test_it_says_why_a_policy_refuses(
        self, error: Exception, reason: str | None, written: Written
    ) -> None:
        delete(refusing(error), type(error))
        (line,) = written()
        assert line.get("reason") == reason
        assert line["outcome"] == getattr(error, "name", "InternalError")

    def test_control_characters_are_escaped(self, capfd: pytest.CaptureFixture[str]) -> None:
        delete(refusing(PermissionDenied("\x1b[2J")), PermissionDenied)
        audit.end_audit()
        assert r'"reason":"\u001b[2J"' in capfd.readouterr().out

    def test_what_goes_well_has_none(self, written: Written) -> None:
        delete(Hypervisor(guest_delete, audit=True))
        assert "reason" not in written()[0]

    def test_the_error_of_a_hook_has_one(self, written: Written) -> None:
        def tag_list(session: Session, guest_id: str) -> list[str]:
            raise EntityNotFound("Guest", guest_id)

        delete(Hypervisor(tag_list, guest_delete, services=(operation_call,), audit=True), EntityNotFound)
        assert [line["reason"] for line in written()] == ["Guest:1 not found"] * 2

    def test_one_that_ends_late_has_its_own(self, written: Written) -> None:
        gate = Gate()

        def guest_delete(session: Session, guest_id: str) -> None:
            gate.wait()
            raise EntityNotFound("Guest", guest_id)

        settings = HypervisorSettings(call_timeout_seconds=0.1)
        hypervisor = Hypervisor(guest_delete, audit=True, settings=settings)
        delete(hypervisor, HypervisorTimeout)
        gate.open()
        wait_for(lambda: hypervisor.disconnected, what="the logout")
        assert [line["reason"] for line in written()] == [
            "lab did not respond within 0.1 s; check whether the operation took effect",
            "Guest:7 not found",
        ]

    def test_an_export_that_breaks_off_has_one(self, written: Written) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"one"
            raise HypervisorUnavailable("the storage is gone")

        def guest_export(session: Session, guest_id: str) -> Export:
            return Export(chunks(), 6)

        export = Hypervisor(guest_export, audit=True).call("guest_export", guest_id="1")
        with pytest.raises(HypervisorUnavailable):
            list(export.chunks)
        (line,) = written()
        assert (line["reason"], line["outcome"]) == ("the storage is gone", "HypervisorUnavailable")


class TestNestedCalls:
    """A line of its own, which names the request and its operation, whatever the outcome."""

    @pytest.mark.parametrize(
        ("error", "outcome"), [(None, "ok"), (EntityNotFound("Guest", "1"), "EntityNotFound")]
    )
    def test_its_line_comes_before_that_of_the_operation(
        self, error: Exception | None, outcome: str, written: Written
    ) -> None:
        def tag_list(session: Session, guest_id: str) -> list[str]:
            if error is not None:
                raise error
            return []

        hypervisor = Hypervisor(tag_list, guest_delete, services=(operation_call,), audit=True)
        delete(hypervisor, None if error is None else type(error))
        lines = written()
        assert [told(line) for line in lines] == [
            (*NESTED, outcome),
            ("guest_delete", None, {"guest_id": "7"}, outcome),
        ]
        assert [line["request_id"] for line in lines] == ["-", "-"]

    def test_a_hook_that_the_plugin_lacks_has_one(self, written: Written) -> None:
        hypervisor = Hypervisor(guest_delete, services=(operation_call,), audit=True)
        delete(hypervisor, OperationNotSupported)
        assert told(written()[0]) == (*NESTED, "NotImplementedError")

    def test_one_that_hangs_ends_at_its_time_limit_and_has_a_second_one_later(self, written: Written) -> None:
        gate = Gate()

        def tag_list(session: Session, guest_id: str) -> list[str]:
            gate.wait()
            return []

        settings = HypervisorSettings(call_timeout_seconds=0.1)
        hypervisor = Hypervisor(
            tag_list, guest_delete, services=(operation_call,), audit=True, settings=settings
        )
        delete(hypervisor, HypervisorTimeout)
        gate.open()
        wait_for(lambda: hypervisor.disconnected, what="the logout")
        lines = [line for line in written() if line["operation"] == "tag_list"]
        assert [(told(line), line.get("late")) for line in lines] == [
            ((*NESTED, "HypervisorTimeout"), None),
            ((*NESTED, "ok"), True),
        ]

    def test_it_has_its_own_warnings_and_the_operation_has_all(self, written: Written) -> None:
        def tag_list(session: Session, guest_id: str) -> list[str]:
            warn("tags may be old")
            return []

        def guest_delete(session: Session, guest_id: str) -> None:
            warn("a volume stays")

        def operation_call(context: CallContext) -> Wrapper:
            result = yield
            context.call("tag_list", guest_id="1")
            return result

        token = current_warnings.set([])
        try:
            delete(Hypervisor(tag_list, guest_delete, services=(operation_call,), audit=True))
        finally:
            current_warnings.reset(token)
        assert [line["warnings"] for line in written()] == [
            ["tags may be old"],
            ["a volume stays", "tags may be old"],
        ]


def test_half_of_a_surrogate_pair_keeps_no_line_from_being_written(written: Written) -> None:
    hypervisor = Hypervisor(guest_delete, audit=True)
    assert hypervisor.call("guest_delete", guest_id="7\udc80") is None
    (line,) = written()
    assert told(line) == ("guest_delete", None, {"guest_id": "7\\udc80"}, "ok")


@pytest.mark.parametrize("character", ["\n", "\x1b", "\x7f", "\x85", "\u2028", "\u202e"])
def test_no_character_ends_a_line_or_changes_how_it_is_shown(
    character: str, capfd: pytest.CaptureFixture[str]
) -> None:
    hypervisor = Hypervisor(guest_delete, audit=True)
    hypervisor.call("guest_delete", guest_id=f"ü{character}7")
    audit.end_audit()
    text = capfd.readouterr().out
    assert text.removesuffix("\n").isprintable()
    assert json.decode(text)["ids"] == {"guest_id": f"ü{character}7"}
