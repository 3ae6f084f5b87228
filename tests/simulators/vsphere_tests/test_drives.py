"""CD drives of VMs in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, device, edit, iso, of_kind, remove
from simulators.vsphere_tests.waiting import error, result, wait_for

DEBIAN, TOOLS = "[isos] debian-12.iso", "[isos] guest-tools.iso"


def drive(vm: Any) -> Any:
    """Return the first CD drive."""
    return of_kind(vm, device.VirtualCdrom)[0]


def test_an_image_is_inserted_and_connected_while_the_vm_runs(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(change(edit(iso(drive(vm), DEBIAN)))))
    assert (drive(vm).backing.fileName, drive(vm).connectable.connected) == (DEBIAN, False)
    result(client, vm.PowerOn())
    assert drive(vm).connectable.connected
    assert {each.name for each in vm.datastore} == {"shared-1", "isos"}


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("[isos] nothing.iso", vim.fault.FileNotFound),
        ("[nothing] debian-12.iso", vim.fault.InvalidDatastorePath),
        ("debian-12.iso", vim.fault.InvalidDatastorePath),
    ],
)
def test_an_image_must_be_there(client: Client, vm: Any, file: str, kind: Any) -> None:
    assert isinstance(error(client, vm.Reconfigure(change(edit(iso(drive(vm), file))))), kind)
    assert not isinstance(drive(vm).backing, device.VirtualCdrom.IsoBackingInfo)


@pytest.fixture
def locked(client: Client, vm: Any, guests: Any) -> Any:
    """Give a VM that has locked the image in its drive."""
    result(client, vm.Reconfigure(change(edit(iso(drive(vm), DEBIAN)))))
    result(client, vm.PowerOn())
    guests(vm="vm-0", locks_cd=True)
    return vm


@pytest.mark.parametrize("choice", ["0", "1"])
def test_a_locked_drive_raises_a_question(client: Client, locked: Any, choice: str) -> None:
    task = locked.Reconfigure(change(edit(iso(drive(locked), TOOLS))))
    wait_for(client, locked, "runtime.question", lambda value: value is not None)
    question = locked.runtime.question
    assert [each.key for each in question.choice.choiceInfo] == ["0", "1"]
    with pytest.raises(vim.fault.ConcurrentAccess):
        locked.Answer("another", choice)
    with pytest.raises(vmodl.fault.InvalidArgument):
        locked.Answer(question.id, "7")
    assert task.info.state == "running"
    locked.Answer(question.id, choice)
    if choice == "0":
        result(client, task)
    else:
        assert isinstance(error(client, task), vim.fault.GenericVmConfigFault)
    assert drive(locked).backing.fileName == (TOOLS if choice == "0" else DEBIAN)
    assert locked.runtime.question is None
    with pytest.raises(vim.fault.ConcurrentAccess):
        locked.Answer(question.id, choice)


def test_what_leaves_the_medium_in_a_locked_drive_asks_nothing(client: Client, locked: Any) -> None:
    result(client, locked.Reconfigure(change(edit(drive(locked)), annotation="x")))
    changed = drive(locked)
    changed.connectable.connected = False
    task = locked.Reconfigure(change(edit(changed)))
    wait_for(client, locked, "runtime.question", lambda value: value is not None)
    locked.Answer(locked.runtime.question.id, "1")
    assert error(client, task).reason == "Connection control operation failed for disk 'ide0:0'."
    assert drive(locked).connectable.connected


@pytest.mark.parametrize("choice", ["0", "1"])
@pytest.mark.parametrize("is_start", [True, False])
def test_a_question_to_order(client: Client, vm: Any, guests: Any, *, choice: str, is_start: bool) -> None:
    guests(vm="vm-0", asks="msg.uuid.altered")
    task = vm.PowerOn() if is_start else vm.Reconfigure(vim.vm.ConfigSpec(annotation="x"))
    wait_for(client, vm, "runtime.question", lambda value: value is not None)
    (message,) = vm.runtime.question.message
    assert message.id == "msg.uuid.altered"
    vm.Answer(vm.runtime.question.id, choice)
    if choice == "1":
        assert isinstance(error(client, task), vim.fault.GenericVmConfigFault)
        task = vm.PowerOn() if is_start else vm.Reconfigure(vim.vm.ConfigSpec(annotation="x"))
    result(client, task)


def test_a_question_ends_with_its_task(client: Client, locked: Any) -> None:
    task = locked.Reconfigure(change(edit(iso(drive(locked), TOOLS))))
    wait_for(client, locked, "runtime.question", lambda value: value is not None)
    task.Cancel()
    assert isinstance(error(client, task), vmodl.fault.RequestCanceled)
    assert (locked.runtime.question, drive(locked).backing.fileName) == (None, DEBIAN)


def test_the_devices_of_every_vm_cannot_be_removed(client: Client, vm: Any) -> None:
    for kind in (device.VirtualIDEController, device.VirtualPCIController, device.VirtualKeyboard):
        fault = error(client, vm.Reconfigure(change(remove(of_kind(vm, kind)[0]))))
        assert isinstance(fault, vim.fault.InvalidDeviceOperation)
    unknown = remove(device.VirtualVmxnet3(key=4_009))
    assert isinstance(error(client, vm.Reconfigure(change(unknown))), vim.fault.InvalidDeviceSpec)


def test_drives_of_ide_controllers_come_and_go_while_the_vm_is_off(client: Client, vm: Any) -> None:
    sata = device.VirtualAHCIController(key=-10, busNumber=0)
    backing = device.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="")
    new = [device.VirtualCdrom(key=-1, controllerKey=key, backing=backing) for key in (-10, 201)]
    result(client, vm.Reconfigure(change(add(sata), add(new[0]))))
    result(client, vm.PowerOn())
    ide, own = of_kind(vm, device.VirtualCdrom)
    for changed in (remove(ide), add(new[1]), remove(of_kind(vm, device.VirtualAHCIController)[0])):
        fault = error(client, vm.Reconfigure(change(changed)))
        assert isinstance(fault, vim.fault.InvalidPowerState | vim.fault.InvalidDeviceOperation)
    result(client, vm.Reconfigure(change(remove(own))))
    fault = error(client, vm.Reconfigure(change(remove(of_kind(vm, device.VirtualAHCIController)[0]))))
    assert isinstance(fault, vim.fault.InvalidPowerState)
    result(client, vm.PowerOff())
    result(client, vm.Reconfigure(change(remove(ide), add(new[1]))))


def test_a_device_that_the_simulator_does_not_have_says_so(client: Client, vm: Any) -> None:
    fault = error(client, vm.Reconfigure(change(add(device.VirtualTPM(key=-1)))))
    assert isinstance(fault, vmodl.fault.NotImplemented)
