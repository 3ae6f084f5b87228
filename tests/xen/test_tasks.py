"""XAPI's tasks: waited for, cancelled, and never left behind."""

import pytest

from simplestack import UNKNOWN_OUTCOME, HypervisorError, OperationTimeout
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from support.xapi import Pool

from .conftest import Order


def test_a_task_is_destroyed_however_it_ends(pool: Pool, session: XenSession, order: Order) -> None:
    vm = pool.vm().ref
    session.tasks.run.VM.start(vm, False, False)
    with pytest.raises(XenAPI.Failure, match="VM_BAD_POWER_STATE"):
        session.tasks.run.VM.start(vm, False, False)
    order(pool, "VM.clean_shutdown", effect="hold")
    with pytest.raises(OperationTimeout):
        session.tasks.run.VM.clean_shutdown(vm, limit_seconds=0.1)
    assert pool.count("task") == 0


def test_a_task_that_somebody_else_has_destroyed_is_not_waited_for(pool: Pool, session: XenSession) -> None:
    with pytest.raises(HypervisorError) as forgotten:
        session.tasks.outcome("OpaqueRef:gone", "the start", 600)
    assert forgotten.value.details["code"] == UNKNOWN_OUTCOME
    assert session.tasks.dismiss("OpaqueRef:gone") is None
    session.tasks.abandon("OpaqueRef:gone")


def test_a_task_that_nothing_has_taken_on_is_ended_and_destroyed(pool: Pool, session: XenSession) -> None:
    """XAPI would keep it, and the session, for a day."""
    task = session.tasks.create("export of nothing")
    assert pool.count("task") == 1
    assert session.tasks.dismiss(task) is None
    assert pool.count("task") == 0
