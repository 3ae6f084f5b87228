"""Calls of operations, in this process: whose settings hold, what is written down, what is left behind."""

import gc
import os
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from msgspec import json

from simplestack import (
    Export,
    HypervisorNotFound,
    HypervisorSettings,
    HypervisorUnavailable,
    OperationNotSupported,
    PermissionDenied,
)
from simplestack.dispatch import audit
from support.dispatching import NAME, Gate, Hypervisor, Session, session_of, storage_info
from support.service import wait_for
from support.threads import in_threads


def audit_lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    audit.end_audit()
    return [json.decode(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]


def test_a_hypervisor_is_found_by_its_word_and_others_are_named_when_it_is_not() -> None:
    dispatcher = Hypervisor(storage_info).dispatcher
    assert dispatcher.hypervisor(NAME).name == NAME
    with pytest.raises(HypervisorNotFound, match="lab"):
        dispatcher.hypervisor("other")


def test_an_operation_that_the_plugin_lacks_is_named() -> None:
    with pytest.raises(OperationNotSupported, match=r"lab does not implement tag_list \(lab 1\)") as caught:
        Hypervisor(storage_info).call("tag_list", guest_id="1")
    assert caught.value.details == {"operation": "tag_list", "hypervisor": "lab"}


def test_a_host_has_its_own_settings_and_all_others_share_the_general_ones() -> None:
    own = HypervisorSettings(max_calls_per_host=1)
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    hypervisor = Hypervisor(host_list, storage_info, by_host={"small": own})
    for host in ("one", "two", "small", "small"):
        session_of(hypervisor, host=host)
    with in_threads(2) as start:
        calls = [start(hypervisor.call, "host_list", host=host) for host in ("one", "small")]
        gate.await_arrivals(2)
        assert session_of(hypervisor, host="one")
        with pytest.raises(HypervisorUnavailable, match="1 calls to small"):
            session_of(hypervisor, host="small")
        gate.open()
        assert [call.result() for call in calls] == [[], []]
    connectors = hypervisor.dispatcher._connectors
    assert {host for _, host in connectors} == {None, "small"}, "however many hosts there are"
    kept = dict(connectors)
    session_of(hypervisor)
    assert connectors == kept


def test_sessions_are_the_parents_after_a_fork() -> None:
    hypervisor = Hypervisor(storage_info)
    assert session_of(hypervisor) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the parent has threads, as services have
        child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if session_of(hypervisor) == 2 and hypervisor.counts["sessions"] == 1 else 1
        finally:
            os._exit(status)
    assert os.waitpid(child, 0) == (child, 0)
    assert session_of(hypervisor) == 1


def test_one_connection_may_be_made_however_few_threads_there_are() -> None:
    assert session_of(Hypervisor(storage_info, threads=1)) == 1


def test_a_third_of_three_threads_may_connect() -> None:
    gate = Gate()

    def connect(*_: Any) -> Session:
        gate.wait()
        return Session(1, "admin", "", "h")

    hypervisor = Hypervisor(storage_info, connect=connect, threads=3)
    with in_threads(1) as start:
        call = start(session_of, hypervisor, host="one")
        gate.await_arrivals()
        try:
            with pytest.raises(HypervisorUnavailable, match="1 new connections to hosts of lab"):
                session_of(hypervisor, host="two")
        finally:
            gate.open()
        assert call.result() == 1


def test_a_call_inside_of_a_call_does_not_take_its_place() -> None:
    """As a policy does that looks at a guest before it decides."""
    found: list[int] = []

    def operation_call(operation: str) -> Iterator[Any]:
        if operation == "host_list":
            found.append(session_of(hypervisor, user="policy"))
        return (yield)

    def host_list(session: Session) -> list[Any]:
        raise PermissionDenied(session.user)

    hypervisor = Hypervisor(host_list, storage_info, services=(operation_call,))
    with pytest.raises(PermissionDenied, match="admin"):
        hypervisor.call("host_list")
    assert found == [1]


def test_what_a_hook_held_is_freed_with_its_error() -> None:
    class Handle:
        """As libvirt's: freed in a collection, it would reset the error of its thread."""

    handles: list[weakref.ref[Handle]] = []

    def host_list(session: Session) -> list[Any]:
        handle = Handle()
        handles.append(weakref.ref(handle))
        raise PermissionDenied("no")

    hypervisor = Hypervisor(host_list)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(PermissionDenied):
            hypervisor.call("host_list")
        wait_for(lambda: handles[0]() is None, 5, "the handle to be freed without a collection")
    finally:
        gc.enable()


def test_each_call_has_an_audit_line_where_the_audit_is_on(capfd: pytest.CaptureFixture[str]) -> None:
    for is_on, count in ((False, 0), (True, 1)):
        session_of(Hypervisor(storage_info, audit=is_on))
        assert len(audit_lines(capfd)) == count


@pytest.mark.parametrize("is_on", [True, False])
def test_a_call_that_is_rejected_has_an_audit_line(is_on: bool, capfd: pytest.CaptureFixture[str]) -> None:
    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(iter([b"one"]))

    settings = HypervisorSettings(max_transfers_per_host=1)
    hypervisor = Hypervisor(guest_export, settings=settings, audit=is_on)
    export = hypervisor.call("guest_export", guest_id="1")
    with pytest.raises(HypervisorUnavailable) as caught:
        hypervisor.call("guest_export", guest_id="2")
    lines = audit_lines(capfd)
    assert [(line["ids"], line["outcome"], line.get("reason")) for line in lines] == [
        ({"guest_id": "2"}, "HypervisorUnavailable", caught.value.message),
        ({"guest_id": "1"}, "ServiceStopped", None),
    ][: 2 * is_on]
    export.chunks.close()


def test_an_export_has_the_size_and_the_chunks_that_its_hook_returned() -> None:
    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(iter([b"one", b"two"]), 6)

    export = Hypervisor(guest_export).call("guest_export", guest_id="1")
    assert export.size == 6
    assert list(export.chunks) == [b"one", b"two"]


class TestExportsThatServicesLose:
    """A service plugin yields twice, so that pluggy leaves the wrappers around it as they are."""

    def hypervisor(self, *, later: Callable[[], None] = lambda: None) -> Hypervisor:
        """Make one whose plugin yields twice in the export of guest 1.

        :param later: called in other operations, after the hook
        """

        def chunks() -> Iterator[bytes]:
            yield b"one"
            yield b"two"

        def guest_export(session: Session, guest_id: str) -> Export:
            return Export(chunks(), 6)

        def operation_call(arguments: Mapping[str, Any]) -> Iterator[Any]:
            result = yield
            if arguments.get("guest_id") == "1":
                yield
            else:
                later()
            return result

        return Hypervisor(guest_export, services=(operation_call,))

    def test_they_are_closed_at_once(self) -> None:
        hypervisor = self.hypervisor()
        with pytest.raises(RuntimeError, match="second yield") as caught:
            hypervisor.call("guest_export", guest_id="1")
        assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}
        assert caught.value.__traceback__ is not None, "the wrappers have not been collected yet"

    def test_those_of_later_calls_go_on(self) -> None:
        errors: list[BaseException] = []

        def collect() -> None:
            errors.clear()
            gc.collect()

        hypervisor = self.hypervisor(later=collect)
        try:
            hypervisor.call("guest_export", guest_id="1")
        except RuntimeError as error:
            errors.append(error)
        assert errors
        export = hypervisor.call("guest_export", guest_id="2")
        assert list(export.chunks) == [b"one", b"two"]


def test_a_service_plugin_cannot_change_the_arguments(capfd: pytest.CaptureFixture[str]) -> None:
    called: list[str] = []

    def guest_delete(session: Session, guest_id: str) -> None:
        called.append(guest_id)

    def operation_call(arguments: dict[str, Any]) -> Iterator[Any]:
        try:
            arguments["guest_id"] = "other"
        finally:
            result = yield
        return result

    hypervisor = Hypervisor(guest_delete, services=(operation_call,), audit=True)
    with pytest.raises(TypeError, match="does not support item assignment"):
        hypervisor.call("guest_delete", guest_id="1")
    assert called == ["1"]
    assert [line["ids"] for line in audit_lines(capfd)] == [{"guest_id": "1"}]


def test_a_service_plugin_reads_the_arguments_as_they_are() -> None:
    found: list[Any] = []

    def guest_delete(session: Session, guest_id: str) -> None:
        found.append(guest_id)

    def operation_call(arguments: Mapping[str, Any]) -> Iterator[Any]:
        found.append({**arguments})
        return (yield)

    Hypervisor(guest_delete, services=(operation_call,)).call("guest_delete", guest_id="1")
    assert found == [{"guest_id": "1"}, "1"]
