"""What the XAPI simulator's VMs, disks and interfaces do, and when they do not."""

from typing import Any

import pytest

from simulators.records import GIB, NULL, disk_values, interface_values
from simulators.refusals import refused
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server
from support.service import wait_for


def test_a_vm_goes_through_its_states(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    states = []
    for message, *parameters in (
        ("start", False, False),
        ("pause",),
        ("unpause",),
        ("suspend",),
        ("resume", False, False),
        ("clean_reboot",),
        ("hard_reboot",),
        ("clean_shutdown",),
        ("start", True, False),
        ("hard_shutdown",),
    ):
        getattr(vms, message)(vm, *parameters)
        states.append(vms.get_power_state(vm))
    assert states == [
        *("Running", "Paused", "Running", "Suspended", "Running", "Running", "Running", "Halted"),
        *("Paused", "Halted"),
    ]


@pytest.mark.parametrize(
    ("before", "message", "expected"),
    [
        ("halted", ("clean_shutdown",), "running"),
        ("halted", ("hard_shutdown",), "paused, suspended, running"),
        ("halted", ("suspend",), "running"),
        ("halted", ("resume", False, False), "suspended"),
        ("running", ("start", False, False), "halted"),
        ("running", ("unpause",), "paused"),
    ],
)
def test_a_vm_in_the_wrong_state_is_refused_with_both(
    session: Any, vm: str, before: str, message: tuple[Any, ...], expected: str
) -> None:
    if before == "running":
        session.xenapi.VM.start(vm, False, False)
    name, *parameters = message
    details = refused(getattr(session.xenapi.VM, name), vm, *parameters)
    assert details == ["VM_BAD_POWER_STATE", vm, expected, before]


def test_a_running_vm_has_a_host_an_address_and_plugged_devices(session: Any, vm: str) -> None:
    api = session.xenapi
    api.VM.start(vm, False, False)
    record = api.VM.get_record(vm)
    assert record["resident_on"] == api.host.get_all()[0]
    assert api.host.get_resident_VMs(record["resident_on"])[1:] == [vm], "the first one is the control domain"
    assert int(record["domid"]) > 0
    assert "clean_shutdown" in record["allowed_operations"]
    assert api.VM_guest_metrics.get_networks(record["guest_metrics"])["0/ip"].startswith("10.")
    assert api.VBD.get_currently_attached(record["VBDs"][0])
    assert api.VIF.get_currently_attached(record["VIFs"][0])
    api.VM.clean_shutdown(vm)
    record = api.VM.get_record(vm)
    assert (record["resident_on"], record["domid"]) == (NULL, "-1")
    assert not api.VBD.get_currently_attached(record["VBDs"][0])
    assert "start" in record["allowed_operations"]


def test_a_guest_without_tools_cannot_be_asked(session: Any, server: Any, vm: str) -> None:
    session.xenapi.VM.start(vm, False, False)
    server.simulator.database.get("VM", vm)["guest_metrics"] = NULL
    assert refused(session.xenapi.VM.clean_shutdown, vm) == ["VM_LACKS_FEATURE", vm]
    session.xenapi.VM.shutdown(vm)
    assert session.xenapi.VM.get_power_state(vm) == "Halted"


def test_a_template_and_a_blocked_operation_are_refused(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    vms.add_to_blocked_operations(vm, "start", "maintenance")
    assert refused(vms.start, vm, False, False) == ["OPERATION_BLOCKED", vm, "maintenance"]
    vms.remove_from_blocked_operations(vm, "start")
    vms.set_is_a_template(vm, True)
    assert refused(vms.start, vm, False, False) == ["VM_IS_TEMPLATE", vm, "start"]
    assert "provision" in vms.get_allowed_operations(vm)


def test_a_task_of_a_message_ends_with_its_result(session: Any, vm: str, storage: str) -> None:
    task = session.xenapi.Async.VDI.create(disk_values(storage))
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    result = session.xenapi.task.get_result(task)
    disk = result.removeprefix("<value>").removesuffix("</value>")
    assert session.xenapi.VDI.get_virtual_size(disk) == str(GIB)
    task = session.xenapi.Async.VM.unpause(vm)
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    assert session.xenapi.task.get_error_info(task) == ["VM_BAD_POWER_STATE", vm, "paused", "halted"]


def test_disks_take_room_and_give_it_back(session: Any, storage: str) -> None:
    api = session.xenapi

    def used() -> int:
        return int(api.SR.get_physical_utilisation(storage))

    before = used()
    disk = api.VDI.create(disk_values(storage, GIB + 1))
    assert api.VDI.get_virtual_size(disk) == str(GIB + 2 * 1024**2)
    assert used() == before + GIB + 2 * 1024**2
    api.VDI.resize(disk, str(2 * GIB))
    assert used() == before + 2 * GIB
    assert refused(api.VDI.resize, disk, str(GIB)) == [
        *("SR_BACKEND_FAILURE_79", ""),
        *("VDI Invalid size [opterr=shrinking not allowed]", ""),
    ]
    free = int(api.SR.get_physical_size(storage)) - used()
    assert refused(api.VDI.create, disk_values(storage, free + GIB)) == [
        "SR_FULL",
        str(free + GIB),
        str(free),
    ]
    api.VDI.destroy(disk)
    assert used() == before
    assert disk not in api.SR.get_VDIs(storage)


def test_an_interface_comes_moves_and_goes(session: Any, vm: str) -> None:
    api = session.xenapi
    first, second = sorted(api.network.get_all(), key=api.network.get_name_label)
    interface = api.VIF.create(interface_values(vm, first))
    assert api.VIF.get_MAC_autogenerated(interface)
    assert refused(api.VIF.create, interface_values(vm, first)) == ["DEVICE_ALREADY_EXISTS", "1"]
    assert refused(api.VIF.create, interface_values(vm, first, device="2", MAC="x")) == ["MAC_INVALID", "x"]
    assert refused(api.VIF.plug, interface)[:2] == ["VM_BAD_POWER_STATE", vm]
    api.VM.start(vm, False, False)
    assert refused(api.VIF.plug, interface) == ["DEVICE_ALREADY_ATTACHED", interface]
    assert refused(api.VIF.destroy, interface) == [
        *("OPERATION_NOT_ALLOWED", "VIF currently attached to a running VM"),
    ]
    api.VIF.move(interface, second)
    assert (interface in api.network.get_VIFs(first), api.network.get_VIFs(second)) == (False, [interface])
    api.VIF.set_locking_mode(interface, "locked")
    api.VIF.set_ipv4_allowed(interface, ["10.0.0.1"])
    api.VIF.unplug(interface)
    api.VIF.destroy(interface)
    assert interface not in api.VM.get_VIFs(vm)


def test_a_network_gets_a_vlan_once(session: Any) -> None:
    api = session.xenapi
    network = api.network.create(
        {"name_label": "customers", "MTU": "1500", "other_config": {}, "tags": [], "bridge": ""}
    )
    (pif,) = [ref for ref, record in api.PIF.get_all_records().items() if record["device"] == "eth1"]
    assert refused(api.pool.create_VLAN_from_PIF, pif, network, "4095") == ["VLAN_TAG_INVALID", "4095"]
    (made,) = api.pool.create_VLAN_from_PIF(pif, network, "42")
    assert (api.PIF.get_VLAN(made), api.network.get_PIFs(network)) == ("42", [made])
    assert refused(api.pool.create_VLAN_from_PIF, pif, network, "42") == ["PIF_VLAN_EXISTS", "eth1"]
    assert refused(api.network.destroy, network) == ["NETWORK_CONTAINS_PIF", made]
    api.VLAN.destroy(api.PIF.get_VLAN_master_of(made))
    api.network.destroy(network)
    assert refused(api.network.get_record, network) == ["HANDLE_INVALID", "network", network]


def test_memory_figures_stay_in_order_and_static_ones_need_a_vm_that_is_off(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    half, twice = str(256 * 1024**2), str(1024**3)
    assert refused(vms.set_memory_static_max, vm, half)[0] == "MEMORY_CONSTRAINT_VIOLATION"
    assert vms.get_memory_static_max(vm) == str(512 * 1024**2)
    vms.set_memory_limits(vm, half, twice, half, twice)
    assert [vms.get_memory_static_min(vm), vms.get_memory_dynamic_max(vm)] == [half, twice]
    vms.start(vm, False, False)
    assert refused(vms.set_memory_static_max, vm, twice) == ["VM_BAD_POWER_STATE", vm, "halted", "running"]
    vms.set_memory_dynamic_range(vm, half, half)
    assert vms.get_memory_dynamic_max(vm) == half
    vms.set_memory_target_live(vm, twice)
    assert vms.get_memory_dynamic_max(vm) == half
    vms.hard_shutdown(vm)
    assert refused(vms.set_memory_target_live, vm, twice) == ["VM_BAD_POWER_STATE", vm, "running", "halted"]
    vms.set_memory(vm, str(2 * GIB))
    figures = [getattr(vms, f"get_memory_{name}")(vm) for name in ("static_min", "dynamic_min", "static_max")]
    assert figures == [half, str(2 * GIB), str(2 * GIB)]


def test_processors_are_as_many_as_the_vm_may_have(session: Any, vm: str) -> None:
    api = session.xenapi
    assert refused(api.VM.set_VCPUs_at_startup, vm, "2")[0] == "INVALID_VALUE"
    api.VM.set_VCPUs_max(vm, "4")
    api.VM.set_VCPUs_at_startup(vm, "2")
    assert refused(api.VM.set_VCPUs_number_live, vm, "3")[0] == "VM_BAD_POWER_STATE"
    api.VM.start(vm, False, False)
    assert refused(api.VM.set_VCPUs_max, vm, "8")[0] == "VM_BAD_POWER_STATE"
    api.VM.set_VCPUs_number_live(vm, "3")
    assert api.VM_metrics.get_VCPUs_number(api.VM.get_metrics(vm)) == "3"
    assert api.VM.get_VCPUs_at_startup(vm) == "3"
    api.VM.set_VCPUs_at_startup(vm, "4")
    assert refused(api.VM.set_VCPUs_at_startup, vm, "5") == [
        *("INVALID_VALUE", "VCPU values must satisfy: 0 < VCPUs_at_startup ≤ VCPUs_max", "5"),
    ]


def test_a_blocked_operation_is_not_among_those_allowed(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    vms.add_to_blocked_operations(vm, "start", "maintenance")
    assert "start" not in vms.get_allowed_operations(vm)
    vms.remove_from_blocked_operations(vm, "start")
    assert "start" in vms.get_allowed_operations(vm)


def test_how_a_vm_boots_and_restarts_takes_known_words(session: Any, vm: str) -> None:
    vms = session.xenapi.VM
    assert refused(vms.set_domain_type, vm, "unspecified") == ["INVALID_VALUE", "domain_type", "unspecified"]
    for kind, policy in (("pvh", ""), ("hvm", "BIOS order")):
        vms.set_domain_type(vm, kind)
        assert vms.get_HVM_boot_policy(vm) == policy
    assert refused(vms.set_ha_restart_priority, vm, "1") == ["INVALID_VALUE", "ha_restart_priority", "1"]
    vms.set_ha_restart_priority(vm, "best-effort")
    assert vms.get_ha_restart_priority(vm) == "best-effort"


def test_an_address_follows_from_the_vm_and_the_device(session: Any, vm: str) -> None:
    api = session.xenapi
    network = api.network.get_all()[0]
    addresses = []
    for _ in range(2):
        interface = api.VIF.create(interface_values(vm, network))
        addresses.append(api.VIF.get_MAC(interface))
        api.VIF.destroy(interface)
    other = api.VIF.create(interface_values(vm, network, device="2"))
    assert addresses[0] == addresses[1] != api.VIF.get_MAC(other)
    api.VM.remove_from_other_config(vm, "mac_seed")
    assert refused(api.VIF.create, interface_values(vm, network)) == ["MAC_INVALID", ""]


def test_addresses_that_are_none_are_refused(session: Any, vm: str) -> None:
    api = session.xenapi
    (interface,) = api.VM.get_VIFs(vm)
    for field, address in (("ipv4_allowed", "10.0.0.256"), ("ipv6_allowed", "10.0.0.1")):
        refusal = ["INVALID_IP_ADDRESS_SPECIFIED", field]
        assert refused(getattr(api.VIF, f"set_{field}"), interface, [address]) == refusal
        assert refused(getattr(api.VIF, f"add_{field}"), interface, address) == refusal
        network = api.network.get_all()[0]
        assert refused(api.VIF.create, interface_values(vm, network, **{field: [address]})) == refusal
    api.VIF.set_ipv4_allowed(interface, ["10.0.0.1"])
    api.VIF.add_ipv4_allowed(interface, "10.0.0.2")
    assert api.VIF.get_ipv4_allowed(interface) == ["10.0.0.1", "10.0.0.2"]


def test_a_network_goes_with_its_interfaces_unless_one_is_plugged_in(session: Any, vm: str) -> None:
    api = session.xenapi
    network = api.network.create({"name_label": "inner", "MTU": "1500", "other_config": {}})
    interface = api.VIF.create(interface_values(vm, network))
    api.VM.start(vm, False, False)
    assert refused(api.network.destroy, network) == ["NETWORK_CONTAINS_VIF", interface]
    api.VM.hard_shutdown(vm)
    api.network.destroy(network)
    assert refused(api.VIF.get_record, interface) == ["HANDLE_INVALID", "VIF", interface]
    assert interface not in api.VM.get_VIFs(vm)


def test_a_vlan_that_cannot_be_plugged_in_stays(session: Any, server: Server) -> None:
    api = session.xenapi
    network = api.network.create({"name_label": "dmz", "MTU": "1500", "other_config": {}})
    (pif,) = [ref for ref, record in api.PIF.get_all_records().items() if record["device"] == "eth1"]
    server.simulator.faults.add(Rule(message="PIF.plug", code="INTERNAL_ERROR", parameters=["no link"]))
    assert refused(api.pool.create_VLAN_from_PIF, pif, network, "42") == ["INTERNAL_ERROR", "no link"]
    (left,) = api.network.get_PIFs(network)
    assert not api.PIF.get_currently_attached(left)
    api.VLAN.destroy(api.PIF.get_VLAN_master_of(left))
    assert api.network.get_PIFs(network) == []
