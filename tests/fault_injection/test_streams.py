"""Streams that break off under a plugin that makes another error of what it reads."""

import io
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from simplestack import (
    CallContext,
    Guest,
    HypervisorUnavailable,
    ImportStream,
    InsufficientStorage,
    SimplestackError,
)
from simplestack.fault_injection import FaultInjectionSettings, Rule, plugin
from support.dispatching import Hypervisor


def guest_import(session: Any, stream: ImportStream, size: int | None) -> Guest:
    while stream.read(4):
        pass
    raise AssertionError("the stream was to break off")


def translate(_error: Exception) -> SimplestackError:
    return HypervisorUnavailable("the host closed the connection")


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
            "rule 1 of fault injection lets guest_import fail",
        ),
        (
            Rule(operation="guest_import", action="error", error="InsufficientStorage", after_bytes=5),
            InsufficientStorage,
            "rule 1 of fault injection lets guest_import fail",
        ),
    ],
)
def test_an_import_ends_as_the_rule_says(
    tmp_path: Path, rule: Rule, kind: type[Exception], reason: str
) -> None:
    settings = FaultInjectionSettings(file=str(tmp_path / "faults.sqlite3"), rules=[rule])
    injection: Any = plugin.make(settings)

    def operation_call(
        operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        return (yield from injection.operation_call(operation, arguments, context))

    hypervisor = Hypervisor(guest_import, translate=translate, services=(operation_call,))
    with pytest.raises(kind, match=reason):
        hypervisor.call("guest_import", stream=io.BytesIO(b"an image"), size=8, storage_id=None)
    assert hypervisor.counts["busy_sessions"] == 0
