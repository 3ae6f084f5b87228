"""Guests that are created from a template or with empty disks, and what a failed creation leaves: nothing."""

import threading
from typing import Any

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import (
    Conflict,
    EntityNotFound,
    Guest,
    HypervisorError,
    InvalidArguments,
    InvalidState,
    NewDisk,
    NewNetworkInterface,
    OperationTimeout,
)
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_info, guest_list
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.hooks.interfaces import network_interface_list
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.tags import tag_create, tag_list
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from simulators.vsphere.faults import Rule
from simulators.vsphere.files import File
from support.vsphere import Host

from .conftest import Connect
from .linked_clones import disk_files

Disk = vim.vm.device.VirtualDisk
Card = vim.vm.device.VirtualEthernetCard
EMPTY = VmwareGuestCreate(name="new", memory=192, disks=[NewDisk(size=1.5), NewDisk(size=1)])
COPY = VmwareGuestCreate(name="new", template="debian-12")
NAMES = frozenset({"id", "name", "state"})


def made_vm(host: Host, guest: Guest) -> Object:
    (found,) = [vm for vm in host.all(vim.VirtualMachine) if vm["config.instanceUuid"] == guest.id]
    return found


def devices(vm: Object, kind: Any) -> list[Any]:
    return [each for each in vm["config.hardware.device"] if isinstance(each, kind)]


def everything(host: Host) -> tuple[dict[str, set[str]], list[str]]:
    """Return all files, and the names of all VMs."""
    return disk_files(host), sorted(vm["name"] for vm in host.all(vim.VirtualMachine))


def interfaces(*names: str) -> list[NewNetworkInterface]:
    return [NewNetworkInterface(network=name) for name in names]


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


# where it goes


def test_the_request_and_the_settings_say_where_a_guest_goes(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter, cluster="cluster-1", resource_pool="production", folder="servers")
    vm = made_vm(vcenter, guest_create(session, replace(EMPTY, storage="local-2")))
    assert vm["resourcePool"] == vcenter.find(vim.ResourcePool, "production").ref
    assert vm["parent"] == vcenter.find(vim.Folder, "servers").ref
    assert vm["runtime.host"] == vcenter.find(vim.HostSystem, "esx-12.example").ref
    assert vm["config.files.vmPathName"].startswith("[local-2] ")
    session = log_in(vcenter, cluster="cluster-1", default_storage="local-4")
    with pytest.raises(Conflict, match="no host can take the guest"):
        guest_create(session, replace(EMPTY, name="b"))
    vm = made_vm(vcenter, guest_create(session, replace(COPY, name="b", cluster="cluster-2")))
    cluster = vcenter.find(vim.ComputeResource, "cluster-2")
    assert vm["resourcePool"] == cluster["resourcePool"]
    assert {disk.backing.fileName.partition(" ")[0] for disk in devices(vm, Disk)} == {"[local-4]"}


def test_a_guest_goes_to_a_host_that_takes_guests(vcenter: Host, session: VmwareSession) -> None:
    hosts = {host["name"]: host for host in vcenter.all(vim.HostSystem)}
    with vcenter.simulator.database.lock:
        for name in ("esx-11.example", "esx-12.example", "esx-21.example"):
            hosts[name]["runtime.inMaintenanceMode"] = True
    for name, wanted in (("a", EMPTY), ("b", COPY)):
        vm = made_vm(vcenter, guest_create(session, replace(wanted, name=name)))
        assert vm["runtime.host"] == hosts["esx-22.example"].ref
    with pytest.raises(Conflict, match="no host can take the guest"):
        guest_create(session, replace(EMPTY, name="c", cluster="cluster-1"))


@pytest.mark.parametrize(
    ("entity", "wrong"),
    [
        ("Network", {"network_interfaces": interfaces("nowhere")}),
        ("Storage", {"disks": [NewDisk(size=1), NewDisk(size=1, storage="nowhere")]}),
        ("Storage", {"storage": "nowhere"}),
        ("ISO", {"iso": "nowhere"}),
        ("ISO", {"iso": "[isos] nowhere.iso"}),
        ("Cluster", {"cluster": "nowhere"}),
        ("ResourcePool", {"resource_pool": "nowhere"}),
        ("Folder", {"folder": "nowhere"}),
        ("Guest", {"template": "nowhere"}),
    ],
)
def test_what_is_unknown_is_said_before_anything_is_created(
    vcenter: Host, session: VmwareSession, entity: str, wrong: dict[str, Any]
) -> None:
    before = everything(vcenter)
    for wanted in (EMPTY, COPY):
        with pytest.raises(EntityNotFound, match=f"{entity}:.*nowhere"):
            guest_create(session, replace(wanted, **wrong))
    assert everything(vcenter) == before
    assert vcenter.calls()["CreateVM_Task"] == vcenter.calls()["CloneVM_Task"] == 0


def test_a_network_by_an_ambiguous_name_is_rejected_and_by_its_id_found(
    vcenter: Host, session: VmwareSession
) -> None:
    group, other = (
        vcenter.find(vim.dvs.DistributedVirtualPortgroup, "production"),
        vcenter.find(vim.Network, "VM Network"),
    )
    with vcenter.simulator.database.lock:
        other["name"] = "production"
    with pytest.raises(Conflict, match="ambiguous"):
        guest_create(session, replace(EMPTY, network_interfaces=interfaces("production")))
    guest = guest_create(session, replace(EMPTY, network_interfaces=interfaces(group.id)))
    (card,) = devices(made_vm(vcenter, guest), Card)
    assert card.backing.port.portgroupKey == group["key"]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (NotImplementedError, {"disks": [NewDisk(size=1, name="data")]}),
        (NotImplementedError, {"template": "debian-12", "paravirtualized": False}),
        (InvalidArguments, {"memory": 190}),
    ],
)
def test_what_vsphere_does_not_have_is_said_before_anything_is_created(
    vcenter: Host, session: VmwareSession, kind: type[Exception], wrong: dict[str, Any]
) -> None:
    with pytest.raises(kind):
        guest_create(session, replace(EMPTY, **wrong))
    calls = vcenter.calls()
    assert calls["CreateVM_Task"] + calls["CloneVM_Task"] == 0


# names


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


# failures


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_guest_that_cannot_be_started_is_removed_with_its_disks(
    vcenter: Host, session: VmwareSession, wanted: VmwareGuestCreate
) -> None:
    before = everything(vcenter)
    for rule in (
        Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"),
        Rule(method="PowerOnVM_Task", effect="drop after"),
    ):
        vcenter.simulator.faults.add(rule)
        with pytest.raises((Fault, HypervisorError)):
            guest_create(session, replace(wanted, start=True))
        assert everything(vcenter) == before


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_guest_whose_creation_is_not_answered_is_removed(
    vcenter: Host, session: VmwareSession, wanted: VmwareGuestCreate
) -> None:
    before = everything(vcenter)
    for method in ("CreateVM_Task", "CloneVM_Task"):
        vcenter.simulator.faults.add(Rule(method=method, effect="drop after"))
    with pytest.raises(HypervisorError):
        guest_create(session, wanted)
    assert everything(vcenter) == before


@pytest.mark.parametrize("wanted", [EMPTY, COPY], ids=["empty", "template"])
def test_a_creation_that_does_not_end_is_cancelled(
    vcenter: Host, log_in: Connect, wanted: VmwareGuestCreate
) -> None:
    session = log_in(vcenter, call_timeout_seconds=1)
    before = everything(vcenter)
    for method in ("CreateVM_Task", "CloneVM_Task"):
        vcenter.simulator.faults.add(Rule(method=method, effect="hold"))
    with pytest.raises(OperationTimeout):
        guest_create(session, wanted)
    assert everything(vcenter) == before


def test_a_creation_that_fails_keeps_nothing(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    before = everything(host)
    with pytest.raises(Fault, match="InvalidDeviceSpec"):
        guest_create(session, replace(EMPTY, disks=[NewDisk(size=1), NewDisk(size=63 * 1024)]))
    assert everything(host) == before


def test_the_folder_of_files_that_has_the_name_already_stays_as_it_is(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    store = max(host.all(vim.Datastore), key=lambda each: len(host.simulator.files.all(each.id)))
    for name in ("new/new.vmdk", "new/new.vmx"):
        host.simulator.files.add(store.id, name, File("other", 5))
    before = everything(host)
    host.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"))
    with pytest.raises(Fault):
        guest_create(session, replace(EMPTY, storage=store["name"], start=True))
    assert everything(host) == before
    guest = guest_create(session, replace(EMPTY, storage=store["name"]))
    assert made_vm(host, guest)["config.files.vmPathName"].startswith(f"[{store['name']}] new_")


def test_a_user_without_the_privilege_creates_nothing(vcenter: Host, log_in: Connect) -> None:
    before = everything(vcenter)
    session = log_in(vcenter, "reader@vsphere.local")
    for wanted in (EMPTY, COPY):
        with pytest.raises(Fault, match="NoPermission"):
            guest_create(session, wanted)
    assert everything(vcenter) == before


def test_a_suspended_guest_is_not_copied(vcenter: Host, session: VmwareSession) -> None:
    with vcenter.simulator.database.lock:
        vcenter.vm()["runtime.powerState"] = vim.VirtualMachine.PowerState.suspended
    with pytest.raises(InvalidState):
        guest_create(session, replace(COPY, template="vm-1"))


@pytest.mark.parametrize(("wanted", "method"), [(EMPTY, "CreateVM_Task"), (COPY, "CloneVM_Task")])
def test_a_creation_takes_few_calls(
    vcenter: Host, session: VmwareSession, wanted: VmwareGuestCreate, method: str
) -> None:
    guest_create(session, replace(wanted, name="first"))
    vcenter.calls()
    guest_create(session, wanted)
    calls = vcenter.calls()
    assert calls.pop(method) == 1
    assert calls.pop("WaitForUpdatesEx") <= 2
    assert calls.pop("CreateFilter") == 1
    reads = calls.pop("RetrievePropertiesEx")
    assert reads == (2 if wanted is EMPTY else 4)
    assert not calls
