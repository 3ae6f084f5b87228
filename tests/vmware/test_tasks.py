"""Tasks: how many calls they take, how they fail, and what happens when they do not end."""

import threading

import pytest
from pyVmomi import vim

from simplestack import (
    Busy,
    Conflict,
    HypervisorError,
    InsufficientStorage,
    InvalidState,
    OperationTimeout,
)
from simplestack_vmware import plugin
from simplestack_vmware.errors import translate
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import VmState
from simplestack_vmware.vsphere.sessions.lookups import find_guest
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.tls import Trust
from simulators.vsphere.faults import Rule
from support.vsphere import Host, running_host

from .conftest import Connect

#: What a hook calls beside the waiting.
_OWN = {"RetrievePropertiesEx", "FindAllByUuid", "PowerOnVM_Task"}


@pytest.mark.parametrize("seconds", [0, 0.3])
def test_a_task_takes_at_most_three_calls_beside_its_own(
    trust: Trust, log_in: Connect, seconds: float
) -> None:
    with running_host(trust, vms=40, task_seconds=seconds) as host:
        session = log_in(host)
        for number in range(4 if seconds else 36):
            host.calls()
            guest_start(session, host.vm(f"vm-{number}")["config.instanceUuid"])
            made = {method: count for method, count in host.calls().items() if method not in _OWN}
            is_first, is_renewed = number == 0, number == 32
            extra = made.pop("CreatePropertyCollector", 0) + made.pop("DestroyPropertyCollector", 0)
            assert extra <= (1 if is_first or is_renewed or number == 31 else 0)
            assert sum(made.values()) <= 3, made
            assert made["CreateFilter"] == 1


def test_a_task_that_fails_is_an_error_with_vspheres_own_text(vcenter: Host, session: VmwareSession) -> None:
    guest = vcenter.vm()["config.instanceUuid"]
    vcenter.simulator.faults.add(
        Rule(
            method="PowerOnVM_Task",
            fault="TaskInProgress",
            effect="fail task",
            text="Another task is already in progress.",
            properties={"task": {"type": "Task", "value": "task-1"}},
        )
    )
    with pytest.raises(Fault) as failed:
        guest_start(session, guest)
    error = plugin.translate(failed.value)
    assert isinstance(error, Busy)
    assert "Another task is already in progress." in error.message
    guest_start(session, guest)
    assert guest_info(session, guest).state == "STARTED"


def test_a_task_that_does_not_end_is_cancelled_at_the_time_limit(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter, call_timeout_seconds=1)
    guest = vcenter.vm()["config.instanceUuid"]
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hold", progress=30))
    with pytest.raises(OperationTimeout, match=r"PowerOnVM_Task did not end within 1 s$"):
        guest_start(session, guest)
    assert guest_info(session, guest).state == "STOPPED"
    assert vcenter.calls()["CancelTask"] == 1
    guest_start(session, guest)


def test_a_task_whose_result_is_gone_is_of_unknown_outcome(vcenter: Host, session: VmwareSession) -> None:
    vm = find_guest(session, vcenter.vm()["config.instanceUuid"], VmState)
    task = session.vm(vm).PowerOnVM_Task()
    database = vcenter.simulator.database
    with database.lock:
        database.remove(database.get(task))
    with pytest.raises(HypervisorError, match="check whether it took effect"):
        session.tasks.outcome(Ref("Task", task._GetMoId()), "the start")


def test_tasks_that_vsphere_has_forgotten_do_not_matter_to_later_ones(
    vcenter: Host, session: VmwareSession
) -> None:
    database = vcenter.simulator.database
    for name in ("vm-0", "vm-1", "vm-2"):
        guest_start(session, vcenter.vm(name)["config.instanceUuid"])
        with database.lock:
            for task in vcenter.all(vim.Task):
                database.remove(task)
    assert vcenter.calls()["CreatePropertyCollector"] == 1


def test_a_wait_whose_connection_breaks_goes_on(vcenter: Host, session: VmwareSession) -> None:
    guest = vcenter.vm()["config.instanceUuid"]
    for method in ("CreatePropertyCollector", "CreateFilter", "WaitForUpdatesEx"):
        vcenter.simulator.faults.add(Rule(method=method, effect="drop after"))
    guest_start(session, guest)
    assert guest_info(session, guest).state == "STARTED"


def test_tasks_of_several_threads_share_a_session(trust: Trust, log_in: Connect) -> None:
    with running_host(trust, vms=16, task_seconds=0.05) as host:
        session = log_in(host)
        guests = [host.vm(f"vm-{number}")["config.instanceUuid"] for number in range(16)]
        failures: list[Exception] = []

        def start(guest: str) -> None:
            try:
                guest_start(session, guest)
                assert guest_info(session, guest).state == "STARTED"
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=start, args=(guest,)) for guest in guests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


@pytest.mark.parametrize(
    ("name", "fields", "kind", "words"),
    [
        (
            "InvalidPowerState",
            {"existingState": "poweredOn", "requestedState": "poweredOff"},
            InvalidState,
            "while it is STARTED: it must be STOPPED",
        ),
        ("ToolsUnavailable", {}, Conflict, "VMware Tools do not run"),
        ("NoDiskSpace", {}, InsufficientStorage, "enough free space"),
        ("InsufficientStorageSpace", {}, InsufficientStorage, "enough free space"),
        ("FileLocked", {}, Conflict, "in use"),
        ("InsufficientMemoryResourcesFault", {}, HypervisorError, "no host has enough free resources"),
    ],
)
def test_faults_are_translated_as_their_type_or_one_above(
    name: str, fields: dict[str, str], kind: type[Exception], words: str
) -> None:
    error = translate(Fault(name, "said so", fields))
    assert type(error) is kind
    assert words in str(error)
