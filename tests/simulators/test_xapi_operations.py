"""Operations of the XAPI simulator: those in one another's way, those held up, and what hosts can do."""

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulators.https import running
from simulators.records import NULL
from simulators.refusals import refused
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator
from support.service import wait_for


@pytest.fixture
def busy(context: ssl.SSLContext) -> Iterator[Server]:
    """Give a pool whose operations take half a second, and which has a bond."""
    with running(Server(Simulator(operation_seconds=0.5, bonds=1), context)) as made:
        yield made


def _vm(session: Any, number: int = 0) -> str:
    ref: str = session.xenapi.VM.get_by_name_label(f"vm-{number}")[0]
    return ref


def _begin(session: Any, message: str, vm: str, *parameters: Any) -> str:
    """Begin an operation in a task, and wait until it is under way."""
    task: str = getattr(session.xenapi, f"Async.VM.{message}")(vm, *parameters)
    wait_for(lambda: session.xenapi.VM.get_current_operations(vm).get(task) == message, what=message)
    return task


def _end(session: Any, task: str) -> list[str]:
    """Wait for the end of a task; return its error."""
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    error: list[str] = session.xenapi.task.get_error_info(task)
    return error


def _cancelled(session: Any, task: str) -> bool:
    """Wait for the end of a task; tell whether it was cancelled, which needs no reason."""
    return _end(session, task) == [] and session.xenapi.task.get_status(task) == "cancelled"


def test_an_operation_waits_for_the_one_that_is_under_way(busy: Server, connect: Callable[..., Any]) -> None:
    session = connect(busy)
    vm = _vm(session)
    task = _begin(session, "start", vm, False, False)
    # It finds the VM running, and not halted as it was when it was asked for.
    assert refused(session.xenapi.VM.start, vm, False, False) == [
        *("VM_BAD_POWER_STATE", vm, "halted", "running"),
    ]
    assert session.xenapi.task.get_status(task) == "success"
    assert session.xenapi.VM.get_current_operations(vm) == {}


def test_an_operation_keeps_others_out_of_its_vm_and_of_no_other(
    context: ssl.SSLContext, connect: Callable[..., Any]
) -> None:
    with running(Server(Simulator(refuses_busy=True), context)) as server:
        session = connect(server)
        vm, other = _vm(session), _vm(session, 1)
        server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
        task = _begin(session, "start", vm, False, False)
        for message, parameters in (("snapshot", ("x", [])), ("destroy", ()), ("clone", ("x",))):
            refusal = refused(getattr(session.xenapi.VM, message), vm, *parameters)
            assert refusal == ["OTHER_OPERATION_IN_PROGRESS", "VM", vm, "start"]
        assert session.xenapi.VM.get_allowed_operations(vm) == []
        session.xenapi.VM.start(other, False, False)
        server.simulator.faults.clear()
        assert _end(session, task) == []
        assert "clean_shutdown" in session.xenapi.VM.get_allowed_operations(vm)


def test_copies_are_made_together_and_so_are_snapshots(server: Server, session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    server.simulator.faults.add(Rule(message="VM.clone", effect="hold"))
    task = _begin(session, "clone", vm, "slow")
    vms.copy(vm, "other", NULL)
    server.simulator.faults.clear()
    assert _end(session, task) == []
    vms.start(vm, False, False)
    server.simulator.faults.add(Rule(message="VM.snapshot", effect="hold"))
    task = _begin(session, "snapshot", vm, "slow", [])
    vms.checkpoint(vm, "live")
    server.simulator.faults.clear()
    assert _end(session, task) == []


def test_what_waits_is_cancelled(server: Server, session: Any, vm: str) -> None:
    api = session.xenapi
    server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
    task = _begin(session, "start", vm, False, False)
    waiting = getattr(api, "Async.VM.destroy")(vm)
    wait_for(lambda: _code(lambda: api.task.cancel(waiting)) is None, what="the wait to begin")
    assert _cancelled(session, waiting)
    server.simulator.faults.clear()
    assert _end(session, task) == []
    assert api.VM.get_power_state(vm) == "Running"


@pytest.mark.parametrize("message", ["clean_shutdown", "clean_reboot", "suspend"])
@pytest.mark.parametrize(("end", "state"), [("hard_shutdown", "Halted"), ("hard_reboot", "Running")])
def test_who_does_not_wait_for_the_guest_ends_who_does(
    server: Server, session: Any, message: str, end: str, state: str
) -> None:
    api = session.xenapi
    vm = _vm(session)
    api.VM.start(vm, False, False)
    server.simulator.faults.add(Rule(message=f"VM.{message}", effect="hold"))
    task = _begin(session, message, vm)
    getattr(api.VM, end)(vm)
    assert _cancelled(session, task)
    assert api.task.get_status(task) == "cancelled"
    assert (api.VM.get_power_state(vm), api.VM.get_suspend_VDI(vm)) == (state, NULL)


def test_who_has_no_task_is_told_that_the_call_was_cancelled(
    busy: Server, connect: Callable[..., Any]
) -> None:
    one, two = connect(busy), connect(busy)
    vm = _vm(one)
    one.xenapi.VM.start(vm, False, False)
    outcomes: list[list[str]] = []
    thread = threading.Thread(target=lambda: outcomes.append(refused(one.xenapi.VM.clean_shutdown, vm)))
    thread.start()
    wait_for(
        lambda: "clean_shutdown" in two.xenapi.VM.get_current_operations(vm).values(), what="it to begin"
    )
    two.xenapi.VM.hard_shutdown(vm)
    thread.join(20)
    assert [outcome[0] for outcome in outcomes] == ["TASK_CANCELLED"]


def test_devices_of_a_vm_that_is_going_down_stay(server: Server, session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    server.simulator.faults.add(Rule(message="VM.clean_shutdown", effect="hold"))
    _begin(session, "clean_shutdown", vm)
    refusal = ["OPERATION_NOT_ALLOWED", f"Current operation on VM:{vm} is clean_shutdown"]
    assert refused(api.VBD.unplug, api.VM.get_VBDs(vm)[0]) == refusal
    assert refused(api.VIF.unplug, api.VM.get_VIFs(vm)[0]) == refusal


def test_a_task_that_is_held_is_cancelled_or_goes_on(server: Server, session: Any, vm: str) -> None:
    api = session.xenapi
    start = getattr(api, "Async.VM.start")
    server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
    task = start(vm, False, False)
    wait_for(lambda: _code(lambda: api.task.cancel(task)) is None, what="the task to be held")
    wait_for(lambda: api.task.get_status(task) == "cancelled", what="its end")
    assert api.VM.get_power_state(vm) == "Halted"
    api.task.cancel(task)
    assert api.task.get_status(task) == "cancelled"

    server.simulator.faults.add(Rule(message="VM.start", effect="hold"))
    other = start(vm, False, False)
    assert api.task.get_status(other) == "pending"
    server.simulator.faults.clear()
    wait_for(lambda: api.task.get_status(other) == "success", what="it to go on")
    assert api.VM.get_power_state(vm) == "Running"


def test_a_host_without_json_rpc_takes_it_for_xml(context: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with running(Server(Simulator(), context, speaks_json=False)) as server:
        client = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting)
        client.request("POST", "/jsonrpc", b"{}")
        assert client.getresponse().status == 500
        client.close()


def test_a_vlan_goes_over_a_bond_and_not_over_its_parts(busy: Server, connect: Callable[..., Any]) -> None:
    api = connect(busy).xenapi
    ((_, bond),) = api.Bond.get_all_records().items()
    network = api.network.create({"name_label": "dmz", "MTU": "1500", "other_config": {}})
    first, second = bond["slaves"]
    assert _code(lambda: api.VLAN.create(first, "7", network)) == "CANNOT_ADD_VLAN_TO_BOND_SLAVE"
    assert _code(lambda: api.VLAN.create(second, "7", network)) == "CANNOT_ADD_VLAN_TO_BOND_SLAVE"
    (untagged,) = api.pool.create_VLAN("bond0", network, "7")
    assert api.PIF.get_VLAN(untagged) == "7"
    assert _code(lambda: api.VLAN.create(bond["master"], "7", network)) == "PIF_VLAN_EXISTS"


def test_a_storage_is_unplugged_when_nothing_in_it_is_in_use(session: Any, vm: str) -> None:
    api = session.xenapi
    storage = api.SR.get_by_name_label("Local storage")[0]
    (plug,) = api.SR.get_PBDs(storage)
    api.VM.start(vm, False, False)
    assert _code(lambda: api.PBD.unplug(plug)) == "VDI_IN_USE"
    api.VM.hard_shutdown(vm)
    assert _code(lambda: api.SR.forget(storage)) == "SR_HAS_PBD"
    assert _code(lambda: api.PBD.destroy(plug)) == "OPERATION_NOT_ALLOWED"
    api.PBD.unplug(plug)
    api.PBD.plug(plug)
    api.PBD.unplug(plug)
    api.PBD.destroy(plug)
    api.SR.forget(storage)
    assert api.SR.get_by_name_label("Local storage") == []


def test_a_disabled_host_starts_nothing(session: Any, vm: str) -> None:
    api = session.xenapi
    (host,) = api.host.get_all()
    assert api.VM.get_possible_hosts(vm) == [host]
    api.host.disable(host)
    assert _code(lambda: api.VM.start(vm, False, False)) == "NO_HOSTS_AVAILABLE"
    assert _code(lambda: api.VM.start_on(vm, host, False, False)) == "HOST_DISABLED"
    assert _code(lambda: api.VM.assert_can_boot_here(vm, host)) == "HOST_DISABLED"
    api.host.enable(host)
    api.VM.start_on(vm, host, False, False)
    assert _code(lambda: api.VM.assert_operation_valid(vm, "start")) == "VM_BAD_POWER_STATE"
    api.VM.assert_operation_valid(vm, "suspend")
    api.VM.power_state_reset(vm)
    assert api.VM.get_power_state(vm) == "Halted"


def test_a_disk_is_copied_into_another_storage_and_forgotten(session: Any, vm: str) -> None:
    api = session.xenapi
    (drive,) = api.VM.get_VBDs(vm)
    disk = api.VBD.get_VDI(drive)
    copy = api.VDI.copy(disk, api.VDI.get_SR(disk), NULL, NULL)
    assert api.VDI.get_virtual_size(copy) == api.VDI.get_virtual_size(disk)
    assert _code(lambda: api.VDI.forget(disk)) == "VDI_IN_USE"
    api.VDI.forget(copy)
    assert _code(lambda: api.VDI.get_record(copy)) == "HANDLE_INVALID"


def test_a_vm_boots_paravirtualized_when_its_policy_is_empty(session: Any, vm: str) -> None:
    api = session.xenapi
    assert api.VM.get_domain_type(vm) == "hvm"
    api.VM.set_HVM_boot_policy(vm, "")
    assert api.VM.get_domain_type(vm) == "pv"


def test_an_export_breaks_where_it_is_told_to(
    server: Server, session: Any, vm: str, fetch: Callable[..., bytes]
) -> None:
    server.simulator.faults.add(Rule(message="export", code="INTERNAL_ERROR", parameters=["it broke"]))
    with pytest.raises(OSError, match="500"):
        fetch("GET", f"/export?session_id={session.handle}&ref={vm}")
    assert len(fetch("GET", f"/export?session_id={session.handle}&ref={vm}")) > 1024**2


def _code(call: Callable[[], object]) -> str | None:
    """Return what a call is refused with; None where it is not."""
    try:
        call()
    except Exception as failure:
        code: str = failure.details[0]  # type: ignore[attr-defined]  # XenAPI.Failure has no types
        return code
    return None
