"""Guests: lists of any length, IDs of all kinds, and VMs that are not as they should be."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound, Guest, GuestState
from simplestack_vmware.hooks.guests import guest_info, guest_list
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.tags import tag_create
from simplestack_vmware.vsphere.inventory.records import VmIdentity, VmSummary
from simplestack_vmware.vsphere.inventory.walks import TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.tls import Trust
from simulators.vsphere import soap
from simulators.vsphere.products import Product
from simulators.vsphere.tree import Node
from support.vsphere import Host, running_host

from .conftest import Connect

ALL = frozenset(Guest.__struct_fields__)
READ = "RetrievePropertiesEx"


def test_all_guests_are_listed_also_in_vapps_and_folders_but_no_templates(
    either: Host, log_in: Connect
) -> None:
    guests = {guest.name: guest for guest in guest_list(log_in(either), ALL)}
    assert guests.keys() == {"vm-0", "vm-1", "vm-2", "shop-db"}
    guest = guests["vm-1"]
    assert guest.id == either.vm("vm-1")["config.instanceUuid"]
    assert (guest.cpus, guest.memory, guest.hdd, guest.state) == (2, 1024, 10, GuestState.STOPPED)
    assert (guest.paravirtualized, guest.tools_up_to_date) == (True, True)
    assert (guest.ip, guest.host) == (None, None)


def test_a_running_guest_shows_its_host(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    vm = either.vm("vm-1")
    with either.simulator.database.lock:
        vm["runtime.powerState"] = vim.VirtualMachine.PowerState.poweredOn
        vm["guest.ipAddress"] = "192.0.2.7"
        vm["guest.toolsVersionStatus2"] = "guestToolsNeedUpgrade"
    shown = guest_info(session, vm["config.instanceUuid"])
    assert (shown.state, shown.host, shown.ip) == (GuestState.STARTED, "esx-12.example", "192.0.2.7")
    assert shown.tools_up_to_date is False
    assert shown in guest_list(session, ALL)


@pytest.mark.parametrize("vms", [10, 1_000, 2_500])
def test_a_list_takes_one_call_and_one_for_each_further_page(
    trust: Trust,
    log_in: Connect,
    wire: Product,
    vms: int,
    record_property: Callable[[str, object], None],
) -> None:
    with running_host(trust, wire, vms=vms) as host:
        session = log_in(host)
        for fields in (ALL, frozenset({"id", "name"})):
            host.calls()
            assert len(guest_list(session, fields)) == vms + 1
            made = host.calls()
            record_property("calls", sum(made.values()))
            objects = vms + 2 + (4 if "host" in fields else 0)
            pages = -(-objects // 1000)
            assert made.total() == pages, made
            assert session.reader._speaks_json == wire.speaks_json


def test_only_what_is_asked_for_is_read(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter)
    session.reader._speaks_json = False
    vcenter.simulator.journal = []
    for fields, has_devices, has_hosts in (
        (frozenset({"id", "name", "state"}), False, False),
        (frozenset({"hdd"}), True, False),
        (frozenset({"host"}), False, True),
    ):
        vcenter.simulator.journal.clear()
        guest_list(session, fields)
        ((_, request),) = vcenter.simulator.journal
        assert isinstance(request, soap.Request)
        asked = {text for element in request.elements for text in _texts(element)}
        assert ("config.hardware.device" in asked) == has_devices
        assert ("HostSystem" in asked) == has_hosts


def _texts(node: Node) -> Iterator[str]:
    yield node.text
    for child in node.children:
        yield from _texts(child)


def test_a_known_guest_takes_one_call_and_a_new_one_two(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    vm = either.vm()
    for id_, expected in (
        (vm["config.instanceUuid"], {"FindAllByUuid": 1, READ: 1}),
        (vm["config.instanceUuid"].upper(), {READ: 1}),
        (vm["config.uuid"], {"FindAllByUuid": 2, READ: 1}),
        ("vm-1", {READ: 2}),
    ):
        either.calls()
        assert guest_info(session, id_).name == "vm-1"
        assert either.calls() == expected


def test_a_vm_that_took_the_place_of_a_known_one_is_another_guest(
    vcenter: Host, session: VmwareSession
) -> None:
    """A managed object ID may get another VM, after a restore of vCenter."""
    vm = vcenter.vm()
    known = vm["config.instanceUuid"]
    assert guest_info(session, known).name == "vm-1"
    with vcenter.simulator.database.lock:
        vm["config.instanceUuid"] = str(uuid.uuid4())
    with pytest.raises(EntityNotFound):
        guest_info(session, known)
    assert guest_info(session, vm["config.instanceUuid"]).name == "vm-1"


def test_a_guest_that_is_gone_is_404(vcenter: Host, session: VmwareSession) -> None:
    vm = vcenter.vm()
    guest_info(session, vm["config.instanceUuid"])
    with vcenter.simulator.database.lock:
        vcenter.simulator.database.remove(vm)
    own = [vm["config.instanceUuid"], vm["config.uuid"], "vm-1"]
    for id_ in (*own, "vm-999", str(uuid.uuid4()), "", "../x"):
        with pytest.raises(EntityNotFound, match="Guest:"):
            guest_info(session, id_)


def test_two_guests_of_one_bios_uuid_are_409_with_both_ids(vcenter: Host, session: VmwareSession) -> None:
    first, second = vcenter.vm("vm-1"), vcenter.vm("vm-2")
    with vcenter.simulator.database.lock:
        second["config.uuid"] = first["config.uuid"]
    with pytest.raises(Conflict) as ambiguous:
        guest_start(session, first["config.uuid"])
    for vm in (first, second):
        assert vm["config.instanceUuid"] in ambiguous.value.message
        assert guest_info(session, vm["config.instanceUuid"]).name == vm["name"]
    assert vcenter.calls()["PowerOnVM_Task"] == 0


def test_two_guests_of_one_name_are_409_with_both_ids(vcenter: Host, session: VmwareSession) -> None:
    with vcenter.simulator.database.lock:
        vcenter.vm("vm-2")["name"] = "vm-1"
    twins = [vm for vm in vcenter.all(vim.VirtualMachine) if vm["name"] == "vm-1"]
    with pytest.raises(Conflict) as ambiguous:
        guest_start(session, "vm-1")
    assert all(vm["config.instanceUuid"] in ambiguous.value.message for vm in twins)
    assert len(twins) == 2


def test_two_guests_of_one_instance_uuid_are_409(vcenter: Host, session: VmwareSession) -> None:
    first, second = vcenter.vm("vm-1"), vcenter.vm("vm-2")
    with vcenter.simulator.database.lock:
        second["config.instanceUuid"] = first["config.instanceUuid"]
    with pytest.raises(Conflict) as ambiguous:
        guest_start(session, first["config.instanceUuid"])
    assert first.id in ambiguous.value.message
    assert second.id in ambiguous.value.message


def test_names_are_shown_and_found_as_people_write_them(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    with either.simulator.database.lock:
        either.vm("vm-1")["name"] = "a%2fb%5cc%25d"
        either.vm("vm-2")["name"] = "ü <&> ]]>"
    assert guest_info(session, "a/b\\c%d").name == "a/b\\c%d"
    assert guest_info(session, "ü <&> ]]>").name == "ü <&> ]]>"
    assert {"a/b\\c%d", "ü <&> ]]>"} <= {guest.name for guest in guest_list(session, ALL)}


@pytest.mark.parametrize("state", ["orphaned", "inaccessible"])
def test_a_vm_without_configuration_is_listed_with_nulls_and_cannot_be_changed(
    either: Host, log_in: Connect, state: str
) -> None:
    session = log_in(either)
    vm = either.vm("vm-1")
    with either.simulator.database.lock:
        vm["config"] = None
        vm["runtime.connectionState"] = getattr(vim.VirtualMachine.ConnectionState, state)
    guests = {guest.name: guest for guest in guest_list(session, ALL)}
    lost = guests["vm-1"]
    assert len(guests) == 4
    assert lost.id == vm.id
    assert (lost.cpus, lost.memory, lost.hdd, lost.paravirtualized) == (None, None, None, None)
    assert guest_info(session, lost.id) == lost
    for change in (lambda: guest_start(session, lost.id), lambda: tag_create(session, lost.id, "web")):
        with pytest.raises(Conflict, match="vSphere cannot read its configuration"):
            change()
    assert either.calls()["PowerOnVM_Task"] == 0


def test_a_vm_that_vanishes_between_two_pages_is_left_out(
    trust: Trust, log_in: Connect, wire: Product
) -> None:
    with running_host(trust, wire, vms=1_100) as host:
        session = log_in(host)
        query = Query([session.root], [VmSummary], TO_VMS)
        first = session.reader._first_page(query)
        assert len(first.records) == 1_000
        seen = {record.ref.value for record in first.records}
        last = [vm for vm in host.all(vim.VirtualMachine) if vm.id not in seen]
        with host.simulator.database.lock:
            host.simulator.database.remove(last[0])
        second = session.reader._next_page(query, first.token)
        assert {record.ref.value for record in second.records} == {vm.id for vm in last[1:]}


def test_a_host_that_stops_to_speak_json_is_read_by_soap(vcenter: Host, log_in: Connect) -> None:
    """A proxy that lets only /sdk through, for example. Later reads do not try JSON again."""
    session = log_in(vcenter)
    simulator = vcenter.simulator
    simulator.product = msgspec.structs.replace(simulator.product, speaks_json=False)
    for _ in range(2):
        assert len(guest_list(session, ALL)) == 4
        assert session.reader._speaks_json is False


def test_properties_that_a_user_may_not_read_are_null(vcenter: Host, log_in: Connect) -> None:
    reader = log_in(vcenter, "reader@vsphere.local")
    assert len(guest_list(reader, ALL)) == 4
    with pytest.raises(Exception, match="NoPermission"):
        guest_start(reader, vcenter.vm()["config.instanceUuid"])


def test_a_property_of_a_managed_object_is_never_fetched(vcenter: Host, session: VmwareSession) -> None:
    found: Any = session.reader.read(Query([session.root], [VmIdentity], TO_VMS))[0]
    vcenter.calls()
    with pytest.raises(TypeError, match="read it with a record"):
        _ = session.vm(found).config
    assert vcenter.calls() == {}
