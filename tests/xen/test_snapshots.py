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
from simplestack_xen.errors import translate
from simplestack_xen.hooks.guests import guest_info
from simplestack_xen.hooks.power import guest_reboot, guest_resume, guest_shutdown, guest_start, guest_suspend
from simplestack_xen.hooks.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_info,
    snapshot_list,
    snapshot_revert,
)
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.simulator import Simulator
from support.service import Answer, running_service, token
from support.xapi import PASSWORD, USER, Pool, Trust, running_pool

from .conftest import Order


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


def test_the_memory_that_another_client_took_with_a_snapshot_goes_with_it(
    pool: Pool, session: XenSession, guest: str
) -> None:
    guest_start(session, guest)
    before = pool.counts()
    session.tasks.run.VM.checkpoint(pool.vm().ref, "then")
    assert pool.count("VDI") == before["VDI"] + 2, "the disk's and the memory's"
    (made,) = snapshot_list(session, guest)
    snapshot_delete(session, guest, made.id)
    assert pool.counts() == before


def test_a_snapshot_whose_storage_is_not_connected_stays_whole(
    pool: Pool, session: XenSession, guest: str
) -> None:
    made, before = snapshot_create(session, guest, "then"), pool.counts()
    pool.disconnect("Local storage")
    with pytest.raises(Conflict, match="not connected"):
        snapshot_delete(session, guest, made.id)
    assert (snapshot_list(session, guest), pool.counts()) == ([made], before)


def test_disks_that_a_deleted_snapshot_leaves_behind_are_named(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    made = snapshot_create(session, guest, "then")
    order(pool, "VDI.destroy", code="VDI_IN_USE", parameters=["OpaqueRef:1", "destroy"])
    with pytest.raises(
        HypervisorError, match=r"the snapshot is deleted, but these are left: disk 'vm-0 0' \(VDI_IN_USE\)"
    ):
        snapshot_delete(session, guest, made.id)
    assert snapshot_list(session, guest) == []


def test_an_id_is_the_same_in_capital_letters(session: XenSession, guest: str) -> None:
    made = snapshot_create(session, guest, "then")
    assert snapshot_info(session, guest.upper(), made.id.upper()) == made


def test_a_snapshot_without_room_leaves_nothing_behind(pool: Pool, session: XenSession, guest: str) -> None:
    pool.storage()["physical_size"] = pool.storage()["physical_utilisation"]
    before = pool.counts()
    with pytest.raises(XenAPI.Failure, match="SR_FULL"):
        snapshot_create(session, guest, "then")
    assert pool.counts() == before


@pytest.mark.parametrize("refuses_busy", [False, True], ids=["waits", "refuses"])
def test_of_two_workers_that_revert_to_one_snapshot_each_does_or_is_told_to_wait(
    trust: Trust, tmp_path: Path, refuses_busy: bool
) -> None:
    """XAPI lets the second wait for the first, or refuses it, as its version and its patience are."""
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    simulator = Simulator(operation_seconds=0.3, refuses_busy=refuses_busy)
    with running_pool(trust, simulator) as pool:
        config = pool.toml + "[server]\nworkers = 2\n"
        with running_service(tmp_path, config) as service:
            base = f"/xen/{pool.host}/guests/{pool.vm()['uuid']}"
            snapshot = service.post(f"{base}/snapshots", {"name": "then"}, headers=headers).json["id"]
            before = pool.counts()

            def revert(_: int) -> Answer:
                return service.put(f"{base}/snapshots/{snapshot}/revert", {}, headers=headers)

            with ThreadPoolExecutor(4) as threads:
                answers = list(threads.map(revert, range(4)))
            assert min(answer.status for answer in answers) == 200
            others = [answer for answer in answers if answer.status != 200]
            assert bool(others) == refuses_busy, "all at once"
            assert {(answer.status, answer.error) for answer in others} <= {(409, "Busy")}
            assert {answer.headers["retry-after"] for answer in others} <= {"5"}
            assert len(service.get(f"{base}/disks", headers=headers).json) == 1
            assert pool.counts() == before


class TestPower:
    def test_pause_is_suspend_to_a_storage_and_resume_knows_both_kinds(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        guest_suspend(session, guest)
        assert pool.vm()["power_state"] == "Suspended"
        guest_resume(session, guest)
        session.xenapi.VM.pause(pool.vm().ref)
        assert guest_info(session, guest).state == "PAUSED"
        guest_resume(session, guest)
        assert pool.vm()["power_state"] == "Running"

    def test_a_guest_without_tools_is_not_asked_in_vain(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        pool.vm()["guest_metrics"] = "OpaqueRef:NULL"
        for ask in (guest_shutdown, guest_reboot):
            with pytest.raises(XenAPI.Failure) as failed:
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
        with pytest.raises(XenAPI.Failure) as failed:
            guest_start(session, guest)
        translated = translate(failed.value)
        assert isinstance(translated, InvalidState)
        assert translated.details == {"current": "STARTED", "needed": "STOPPED"}


FAULTS: list[tuple[list[str], type[SimplestackError], str]] = [
    (["SESSION_AUTHENTICATION_FAILED", "root", "Authentication failure"], Unauthorized, "rejected"),
    (["SESSION_INVALID", "OpaqueRef:secret"], HypervisorUnavailable, "ended"),
    (["RBAC_PERMISSION_DENIED", "vm.start", "no"], PermissionDenied, "vm.start"),
    (["HANDLE_INVALID", "VM", "OpaqueRef:1"], EntityNotFound, "Guest:(removed meanwhile) not found"),
    (["DUPLICATE_VM", "r"], Conflict, "exists already"),
    (["SR_HAS_NO_PBDS", "r"], Conflict, "not connected to any host"),
    (["VM_INCOMPATIBLE_WITH_THIS_HOST", "r", "r", "CPU"], HypervisorError, "CPU"),
    (["HOST_DISABLED", "r"], HypervisorError, "disabled"),
    (["VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED", "r"], Conflict, "tools"),
    (["HA_IS_ENABLED"], Conflict, "high availability"),
    (["INTERNAL_ERROR", "Unix.Unix_error(...)"], HypervisorError, "INTERNAL_ERROR"),
    (["CANNOT_PLUG_BOND_SLAVE", "r"], InvalidArguments, "bond"),
    (["NETWORK_CONTAINS_VIF", "r"], Conflict, "in use"),
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
    (["VBD_TRAY_LOCKED", "r"], Conflict, "unmount the CD in the guest"),
    (["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"], Conflict, "availability"),
    (["HOST_CANNOT_ATTACH_NETWORK", "r", "r"], Conflict, "not connected"),
    (["NETWORK_ALREADY_CONNECTED", "r", "r"], Conflict, "already uses this VLAN"),
    (["PIF_UNMANAGED", "r"], InvalidArguments, "rejects the request"),
    (["VM_REVERT_FAILED", "r", "r"], HypervisorError, "the revert failed"),
    (["SR_BACKEND_FAILURE_79", "", "size", ""], InvalidArguments, "size"),
    (["SR_BACKEND_FAILURE_109", "", "", ""], Conflict, "snapshots"),
    (["IMPORT_ERROR_SOME_CHECKSUMS_FAILED", "x"], InvalidArguments, "damaged"),
    (["DEVICE_DETACH_REJECTED", "VBD", "r", "busy"], Busy, "release"),
    (["SR_FULL", "2", "1"], InsufficientStorage, "free space"),
    (["SR_BACKEND_FAILURE_44", "", "no space", ""], InsufficientStorage, "no space"),
    (["MEMORY_CONSTRAINT_VIOLATION", "order"], InvalidArguments, "order"),
    (["IMPORT_ERROR", "damaged"], InvalidArguments, "image"),
    (["MESSAGE_METHOD_UNKNOWN", "VDI.resize_online"], OperationNotSupported, "VDI.resize_online"),
    (["LICENCE_RESTRICTION", "x"], OperationNotSupported, "does not support"),
    (["HOST_OFFLINE", "r"], HypervisorError, "off"),
    (["TOO_MANY_PENDING_TASKS"], HypervisorUnavailable, "overloaded"),
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
    error = translate(XenAPI.Failure(description))
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
