"""CD drives and network cards of VMs in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, device, edit, iso, new_card, of_kind, remove
from simulators.vsphere_tests.waiting import error, result, wait_for

DEBIAN, TOOLS = "[isos] debian-12.iso", "[isos] guest-tools.iso"
Card = device.VirtualEthernetCard


def drive(vm: Any) -> Any:
    """Return the first CD drive."""
    return of_kind(vm, device.VirtualCdrom)[0]


def card(vm: Any) -> Any:
    """Return the first network card."""
    return of_kind(vm, Card)[0]


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


def test_a_question_ends_with_its_task(client: Client, locked: Any) -> None:
    task = locked.Reconfigure(change(edit(iso(drive(locked), TOOLS))))
    wait_for(client, locked, "runtime.question", lambda value: value is not None)
    task.Cancel()
    assert isinstance(error(client, task), vmodl.fault.RequestCanceled)
    assert (locked.runtime.question, drive(locked).backing.fileName) == (None, DEBIAN)


def test_a_card_has_a_generated_address_that_no_other_has(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(change(add(new_card()), add(new_card()))))
    cards = of_kind(vm, Card)
    assert [each.key for each in cards] == [4_000, 4_001, 4_002]
    assert len({each.macAddress for each in cards}) == 3
    assert {each.addressType for each in cards} == {"assigned"}
    assert cards[1].macAddress.startswith("00:50:56:b")


@pytest.mark.parametrize("mac", ["01:50:56:00:00:01", "00:50:56:00:00", "00:00:00:00:00:00", "x", ""])
def test_a_manual_address_is_checked(client: Client, vm: Any, mac: str) -> None:
    fault = error(client, vm.Reconfigure(change(add(new_card(mac=mac, kind="manual")))))
    assert (type(fault), fault.deviceIndex) == (vim.fault.InvalidDeviceSpec, 0)


def test_an_address_may_be_taken(client: Client, vm: Any) -> None:
    taken = card(vm).macAddress
    result(client, vm.Reconfigure(change(add(new_card(mac=taken.upper(), kind="manual")))))
    assert [each.macAddress for each in of_kind(vm, Card)] == [taken] * 2


def test_a_card_goes_into_a_network_that_is_there(client: Client, vm: Any) -> None:
    group = client.find(vim.dvs.DistributedVirtualPortgroup, "production")
    uplinks = client.find(vim.dvs.DistributedVirtualPortgroup, "dvs-1-DVUplinks")
    switch = group.config.distributedVirtualSwitch.uuid
    for key, identity, is_there in (
        (group.key, switch, True),
        (group.key, "another", False),
        (uplinks.key, switch, False),
        ("nothing", switch, False),
    ):
        changed = card(vm)
        port = vim.dvs.PortConnection(portgroupKey=key, switchUuid=identity)
        changed.backing = Card.DistributedVirtualPortBackingInfo(port=port)
        task = vm.Reconfigure(change(edit(changed)))
        if is_there:
            result(client, task)
        else:
            assert isinstance(error(client, task), vim.fault.InvalidDeviceBacking)
    assert [each.name for each in vm.network] == ["production"]
    fault = error(client, vm.Reconfigure(change(add(new_card("nothing")))))
    assert isinstance(fault, vim.fault.InvalidDeviceBacking)


def test_a_card_is_disconnected_and_removed_while_the_vm_runs(client: Client, vm: Any) -> None:
    result(client, vm.PowerOn())
    changed = card(vm)
    changed.connectable.connected = False
    result(client, vm.Reconfigure(change(edit(changed))))
    assert (card(vm).connectable.connected, card(vm).connectable.startConnected) == (False, True)
    changed.macAddress, changed.addressType = "00:50:56:00:00:01", "manual"
    assert isinstance(error(client, vm.Reconfigure(change(edit(changed)))), vim.fault.InvalidPowerState)
    result(client, vm.Reconfigure(change(remove(changed))))
    assert (of_kind(vm, Card), list(vm.network)) == ([], [])


def test_the_devices_of_every_vm_cannot_be_removed(client: Client, vm: Any) -> None:
    for kind in (device.VirtualIDEController, device.VirtualPCIController, device.VirtualKeyboard):
        fault = error(client, vm.Reconfigure(change(remove(of_kind(vm, kind)[0]))))
        assert isinstance(fault, vim.fault.InvalidDeviceOperation)
    unknown = remove(device.VirtualVmxnet3(key=4_009))
    assert isinstance(error(client, vm.Reconfigure(change(unknown))), vim.fault.InvalidDeviceSpec)


def test_a_device_that_the_simulator_does_not_have_says_so(client: Client, vm: Any) -> None:
    fault = error(client, vm.Reconfigure(change(add(device.VirtualTPM(key=-1)))))
    assert isinstance(fault, vmodl.fault.NotImplemented)


@pytest.mark.parametrize("mac", ["00:50:56:40:00:00", "00:50:56:ff:ff:ff", "00:0c:29:01:02:03"])
def test_a_vm_with_a_reserved_address_does_not_start(client: Client, vm: Any, mac: str) -> None:
    result(client, vm.Reconfigure(change(add(new_card(mac=mac, kind="manual")))))
    fault = error(client, vm.PowerOn())
    assert isinstance(fault, vim.fault.GenericVmConfigFault)
    assert fault.reason.startswith(mac)
    option = vim.option.OptionValue(key="ethernet1.checkMACAddress", value="FALSE")
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(extraConfig=[option])))
    result(client, vm.PowerOn())


@pytest.mark.parametrize("mac", ["00:50:56:3f:ff:ff", "52:54:00:00:00:01"])
def test_a_vm_with_an_address_of_its_own_starts(client: Client, vm: Any, mac: str) -> None:
    result(client, vm.Reconfigure(change(add(new_card(mac=mac, kind="manual")))))
    result(client, vm.PowerOn())
