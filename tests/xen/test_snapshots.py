"""Snapshots, and whose they are; power; what XAPI's refusals become."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simplestack import (
    Busy,
    Conflict,
    EntityNotFound,
    GuestState,
    HypervisorError,
    HypervisorUnavailable,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    OperationNotSupported,
    OperationTimeout,
    PermissionDenied,
    SimplestackError,
    Unauthorized,
)
from simplestack_xen.failures import XapiFailure
from simplestack_xen.faults import translate
from simplestack_xen.guests import guest_info
from simplestack_xen.power import guest_reboot, guest_resume, guest_shutdown, guest_start, guest_suspend
from simplestack_xen.session import XenSession
from simplestack_xen.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_info,
    snapshot_list,
    snapshot_revert,
)
from simulators.xapi.simulator import Simulator
from support.service import Answer, running_service, token
from support.xapi import PASSWORD, USER, Pool, Trust, running_pool

Order = Callable[..., None]


@pytest.fixture
def guest(pool: Pool) -> str:
    """Give the id of a guest that is off."""
    uuid: str = pool.vm()["uuid"]
    return uuid


def test_an_id_that_is_no_snapshot_of_the_guest_reaches_nothing(
    pool: Pool, session: XenSession, guest: str
) -> None:
    """The first Simplestack destroyed whatever VM the id was of, with its disks."""
    other = pool.vm("vm-1")
    foreign = snapshot_create(session, other["uuid"], "theirs")
    before, states = pool.counts(), [vm["power_state"] for vm in pool.all("VM")]
    for identity in (other["uuid"], guest, foreign.id, pool.vm().ref, "", "0" * 36):
        for operation in (snapshot_info, snapshot_revert, snapshot_delete):
            with pytest.raises(EntityNotFound) as refused:
                operation(session, guest, identity)
            assert refused.value.entity == "Snapshot"
    assert pool.counts() == before
    assert [vm["power_state"] for vm in pool.all("VM")] == states


def test_a_snapshot_has_a_state_a_path_and_a_time(session: XenSession, guest: str) -> None:
    guest_start(session, guest)
    first = snapshot_create(session, guest, "first")
    second = snapshot_create(session, guest, "second")
    assert [found.path for found in snapshot_list(session, guest)] == ["first", "first/second"]
    assert (first.state, second.name) == (GuestState.STARTED, "second")
    assert second.created is not None
    assert second.created.endswith("Z")


def test_a_deleted_snapshot_gives_its_space_back(pool: Pool, session: XenSession, guest: str) -> None:
    before, used = pool.counts(), pool.storage()["physical_utilisation"]
    made = snapshot_create(session, guest, "then")
    assert pool.storage()["physical_utilisation"] > used
    snapshot_delete(session, guest, made.id)
    assert (pool.counts(), pool.storage()["physical_utilisation"]) == (before, used)


def test_a_snapshot_without_room_leaves_nothing_behind(pool: Pool, session: XenSession, guest: str) -> None:
    pool.storage()["physical_size"] = pool.storage()["physical_utilisation"]
    before = pool.counts()
    with pytest.raises(XapiFailure, match="SR_FULL"):
        snapshot_create(session, guest, "then")
    assert pool.counts() == before


def test_of_two_workers_that_revert_to_one_snapshot_one_does_and_the_other_is_told(
    trust: Trust, tmp_path: Path
) -> None:
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    with running_pool(trust, Simulator(operation_seconds=0.5, refuses_busy=True)) as pool:
        config = pool.toml + "[server]\nworkers = 2\n"
        with running_service(tmp_path, config) as service:
            base = f"/xen/{pool.host}/guests/{pool.vm()['uuid']}"
            snapshot = service.post(f"{base}/snapshots", {"name": "then"}, headers=headers).json["id"]

            def revert(_: int) -> Answer:
                return service.put(f"{base}/snapshots/{snapshot}/revert", {}, headers=headers)

            with ThreadPoolExecutor(4) as threads:
                answers = list(threads.map(revert, range(4)))
            assert min(answer.status for answer in answers) == 200
            others = [answer for answer in answers if answer.status != 200]
            assert others, "all at once, and none was in the way of another"
            assert {(answer.status, answer.error) for answer in others} == {(409, "Busy")}
            assert {answer.headers["retry-after"] for answer in others} == {"5"}
            assert len(service.get(f"{base}/disks", headers=headers).json) == 1


class TestPower:
    def test_pause_is_suspend_to_a_storage_and_resume_knows_both_kinds(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        guest_suspend(session, guest)
        assert pool.vm()["power_state"] == "Suspended"
        guest_resume(session, guest)
        session.api.call("VM.pause", pool.vm().ref)
        assert guest_info(session, guest).state == "PAUSED"
        guest_resume(session, guest)
        assert pool.vm()["power_state"] == "Running"

    def test_a_guest_without_tools_is_not_asked_in_vain(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        pool.vm()["guest_metrics"] = "OpaqueRef:NULL"
        for ask in (guest_shutdown, guest_reboot):
            with pytest.raises(XapiFailure) as failed:
                ask(session, guest, force=False)
            translated = translate(failed.value)
            assert isinstance(translated, Conflict)
            assert "tools" in translated.message
        guest_shutdown(session, guest, force=True)

    def test_a_guest_that_does_not_shut_down_in_time_is_a_time_out_and_no_task_stays(
        self, pool: Pool, log_in: Callable[..., XenSession], guest: str, order: Order
    ) -> None:
        session = log_in(pool, shutdown_timeout_seconds=0.2)
        guest_start(session, guest)
        order(pool, "VM.clean_shutdown", effect="hold")
        with pytest.raises(OperationTimeout):
            guest_shutdown(session, guest, force=False)
        assert pool.vm()["power_state"] == "Running"
        assert pool.count("task") == 0
        guest_shutdown(session, guest, force=False)

    def test_a_state_that_changed_in_between_is_refused_with_what_it_is(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        order(
            pool, "Async.VM.start", code="VM_BAD_POWER_STATE", parameters=["OpaqueRef:1", "halted", "running"]
        )
        with pytest.raises(XapiFailure) as failed:
            guest_start(session, guest)
        translated = translate(failed.value)
        assert isinstance(translated, InvalidState)
        assert translated.details == {"current": "STARTED", "needed": "STOPPED"}


FAULTS: list[tuple[list[str], type[SimplestackError], str]] = [
    (["SESSION_AUTHENTICATION_FAILED", "root", "Authentication failure"], Unauthorized, "refused"),
    (["SESSION_INVALID", "OpaqueRef:secret"], HypervisorUnavailable, "ended"),
    (["RBAC_PERMISSION_DENIED", "vm.start", "no"], PermissionDenied, "vm.start"),
    (["HANDLE_INVALID", "VM", "OpaqueRef:1"], EntityNotFound, "Guest:"),
    (["UUID_INVALID", "SR", "x"], EntityNotFound, "Storage:x not found"),
    (["HANDLE_INVALID", "console", "x"], EntityNotFound, "console:x"),
    (["VM_BAD_POWER_STATE", "r", "halted, suspended", "running"], InvalidState, "STOPPED or PAUSED"),
    (["VM_IS_TEMPLATE", "r"], InvalidState, "template"),
    (["OTHER_OPERATION_IN_PROGRESS", "VM", "r"], Busy, "another operation"),
    (["OPERATION_BLOCKED", "r", "by hand"], Conflict, "by hand"),
    (["VDI_IN_USE", "r", "destroy"], Conflict, "in use"),
    (["TASK_CANCELLED", "r"], Conflict, "cancelled"),
    (["VM_LACKS_FEATURE", "r"], Conflict, "tools"),
    (["VBD_NOT_UNPLUGGABLE", "r"], Conflict, "shut it down"),
    (["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"], Conflict, "availability"),
    (["HOST_CANNOT_ATTACH_NETWORK", "r", "r"], Conflict, "not connected"),
    (["NETWORK_ALREADY_CONNECTED", "r", "r"], Conflict, "on this VLAN already"),
    (["PIF_UNMANAGED", "r"], InvalidArguments, "granted"),
    (["VM_REVERT_FAILED", "r", "r"], HypervisorError, "half-way"),
    (["SR_BACKEND_FAILURE_79", "", "size", ""], InvalidArguments, "size"),
    (["SR_BACKEND_FAILURE_109", "", "", ""], Conflict, "snapshots"),
    (["IMPORT_ERROR_SOME_CHECKSUMS_FAILED", "x"], InvalidArguments, "damaged"),
    (["DEVICE_DETACH_REJECTED", "VBD", "r", "busy"], Busy, "let go"),
    (["SR_FULL", "2", "1"], InsufficientStorage, "room"),
    (["SR_BACKEND_FAILURE_44", "", "no space", ""], InsufficientStorage, "no space"),
    (["MEMORY_CONSTRAINT_VIOLATION", "order"], InvalidArguments, "order"),
    (["IMPORT_ERROR", "damaged"], InvalidArguments, "image"),
    (["MESSAGE_METHOD_UNKNOWN", "VDI.resize_online"], OperationNotSupported, "VDI.resize_online"),
    (["LICENCE_RESTRICTION", "x"], OperationNotSupported, "cannot"),
    (["HOST_OFFLINE", "r"], HypervisorError, "off"),
    (["TOO_MANY_PENDING_TASKS"], HypervisorUnavailable, "too much"),
    (["VM_SHUTDOWN_TIMEOUT", "r", "60"], OperationTimeout, "in time"),
    (["FROM_THE_FUTURE", "with", "text"], HypervisorError, "FROM_THE_FUTURE (with, text)"),
    ([], HypervisorError, "UNKNOWN"),
]


@pytest.mark.parametrize(
    ("description", "kind", "says"),
    FAULTS,
    ids=lambda value: value[0] if value and isinstance(value, list) else None,
)
def test_a_refusal_becomes_an_error_that_says_what_it_means(
    description: list[str], kind: type[SimplestackError], says: str
) -> None:
    error = translate(XapiFailure(description))
    assert type(error) is kind
    assert says in error.message
    assert "secret" not in error.message


def test_what_is_no_refusal_is_not_translated() -> None:
    assert translate(KeyError("x")) is None


def test_an_unknown_code_is_502_with_xapis_own_text(pool: Pool, tmp_path: Path, order: Order) -> None:
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    with running_service(tmp_path, pool.toml) as service:
        order(pool, "VM.get_by_uuid", code="FROM_THE_FUTURE", parameters=["what it was", pool.vm().ref])
        answer = service.get(f"/xen/{pool.host}/guests/{pool.vm()['uuid']}", headers=headers)
        assert (answer.status, answer.error, answer.json["code"]) == (
            502,
            "HypervisorError",
            "FROM_THE_FUTURE",
        )
        assert "what it was" in answer.json["message"]
        assert "OpaqueRef" not in answer.json["message"]
        assert service.get(f"/xen/{pool.host}/guests/{pool.vm()['uuid']}", headers=headers).status == 200
