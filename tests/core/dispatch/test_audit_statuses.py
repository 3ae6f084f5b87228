"""The status and the level in an audit line: what the client got, and how bad that is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import json

from simplestack import (
    Conflict,
    EntityNotFound,
    Export,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    OperationNotSupported,
    PermissionDenied,
    Unauthorized,
)
from simplestack.dispatch import audit
from support.dispatching import Hypervisor, Session

Line = Callable[[], dict[str, Any]]


@pytest.fixture
def line(capfd: pytest.CaptureFixture[str]) -> Line:
    """Return the only line."""

    def only() -> dict[str, Any]:
        audit.end_audit()
        (found,) = [json.decode(text) for text in capfd.readouterr().out.splitlines() if text.startswith("{")]
        return dict(found)

    return only


def test_a_success_has_the_status_of_its_operation(line: Line) -> None:
    def guest_delete(session: Session, guest_id: str) -> None:
        """Delete it."""

    Hypervisor(guest_delete, audit=True).call("guest_delete", guest_id="1")
    found = line()
    assert (found["status"], found["level"]) == (204, "info")


class OwnConflict(Conflict):
    """As a plugin derives it."""


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (EntityNotFound("Guest", "1"), 404, "info"),
        (OwnConflict("taken"), 409, "info"),
        (PermissionDenied("no"), 403, "info"),
        (Unauthorized("no"), 401, "warning"),
        (OperationNotSupported("no"), 501, "info"),
        (HypervisorError("no"), 502, "warning"),
        (HypervisorUnavailable("no"), 503, "warning"),
        (HypervisorTimeout("no"), 504, "warning"),
        (KeyError("no"), 500, "error"),
    ],
)
def test_an_error_has_the_status_of_its_response(
    error: Exception, status: int, level: str, line: Line
) -> None:
    def guest_delete(session: Session, guest_id: str) -> None:
        raise error

    with pytest.raises(type(error)):
        Hypervisor(guest_delete, audit=True).call("guest_delete", guest_id="1")
    found = line()
    assert (found["status"], found["level"]) == (status, level)


@pytest.mark.parametrize(("chunks", "status"), [([], 503), ([b"one"], 200)])
def test_an_export_that_fails_after_its_first_chunk_has_the_status_that_was_sent(
    chunks: list[bytes], status: int, line: Line
) -> None:
    def broken() -> Iterator[bytes]:
        yield from chunks
        raise HypervisorUnavailable("the storage is gone")

    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(broken(), 6)

    export = Hypervisor(guest_export, audit=True).call("guest_export", guest_id="1")
    with pytest.raises(HypervisorUnavailable):
        list(export.chunks)
    found = line()
    assert (found["status"], found["level"]) == (status, "warning")


def test_an_operation_that_the_end_of_the_service_cuts_off_has_none(line: Line) -> None:
    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(iter([b"one"]), 3)

    export = Hypervisor(guest_export, audit=True).call("guest_export", guest_id="1")
    found = line()
    assert "status" not in found
    assert (found["outcome"], found["level"]) == ("ServiceStopped", "warning")
    export.chunks.close()
