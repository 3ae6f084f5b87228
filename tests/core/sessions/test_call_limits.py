"""How many calls a host may have: one that does not answer leaves threads to the others."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from simplestack import Export, Guest, GuestState, HypervisorSettings, HypervisorUnavailable, PermissionDenied
from simplestack.dispatch.plugin_errors import PluginExit
from simplestack.sessions.call_limits import CallLimits
from simplestack.sessions.maker import Place
from support.dispatching import Gate, Hypervisor, Session
from support.threads import in_threads


def places(*names: str) -> list[Place]:
    return [Place("lab", name) for name in names]


def admitted(limits: CallLimits, place: Place, max_calls: int = 1000) -> int:
    """Begin as many calls as the host may have; return how many."""
    count = 0

    def begin_all() -> None:
        nonlocal count
        while True:
            limits.begin(place, max_calls, None)
            count += 1

    with pytest.raises(HypervisorUnavailable) as rejected:
        begin_all()
    assert rejected.value.retry_after_seconds == 1
    assert "calls to" in rejected.value.message
    return count


def begun(limits: CallLimits, hypervisor: str, hosts: int) -> int:
    """Begin one call to each of some hosts; return how many were admitted."""
    count = 0
    for number in range(hosts):
        try:
            limits.begin(Place(hypervisor, str(number)), 1000, None)
        except HypervisorUnavailable:
            continue
        count += 1
    return count


def test_one_host_gets_half_of_the_threads_and_each_further_one_half_of_the_rest() -> None:
    limits = CallLimits(threads=32)
    places = [Place(name, "h") for name in "abcd"]
    assert [admitted(limits, place) for place in places] == [16, 8, 4, 2]
    assert admitted(CallLimits(threads=33), places[0]) == 16


def test_all_hosts_of_a_hypervisor_get_three_quarters_of_the_threads() -> None:
    limits = CallLimits(threads=32)
    assert begun(limits, "one", hosts=100) == 24
    assert begun(limits, "two", hosts=100) == 6
    assert begun(CallLimits(threads=33), "one", hosts=100) == 24


def test_whatever_hangs_one_thread_is_left() -> None:
    limits = CallLimits(threads=32)
    assert sum(begun(limits, name, hosts=100) for name in "abcdefgh") == 31
    assert begun(CallLimits(threads=2), "one", hosts=100) == 1


def test_a_service_with_one_thread_serves() -> None:
    limits = CallLimits(threads=1)
    (host,) = places("a")
    assert admitted(limits, host) == 1


def test_the_setting_bounds_a_host_in_any_case() -> None:
    limits = CallLimits(threads=32)
    first, second = places("a", "b")
    assert admitted(limits, first, max_calls=3) == 3
    assert admitted(CallLimits(threads=None), second, max_calls=3) == 3


def test_calls_that_ended_make_room() -> None:
    limits = CallLimits(threads=4)
    first, second = places("a", "b")
    assert admitted(limits, first) == 2
    limits.end(first, None)
    limits.end(first, None)
    assert admitted(limits, second) == 2
    assert admitted(limits, first) == 1


def test_one_call_that_ends_makes_room_for_one() -> None:
    limits = CallLimits(threads=None)
    (host,) = places("a")
    assert admitted(limits, host, max_calls=3) == 3
    limits.end(host, None)
    assert admitted(limits, host, max_calls=3) == 1


def test_the_end_of_a_call_makes_no_room_for_a_transfer() -> None:
    limits = CallLimits(threads=None)
    (host,) = places("a")
    limits.begin(host, 9, 1)
    limits.begin(host, 9, None)
    limits.end(host, None)
    with pytest.raises(HypervisorUnavailable, match="1 imports and exports of a"):
        limits.begin(host, 9, 1)


def test_nothing_is_kept_of_hosts_without_calls() -> None:
    limits = CallLimits(threads=None)
    (host,) = places("a")
    for _ in range(2):
        limits.begin(host, 2, 2)
    for _ in range(2):
        limits.end(host, 2)
    assert (dict(limits._calls), dict(limits._calls_by_hypervisor), dict(limits._transfers)) == ({}, {}, {})


def test_hosts_of_the_same_name_of_two_hypervisors_are_two_hosts() -> None:
    limits = CallLimits(threads=None)
    assert admitted(limits, Place("one", "a"), max_calls=2) == 2
    assert admitted(limits, Place("two", "a"), max_calls=2) == 2


def test_a_call_that_waits_for_a_session_counts() -> None:
    gate = Gate()

    def host_list(session: Session) -> list[Any]:
        gate.wait()
        return []

    settings = HypervisorSettings(max_sessions_per_host=1, max_calls_per_host=3, connect_timeout_seconds=20)
    hypervisor = Hypervisor(host_list, settings=settings)
    with in_threads(3) as start:
        calls = [start(hypervisor.call, "host_list") for _ in range(3)]
        gate.await_arrivals()
        while hypervisor.dispatcher.pool._waiting < 2:
            pass
        with pytest.raises(HypervisorUnavailable, match="3 calls to h in progress") as caught:
            hypervisor.call("host_list")
        assert caught.value.retry_after_seconds == 1
        assert len(hypervisor.connected) == 1
        gate.open()
        assert [call.result() for call in calls] == [[]] * 3
    assert hypervisor.call("host_list") == []


@pytest.mark.parametrize("failing", ["hook", "service", "exit"])
def test_a_call_that_failed_counts_no_more(failing: str) -> None:
    def host_list(session: Session) -> list[Any]:
        raise PermissionDenied("no")

    def operation_call(operation: str) -> Iterator[Any]:
        if failing == "service":
            raise PermissionDenied("no")
        if failing == "exit":
            raise SystemExit(1)
        return (yield)

    settings = HypervisorSettings(max_calls_per_host=1)
    hypervisor = Hypervisor(host_list, settings=settings, services=(operation_call,))
    for _ in range(3):
        with pytest.raises((PermissionDenied, PluginExit)):
            hypervisor.call("host_list")


def guest_export(session: Session, guest_id: str) -> Export:
    """Stream two chunks."""
    return Export(iter([b"one", b"two"]), 6)


def guest_import(session: Session, stream: Any, size: int, storage_id: str | None) -> Guest:
    """Read all, and fail where there is nothing."""
    if not stream.read(10):
        raise PermissionDenied("empty")
    return Guest(id="1", name="n", cpus=1, memory=1, hdd=1, state=GuestState.STOPPED)


def host_list(session: Session) -> list[Any]:
    """Answer at once."""
    return []


class TestTransfers:
    """Imports and exports have a bound of their own: slow clients leave sessions to others."""

    @pytest.fixture
    def hypervisor(self) -> Hypervisor:
        settings = HypervisorSettings(max_sessions_per_host=4, max_transfers_per_host=2)
        return Hypervisor(guest_export, guest_import, host_list, settings=settings)

    def export(self, hypervisor: Hypervisor, host: str = "h") -> Export:
        found: Export = hypervisor.call("guest_export", guest_id="1", host=host)
        return found

    def test_they_are_bounded_for_each_host(self, hypervisor: Hypervisor) -> None:
        exports = [self.export(hypervisor) for _ in range(2)]
        with pytest.raises(HypervisorUnavailable, match="2 imports and exports of h") as caught:
            self.export(hypervisor)
        assert caught.value.retry_after_seconds == 30
        with pytest.raises(HypervisorUnavailable, match="2 imports and exports of h"):
            hypervisor.call("guest_import", stream=BytesIO(b"x"), size=1, storage_id=None)
        assert hypervisor.call("host_list") == []
        exports.append(self.export(hypervisor, "other"))
        for export in exports:
            export.chunks.close()  # type: ignore[attr-defined]  # as the server does

    def test_an_export_counts_until_its_last_byte(self, hypervisor: Hypervisor) -> None:
        exports = [self.export(hypervisor) for _ in range(2)]
        assert [b"".join(export.chunks) for export in exports] == [b"onetwo"] * 2
        assert b"".join(self.export(hypervisor).chunks) == b"onetwo"

    def test_an_export_whose_client_leaves_counts_no_more(self, hypervisor: Hypervisor) -> None:
        for _ in range(5):
            export = self.export(hypervisor)
            assert next(export.chunks) == b"one"
            export.chunks.close()  # type: ignore[attr-defined]  # as the server does
        assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}

    def test_an_import_that_failed_counts_no_more(self, hypervisor: Hypervisor) -> None:
        for _ in range(5):
            with pytest.raises(PermissionDenied):
                hypervisor.call("guest_import", stream=BytesIO(b""), size=1, storage_id=None)
        imported = hypervisor.call("guest_import", stream=BytesIO(b"x"), size=1, storage_id=None)
        assert imported.id == "1"

    def test_they_leave_a_session_to_others_whatever_the_settings_say(self) -> None:
        settings = HypervisorSettings(max_sessions_per_host=2, max_transfers_per_host=4)
        hypervisor = Hypervisor(guest_export, host_list, settings=settings)
        export = self.export(hypervisor)
        with pytest.raises(HypervisorUnavailable, match="1 imports and exports"):
            self.export(hypervisor)
        assert hypervisor.call("host_list") == []
        assert b"".join(export.chunks) == b"onetwo"

    def test_one_is_possible_with_a_single_session(self) -> None:
        hypervisor = Hypervisor(guest_export, settings=HypervisorSettings(max_sessions_per_host=1))
        assert b"".join(self.export(hypervisor).chunks) == b"onetwo"
