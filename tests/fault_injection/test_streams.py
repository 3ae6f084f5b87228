"""Streams that break off under a plugin that makes another error of what it reads."""

import io
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from simplestack import (
    CallContext,
    Guest,
    GuestState,
    HypervisorUnavailable,
    ImportStream,
    InsufficientStorage,
    SimplestackError,
)
from simplestack.fault_injection import FaultInjectionSettings, Rule, plugin
from support.dispatching import Hypervisor

IMPORTED = Guest(id="1", name="imported", cpus=1, memory=64, hdd=0, state=GuestState.STOPPED)


def guest_import(session: Any, stream: ImportStream, size: int | None) -> Guest:
    while stream.read(4):
        pass
    raise AssertionError("the stream was to break off")


def translate(_error: Exception) -> SimplestackError:
    return HypervisorUnavailable("the host closed the connection")


def faults_of(folder: Path, rule: Rule) -> Callable[..., Generator[None, Any, Any]]:
    """Return the wrapper of fault injection with one rule."""
    settings = FaultInjectionSettings(file=str(folder / "faults.sqlite3"), rules=[rule])
    injection: Any = plugin.make(settings)

    def operation_call(
        operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        return (yield from injection.operation_call(operation, arguments, context))

    return operation_call


@pytest.mark.parametrize(
    ("rule", "kind", "reason"),
    [
        (
            Rule(operation="guest_import", action="drop", after_bytes=5),
            ConnectionResetError,
            "rule 1 of fault injection drops the connection",
        ),
        (
            Rule(operation="guest_import", action="error", error="InternalError", after_bytes=5),
            Exception,
            "rule 1 of fault injection makes guest_import fail",
        ),
        (
            Rule(operation="guest_import", action="error", error="InsufficientStorage", after_bytes=5),
            InsufficientStorage,
            "rule 1 of fault injection makes guest_import fail",
        ),
    ],
)
def test_an_import_ends_as_the_rule_says(
    tmp_path: Path, rule: Rule, kind: type[Exception], reason: str
) -> None:
    hypervisor = Hypervisor(guest_import, translate=translate, services=(faults_of(tmp_path, rule),))
    with pytest.raises(kind, match=reason):
        hypervisor.call("guest_import", stream=io.BytesIO(b"an image"), size=8, storage_id=None)
    assert hypervisor.counts["busy_sessions"] == 0


@pytest.mark.parametrize("after_bytes", [0, 3, 4, 5, 8])
def test_a_delayed_import_has_short_pieces_only_at_its_end(tmp_path: Path, after_bytes: int) -> None:
    pieces = []

    def guest_import(session: Any, stream: ImportStream, size: int | None) -> Guest:
        while piece := stream.read(4):
            pieces.append(piece)
        return IMPORTED

    rule = Rule(operation="guest_import", action="delay", delay_seconds=0.001, after_bytes=after_bytes)
    hypervisor = Hypervisor(guest_import, services=(faults_of(tmp_path, rule),))
    hypervisor.call("guest_import", stream=io.BytesIO(b"an image"), size=8, storage_id=None)
    assert pieces == [b"an i", b"mage"]


def test_an_import_that_is_shorter_than_the_rule_says_succeeds(tmp_path: Path) -> None:
    def guest_import(session: Any, stream: ImportStream, size: int | None) -> Guest:
        while stream.read(4):
            pass
        return IMPORTED

    rule = Rule(operation="guest_import", action="drop", after_bytes=9)
    hypervisor = Hypervisor(guest_import, services=(faults_of(tmp_path, rule),))
    result = hypervisor.call("guest_import", stream=io.BytesIO(b"an image"), size=8, storage_id=None)
    assert result == IMPORTED
