"""Which operations the XAPI simulator's VMs allow, and what they are refused with otherwise."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from simulators.https import running
from simulators.records import NULL
from simulators.refusals import refused
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator

SETTINGS = {"changing_static_range", "changing_shadow_memory", "changing_dynamic_range"}
ALLOWED = {
    "Halted": {"snapshot", "clone", "copy", "export", "destroy", "start", "start_on", "make_into_template"}
    | SETTINGS,
    "Running": {
        *("snapshot", "checkpoint", "pause", "suspend", "clean_shutdown", "clean_reboot", "hard_shutdown"),
        *("hard_reboot", "changing_VCPUs_live", "changing_dynamic_range"),
    },
    "Paused": {"snapshot", "checkpoint", "unpause", "hard_shutdown", "hard_reboot"},
    "Suspended": {"snapshot", "checkpoint", "resume", "resume_on", "hard_shutdown", "export", "destroy"},
}


def bring_to(session: Any, vm: str, state: str) -> None:
    """Let a VM that is off be in a state."""
    if state != "Halted":
        session.xenapi.VM.start(vm, state == "Paused", False)
    if state == "Suspended":
        session.xenapi.VM.suspend(vm)


@pytest.mark.parametrize("state", ALLOWED)
def test_a_vm_allows_what_its_state_does(session: Any, vm: str, state: str) -> None:
    bring_to(session, vm, state)
    assert set(session.xenapi.VM.get_allowed_operations(vm)) == ALLOWED[state]
    for name in ALLOWED[state]:
        session.xenapi.VM.assert_operation_valid(vm, name)


def test_templates_and_snapshots_allow_other_things(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    snapshot = vms.snapshot(vm, "kept")
    assert set(vms.get_allowed_operations(snapshot)) == {"revert", "clone", "copy", "export", "destroy"}
    vms.set_is_a_template(vm, True)
    assert set(vms.get_allowed_operations(vm)) == SETTINGS | {
        "clone",
        "copy",
        "export",
        "provision",
        "destroy",
    }


@pytest.mark.parametrize(
    ("state", "message", "parameters", "expected"),
    [
        ("Halted", "hard_reboot", (), "paused, running"),
        ("Halted", "hard_shutdown", (), "paused, suspended, running"),
        ("Halted", "shutdown", (), "paused, suspended, running"),
        ("Halted", "checkpoint", ("x",), "paused, suspended, running"),
        ("Running", "destroy", (), "halted, suspended"),
        ("Paused", "set_memory_dynamic_max", ("1",), "halted, running"),
        ("Running", "set_memory_static_max", ("1",), "halted"),
        ("Running", "set_memory_limits", ("1", "1", "1", "1"), "halted"),
        ("Running", "set_VCPUs_max", ("1",), "halted"),
        ("Suspended", "set_VCPUs_number_live", ("1",), "running"),
        ("Suspended", "clone", ("x",), "halted"),
        ("Suspended", "suspend", (), "running"),
        ("Running", "provision", (), "halted"),
    ],
)
def test_a_wrong_state_comes_before_all_else(
    session: Any, state: str, message: str, parameters: tuple[str, ...], expected: str
) -> None:
    vms = session.xenapi.VM
    vm = vms.get_by_name_label("vm-0")[0]
    bring_to(session, vm, state)
    refusal = ["VM_BAD_POWER_STATE", vm, expected, state.lower()]
    assert refused(getattr(vms, message), vm, *parameters) == refusal


def test_a_blocked_operation_comes_before_its_state(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    vms.add_to_blocked_operations(vm, "suspend", "never")
    assert refused(vms.suspend, vm) == ["OPERATION_BLOCKED", vm, "never"]


def test_what_only_templates_or_snapshots_do_is_refused(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    assert refused(vms.provision, vm) == ["PROVISION_ONLY_ALLOWED_ON_TEMPLATE"]
    assert refused(vms.revert, vm) == ["REVERT_ONLY_ALLOWED_ON_SNAPSHOT"]
    snapshot = vms.snapshot(vm, "kept")
    for message, parameters in (("start", (False, False)), ("snapshot", ("x",)), ("provision", ())):
        assert refused(getattr(vms, message), snapshot, *parameters) == ["VM_IS_SNAPSHOT", snapshot, message]
    vms.set_is_a_template(vm, True)
    for message, parameters in (("start", (False, False)), ("snapshot", ("x",)), ("revert", ())):
        assert refused(getattr(vms, message), vm, *parameters) == ["VM_IS_TEMPLATE", vm, message]
    vms.set_memory_dynamic_max(vm, str(512 * 1024**2))


def test_a_guest_is_asked_for_what_its_tools_can_do(session: Any, server: Server, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    told = server.simulator.database.get("VM_guest_metrics", api.VM.get_guest_metrics(vm))
    told["other"] = {"feature-poweroff": "1"}
    for message, parameters in (
        *(("clean_reboot", ()), ("suspend", ())),
        *(("checkpoint", ("x",)), ("set_VCPUs_number_live", ("1",))),
    ):
        assert refused(getattr(api.VM, message), vm, *parameters) == ["VM_LACKS_FEATURE", vm]
    api.VM.update_allowed_operations(vm)
    assert set(api.VM.get_allowed_operations(vm)) == ALLOWED["Running"] - {
        *("clean_reboot", "suspend", "checkpoint", "changing_VCPUs_live"),
    }
    api.VM.clean_shutdown(vm)


def test_a_pool_whose_guests_have_no_tools(context: ssl.SSLContext, connect: Callable[..., Any]) -> None:
    with running(Server(Simulator(tools=False), context)) as server:
        api = connect(server).xenapi
        vm = api.VM.get_by_name_label("vm-0")[0]
        api.VM.start(vm, False, False)
        assert api.VM.get_guest_metrics(vm) == NULL
        for message in ("clean_shutdown", "clean_reboot", "suspend"):
            assert refused(getattr(api.VM, message), vm) == ["VM_LACKS_FEATURE", vm]
        assert refused(api.VIF.unplug, api.VM.get_VIFs(vm)[0]) == ["VM_MISSING_PV_DRIVERS", vm]
        api.VM.shutdown(vm)
        assert api.VM.get_power_state(vm) == "Halted"
