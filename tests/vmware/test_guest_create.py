"""Guests that are created from a template or with empty disks."""

import threading

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import (
    Conflict,
    Guest,
    NewDisk,
)
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_info, guest_list
from simplestack_vmware.hooks.guests_create import guest_create
from simplestack_vmware.hooks.interfaces import network_interface_list
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.tags import tag_create, tag_list
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.vsphere import Host

from .conftest import Connect
from .created import COPY, EMPTY, devices, everything, interfaces, made_vm

Disk = vim.vm.device.VirtualDisk
Card = vim.vm.device.VirtualEthernetCard


def test_a_guest_is_created_with_what_was_asked_for(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    wanted = replace(EMPTY, cpus=2, network_interfaces=interfaces("VM Network"), firmware="uefi")
    guest = guest_create(session, wanted)
    assert (guest.name, guest.memory, guest.cpus, guest.hdd) == ("new", 192, 2, 2.5)
    assert (guest.state, guest.host, guest.paravirtualized) == ("STOPPED", None, True)
    assert guest_info(session, guest.id) == guest
    assert guest in guest_list(session, frozenset(Guest.__struct_fields__))
    assert [(disk.size, disk.number) for disk in disk_list(session, guest.id)] == [(1.5, "0:0"), (1, "0:1")]
    assert [each.network for each in network_interface_list(session, guest.id)] == ["VM Network"]
    assert media_info(session, guest.id).name is None
    vm = made_vm(host, guest)
    assert vm["config.firmware"] == "efi"
    assert [type(card) for card in devices(vm, Card)] == [vim.vm.device.VirtualVmxnet3]
    assert all(disk.backing.thinProvisioned for disk in devices(vm, Disk))
    guest_start(session, guest.id)


def test_a_guest_without_paravirtual_devices_has_others(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    wanted = replace(EMPTY, paravirtualized=False, network_interfaces=interfaces("VM Network"))
    guest = guest_create(session, wanted)
    assert guest.paravirtualized is False
    vm = made_vm(host, guest)
    assert [type(card) for card in devices(vm, Card)] == [vim.vm.device.VirtualE1000e]
    assert devices(vm, vim.vm.device.VirtualLsiLogicController)
    assert (vm["config.guestId"], vm["config.firmware"]) == ("otherGuest64", "bios")


def test_a_guest_has_more_disks_than_a_controller_takes(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = guest_create(session, replace(EMPTY, disks=[NewDisk(size=1)] * 32))
    numbers = [disk.number for disk in disk_list(session, guest.id)]
    units = [unit for unit in range(16) if unit != 7]
    assert numbers == [*(f"{bus}:{unit}" for bus in (0, 1) for unit in units), "2:0", "2:1"]


def test_a_guest_starts_if_asked(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest = guest_create(session, replace(EMPTY, start=True))
    assert guest.state == "STARTED"
    assert guest.host is not None


@pytest.mark.parametrize("name", ["a/b", "100%", "a\\b", 'it\'s "quoted" & <odd>', "\u00e9t\u00e9"])
def test_a_guest_is_created_and_found_by_any_name(host: Host, log_in: Connect, name: str) -> None:
    session = log_in(host)
    guest = guest_create(session, replace(EMPTY, name=name))
    assert guest.name == name
    assert guest_info(session, name).id == guest.id
    with pytest.raises(Conflict, match="has the name"):
        guest_create(session, replace(EMPTY, name=name))


def test_a_template_gives_what_the_request_does_not(vcenter: Host, session: VmwareSession) -> None:
    template = vcenter.vm("debian-12")
    tag_create(session, template["config.instanceUuid"], "production")
    guest = guest_create(session, COPY)
    assert (guest.memory, guest.cpus, guest.hdd, guest.state) == (1024, 2, 10, "STOPPED")
    vm = made_vm(vcenter, guest)
    assert vm["config.template"] is False
    assert vm["config.guestId"] == template["config.guestId"]
    assert tag_list(session, guest.id) == ["production"]
    assert [each.network for each in network_interface_list(session, guest.id)] == ["VM Network"]
    files = {disk.backing.fileName for each in (vm, template) for disk in devices(each, Disk)}
    assert len(files) == 4
    guest_start(session, guest.id)


def test_a_request_changes_what_a_template_has(vcenter: Host, session: VmwareSession) -> None:
    wanted = replace(
        COPY,
        memory=2048,
        cpus=4,
        firmware="uefi",
        guest_os="windows2019srv_64Guest",
        disks=[NewDisk(size=3), NewDisk(size=4, storage="isos")],
        network_interfaces=interfaces("production", "VM Network"),
        start=True,
    )
    guest = guest_create(session, wanted)
    assert (guest.memory, guest.cpus, guest.hdd, guest.state) == (2048, 4, 17, "STARTED")
    disks = disk_list(session, guest.id)
    assert [disk.size for disk in disks] == [8, 2, 3, 4]
    assert [(disk.extra_info or "").partition("]")[0] for disk in disks] == ["[shared-1"] * 3 + ["[isos"]
    shown = network_interface_list(session, guest.id)
    assert [each.network for each in shown] == ["production", "VM Network"]
    assert all(each.active for each in shown)
    vm = made_vm(vcenter, guest)
    assert (vm["config.firmware"], vm["config.guestId"]) == ("efi", "windows2019srv_64Guest")


def test_a_running_guest_is_a_template_too(vcenter: Host, session: VmwareSession) -> None:
    guest_start(session, vcenter.vm()["config.instanceUuid"])
    guest = guest_create(session, replace(COPY, template=vcenter.vm()["config.instanceUuid"]))
    assert (guest.state, guest.hdd) == ("STOPPED", 10)


def test_a_name_that_is_taken_in_any_folder_is_rejected(vcenter: Host, session: VmwareSession) -> None:
    before = everything(vcenter)
    for name in ("vm-0", "vm-1", "shop-db", "debian-12"):
        for wanted in (EMPTY, COPY):
            with pytest.raises(Conflict, match=f"has the name '{name}'"):
                guest_create(session, replace(wanted, name=name))
    assert everything(vcenter) == before


def test_two_requests_for_one_name_make_one_guest(host: Host, log_in: Connect) -> None:
    sessions = [log_in(host) for _ in range(4)]
    results: list[object] = []

    def create(session: VmwareSession) -> None:
        try:
            results.append(guest_create(session, EMPTY))
        except (Conflict, Fault) as error:
            results.append(error)

    threads = [threading.Thread(target=create, args=(each,)) for each in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in results if isinstance(each, Guest)]) == 1, results
    assert len([vm for vm in host.all(vim.VirtualMachine) if vm["name"] == "new"]) == 1
