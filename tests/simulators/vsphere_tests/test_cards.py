"""Network cards of VMs in the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import add, change, device, edit, new_card, of_kind, remove
from simulators.vsphere_tests.test_creation import place, spec
from simulators.vsphere_tests.waiting import error, result

Card = device.VirtualEthernetCard


def card(vm: Any) -> Any:
    """Return the first network card."""
    return of_kind(vm, Card)[0]


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


def test_a_manual_address_becomes_a_generated_one(client: Client, vm: Any) -> None:
    result(client, vm.Reconfigure(change(add(new_card(mac="00:50:56:00:00:01", kind="manual")))))
    changed = of_kind(vm, Card)[1]
    for _ in range(2):
        changed.macAddress, changed.addressType = "", "assigned"
        result(client, vm.Reconfigure(change(edit(changed))))
        assert of_kind(vm, Card)[1].macAddress.startswith("00:50:56:b")
        assert of_kind(vm, Card)[1].addressType == "assigned"


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


@pytest.mark.parametrize("kind", ["manual", "assigned", "generated"])
@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_server_generates_addresses_of_its_own_range(client: Client, vm: Any, kind: str) -> None:
    is_vcenter = client.content.about.apiType == "VirtualCenter"
    own, foreign = ("00:50:56:9a:00:01", "00:0c:29:00:00:99")[:: 1 if is_vcenter else -1]
    result(client, vm.Reconfigure(change(*(add(new_card(mac=each, kind=kind)) for each in (own, foreign)))))
    first, second = of_kind(vm, Card)[-2:]
    if kind == "manual":
        expected = "manual"
        assert second.macAddress == foreign
    else:
        expected = "assigned" if is_vcenter else "generated"
        assert second.macAddress.startswith("00:50:56:b" if is_vcenter else "00:0c:29:f")
    assert (first.macAddress, first.addressType, second.addressType) == (own, expected, expected)


def test_an_assigned_address_is_that_of_no_other_card(client: Client, vm: Any) -> None:
    taken = card(client.vm("vm-1")).macAddress
    result(client, vm.Reconfigure(change(add(new_card(mac=taken, kind="assigned")))))
    assert of_kind(vm, Card)[-1].macAddress != taken


def test_the_type_of_an_address_changes(client: Client, vm: Any) -> None:
    changed = card(vm)
    changed.addressType = "manual"
    result(client, vm.Reconfigure(change(edit(changed))))
    assert (card(vm).addressType, card(vm).macAddress) == ("manual", changed.macAddress)
    changed.addressType, changed.macAddress = "assigned", "52:54:00:00:00:01"
    result(client, vm.Reconfigure(change(edit(changed))))
    assert card(vm).addressType == "assigned"
    assert card(vm).macAddress.startswith("00:50:56:b")


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_vm_has_ten_cards(client: Client, vm: Any) -> None:
    folder, pool = place(client)
    path = f"[{vm.datastore[0].name}]"
    full = spec("full", *(add(new_card()) for _ in range(10)), path=path)
    made = result(client, folder.CreateVm(full, pool))
    fault = error(client, made.Reconfigure(change(add(new_card()))))
    assert isinstance(fault, vim.fault.TooManyDevices)
    more = spec("more", *(add(new_card()) for _ in range(11)), path=path)
    assert isinstance(error(client, folder.CreateVm(more, pool)), vim.fault.TooManyDevices)
    result(client, made.PowerOn())
    result(client, made.Reconfigure(change(remove(of_kind(made, Card)[3]))))
    result(client, made.Reconfigure(change(add(new_card()))))
    assert sorted(each.key for each in of_kind(made, Card)) == list(range(4_000, 4_010))


def test_each_card_has_a_port_of_its_own(client: Client, vm: Any) -> None:
    group = client.find(vim.dvs.DistributedVirtualPortgroup, "production")
    port = vim.dvs.PortConnection(
        portgroupKey=group.key, switchUuid=group.config.distributedVirtualSwitch.uuid
    )
    backing = Card.DistributedVirtualPortBackingInfo(port=port)
    cards = [add(device.VirtualVmxnet3(key=-1, backing=backing)) for _ in range(2)]
    result(client, vm.Reconfigure(change(*cards)))
    keys = [each.backing.port.portKey for each in of_kind(vm, Card)[1:]]
    assert len(set(keys)) == 2
    assert card(client.vm("shop-db")).backing.port.portKey not in keys
