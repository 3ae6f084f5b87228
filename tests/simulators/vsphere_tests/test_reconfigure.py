"""The configuration of VMs in the vSphere simulator, without their devices."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.sessions import READING, Account
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, new_card, new_disk
from simulators.vsphere_tests.waiting import error, result

Spec = vim.vm.ConfigSpec


def test_fields_are_changed(client: Client, vm: Any) -> None:
    before = vm.config.changeVersion
    options = [vim.option.OptionValue(key="a", value="1"), vim.option.OptionValue(key="b", value="2")]
    spec = Spec(
        name="a/b",
        annotation="note",
        numCPUs=4,
        numCoresPerSocket=2,
        memoryMB=2_048,
        extraConfig=options,
        changeVersion=before,
        bootOptions=vim.vm.BootOptions(bootDelay=5),
    )
    result(client, vm.Reconfigure(spec))
    config = vm.config
    assert (vm.name, config.name, vm.summary.config.name) == ("a%2fb",) * 3
    assert (config.annotation, config.hardware.numCPU, config.hardware.memoryMB) == ("note", 4, 2_048)
    assert (config.bootOptions.bootDelay, config.changeVersion == before) == (5, False)
    assert {each.key: each.value for each in config.extraConfig}.items() >= {("a", "1"), ("b", "2")}
    result(client, vm.Reconfigure(Spec(extraConfig=[vim.option.OptionValue(key="a", value="")])))
    assert "a" not in {each.key for each in vm.config.extraConfig}


def test_a_configuration_that_has_changed_meanwhile_is_kept(client: Client, vm: Any) -> None:
    before = vm.config.changeVersion
    result(client, vm.Reconfigure(Spec(annotation="first")))
    fault = error(client, vm.Reconfigure(Spec(annotation="second", changeVersion=before)))
    assert isinstance(fault, vim.fault.ConcurrentAccess)
    assert vm.config.annotation == "first"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"name": "vm-2"}, vim.fault.DuplicateName),
        ({"name": ""}, vim.fault.InvalidName),
        ({"numCPUs": 0}, vmodl.fault.InvalidArgument),
        ({"numCPUs": 769}, vmodl.fault.InvalidArgument),
        ({"numCPUs": 3, "numCoresPerSocket": 2}, vmodl.fault.InvalidArgument),
        ({"memoryMB": -4}, vmodl.fault.InvalidArgument),
        ({"memoryMB": 1_023}, vmodl.fault.InvalidArgument),
        ({"guestId": "nothing"}, vmodl.fault.InvalidArgument),
        ({"firmware": "uboot"}, vmodl.fault.InvalidArgument),
        ({"instanceUuid": "x"}, vmodl.fault.InvalidArgument),
        ({"maxMksConnections": 2}, vmodl.fault.NotImplemented),
    ],
)
def test_a_value_that_is_not_allowed_changes_nothing(client: Client, vm: Any, fields: Any, kind: Any) -> None:
    before = vm.config.changeVersion
    fault = error(client, vm.Reconfigure(Spec(annotation="new", **fields)))
    assert isinstance(fault, kind), fault
    assert (vm.name, vm.config.annotation, vm.config.changeVersion) == ("vm-0", "", before)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"numCPUs": 4}, vim.fault.CpuHotPlugNotSupported),
        ({"numCPUs": 1}, vim.fault.CpuHotPlugNotSupported),
        ({"memoryMB": 2_048}, vim.fault.MemoryHotPlugNotSupported),
        ({"memoryMB": 512}, vim.fault.MemoryHotPlugNotSupported),
        ({"cpuHotAddEnabled": True}, vim.fault.InvalidPowerState),
        ({"guestId": "otherGuest64"}, vim.fault.InvalidPowerState),
    ],
)
def test_a_vm_that_runs_must_be_stopped_first(client: Client, vm: Any, fields: Any, kind: Any) -> None:
    result(client, vm.PowerOn())
    assert isinstance(error(client, vm.Reconfigure(Spec(**fields))), kind)
    result(client, vm.Reconfigure(Spec(numCPUs=2, memoryMB=1_024, cpuHotAddEnabled=False)))
    result(client, vm.PowerOff())
    result(client, vm.Reconfigure(Spec(**fields)))


def test_cpus_and_memory_are_added_but_not_removed_while_the_vm_runs(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(Spec(cpuHotAddEnabled=True, memoryHotAddEnabled=True)))
    result(client, vm.PowerOn())
    result(client, vm.Reconfigure(Spec(numCPUs=4, memoryMB=2_048)))
    assert isinstance(error(client, vm.Reconfigure(Spec(numCPUs=2))), vim.fault.CpuHotPlugNotSupported)
    assert isinstance(
        error(client, vm.Reconfigure(Spec(memoryMB=1_024))), vim.fault.MemoryHotPlugNotSupported
    )
    assert (vm.config.hardware.numCPU, vm.config.hardware.memoryMB) == (4, 2_048)


def test_cpus_are_removed_while_the_vm_runs_if_it_may(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(Spec(cpuHotRemoveEnabled=True)))
    result(client, vm.PowerOn())
    result(client, vm.Reconfigure(Spec(numCPUs=1)))
    assert isinstance(error(client, vm.Reconfigure(Spec(numCPUs=2))), vim.fault.CpuHotPlugNotSupported)


@pytest.mark.parametrize(
    "spec", [Spec(numCPUs=4), Spec(memoryMB=2_048), Spec(guestId="otherGuest64"), change(add(new_card()))]
)
def test_the_hardware_of_a_suspended_vm_stays(client: Client, vm: Any, spec: Any) -> None:
    result(client, vm.Reconfigure(Spec(cpuHotAddEnabled=True, memoryHotAddEnabled=True)))
    result(client, vm.PowerOn())
    result(client, vm.Suspend())
    fault = error(client, vm.Reconfigure(spec))
    assert (type(fault), fault.existingState) == (vim.fault.InvalidPowerState, "suspended")
    result(client, vm.Reconfigure(Spec(annotation="x", numCPUs=2, memoryMB=1_024)))


def test_options_that_are_fields_are_ignored(client: Client, vm: Any) -> None:
    before = [(each.key, each.value) for each in vm.config.extraConfig]
    ignored = ("displayName", "numvcpus", "memSize", "scsi0:0.fileName", "ethernet0.address", "vc.uuid")
    options = [vim.option.OptionValue(key=key, value="x") for key in (*ignored, "guestinfo.scsi0:0.fileName")]
    result(client, vm.Reconfigure(Spec(extraConfig=options)))
    after = [(each.key, each.value) for each in vm.config.extraConfig]
    assert after == [*before, ("guestinfo.scsi0:0.fileName", "x")]
    assert (vm.name, vm.config.hardware.numCPU) == ("vm-0", 2)


def test_each_field_needs_its_privilege(connect: Any, simulator: Simulator) -> None:
    own = frozenset({"VirtualMachine.Config.Annotation", *READING})
    simulator.sessions.accounts["notes"] = Account("secret", own)
    client = connect("notes")
    vm = client.vm("vm-0")
    result(client, vm.Reconfigure(Spec(annotation="x")))
    for spec, privilege in (
        (Spec(annotation="y", numCPUs=4), "CPUCount"),
        (change(add(new_disk(), "create")), "AddNewDisk"),
        (change(add(new_disk())), "AddExistingDisk"),
    ):
        with pytest.raises(vim.fault.NoPermission) as raised:
            vm.Reconfigure(spec)
        assert raised.value.privilegeId == f"VirtualMachine.Config.{privilege}"
    assert vm.config.annotation == "x"
