"""Network interfaces that are added, changed and removed."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim

from simplestack import (
    Busy,
    Conflict,
    EntityNotFound,
    InvalidState,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack_vmware import plugin
from simplestack_vmware.hooks.interfaces import (
    network_interface_create,
    network_interface_delete,
    network_interface_info,
    network_interface_list,
    network_interface_update,
)
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.data import copy
from simulators.vsphere.faults import Rule
from simulators.vsphere.inventory import networks
from support.threads import in_threads
from support.vsphere import Host

from .conftest import Connect
from .test_disks import READ, TASK_CALLS, devices, id_of
from .test_guest_update import changed, reconfigurations

Card = vim.vm.device.VirtualEthernetCard
FREE = "00:50:56:00:00:2a"


def create(session: VmwareSession, guest: str, network: str, mac: str | None = None) -> NetworkInterface:
    return network_interface_create(session, guest, NetworkInterfaceCreate(network=network, mac=mac))


def update(session: VmwareSession, guest: str, mac: str, **changes: Any) -> NetworkInterface:
    return network_interface_update(session, guest, mac, NetworkInterfaceUpdate(**changes))


def cards(host: Host, name: str = "vm-1") -> list[Any]:
    return devices(host.vm(name), Card)


def card_with(host: Host, mac: str) -> Any:
    (found,) = [card for card in cards(host) if card.macAddress == mac]
    return found


def add_twin(vcenter: Host, *, enforces_rates: bool = True) -> Any:
    """Add a second switch with a port group of the name that the first one's has."""
    database = vcenter.simulator.database
    with database.lock:
        folder = database.get(vcenter.find(vim.DistributedVirtualSwitch, "dvs-1")["parent"])
        switch = networks.add_switch(database, "dvs-2", folder, vcenter.all(vim.HostSystem))
        switch["config"].networkResourceManagementEnabled = enforces_rates
        twin = networks.add_distributed_port_group(database, "twin", folder, switch, vlan=7)
        for host in vcenter.all(vim.HostSystem):
            host["network"] = [*host["network"], twin.ref]
        twin["name"] = "production"
    return twin, switch


# What it could do to the data of others


def test_two_port_groups_of_one_name_are_409_and_by_id_it_is_the_right_switch(
    vcenter: Host, session: VmwareSession
) -> None:
    guest = id_of(vcenter)
    twin, switch = add_twin(vcenter)
    vcenter.calls()
    first = network_interface_list(session, guest)[0]
    for change in (
        lambda: create(session, guest, "production"),
        lambda: update(session, guest, first.id, network="production", active=False),
    ):
        with pytest.raises(Conflict, match="ambiguous") as ambiguous:
            change()  # type: ignore[no-untyped-call]  # the lambdas have no types
        assert twin.id in ambiguous.value.message
    assert changed(vcenter) == {}
    made = create(session, guest, twin.id)
    port = card_with(vcenter, made.mac).backing.port
    assert (port.switchUuid, port.portgroupKey) == (switch["uuid"], twin.id)
    update(session, guest, first.id, network=twin.id)
    assert card_with(vcenter, first.mac).backing.port.switchUuid == switch["uuid"]


def test_the_interface_of_another_guest_is_not_touched(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    other = network_interface_list(session, id_of(host, "vm-2"))[0]
    host.calls()
    for change in (
        lambda: update(session, guest, other.id, active=False),
        lambda: network_interface_delete(session, guest, other.id),
    ):
        with pytest.raises(EntityNotFound, match="NetworkInterface:"):
            change()
    assert changed(host) == {}


def test_of_two_interfaces_with_one_mac_none_is_touched(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    mac = cards(host)[0].macAddress
    with host.simulator.database.lock:
        twin = copy(cards(host)[0])
        twin.key += 5
        host.vm()["config"].hardware.device.append(twin)
        host.vm().touch()
    host.calls()
    for change in (
        lambda: update(session, guest, mac, active=False),
        lambda: network_interface_delete(session, guest, mac),
    ):
        with pytest.raises(Conflict, match="the same MAC address"):
            change()
    assert changed(host) == {}


def test_a_card_that_took_the_key_of_another_one_is_not_deleted(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    mac = cards(host)[0].macAddress
    host.simulator.faults.add(Rule(method="ReconfigVM_Task", effect="hold"))
    with in_threads(1) as start:
        ended = start(network_interface_delete, session, guest, mac)
        with host.simulator.database.lock:
            host.simulator.database.changes.wait_for(lambda: reconfigurations(host), timeout=20)
            cards(host)[0].macAddress = "02:00:00:00:00:07"
            host.vm()["config"].changeVersion = "of another client"
            host.vm().touch()
        host.simulator.faults.clear()
        with pytest.raises(Busy):
            ended.result()
    assert "02:00:00:00:00:07" in [card.macAddress for card in cards(host)]


def test_interfaces_of_templates_stay(vcenter: Host, session: VmwareSession) -> None:
    template = id_of(vcenter, "debian-12")
    mac = cards(vcenter, "debian-12")[0].macAddress
    vcenter.calls()
    for change in (
        lambda: create(session, template, "VM Network"),
        lambda: update(session, template, mac, active=False),
        lambda: network_interface_delete(session, template, mac),
    ):
        with pytest.raises(InvalidState):
            change()
    assert changed(vcenter) == {}


# What it does


def test_a_new_interface_is_connected_to_its_network(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    names = ["VM Network", "production"] if host.simulator.product.is_vcenter else ["VM Network"]
    for is_running in (False, True):
        if is_running:
            guest_start(session, guest)
        for name in names:
            before = network_interface_list(session, guest)
            made = create(session, guest, name)
            assert (made.network, made.active, made.ratelimit) == (name, True, None)
            assert network_interface_list(session, guest) == [*before, made]
            assert network_interface_info(session, guest, made.id.upper()) == made
            card = card_with(host, made.mac)
            assert {type(card)} == {vim.vm.device.VirtualVmxnet3}
            assert card.connectable.startConnected
            assert card.connectable.connected is is_running


def test_the_eleventh_interface_is_rejected(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    while len(network_interface_list(session, guest)) < 10:
        create(session, guest, "VM Network")
    host.calls()
    with pytest.raises(Conflict, match="10 network interfaces, which is vSphere's limit"):
        create(session, guest, "VM Network")
    assert changed(host) == {}
    network_interface_delete(session, guest, network_interface_list(session, guest)[3].id)
    assert create(session, guest, "VM Network").number == "3"


def test_a_network_that_the_guests_host_does_not_have_is_rejected(
    vcenter: Host, session: VmwareSession
) -> None:
    database = vcenter.simulator.database
    with database.lock:
        folder = database.get(vcenter.find(vim.Network, "VM Network")["parent"])
        far = [host for host in vcenter.all(vim.HostSystem) if host.ref != vcenter.vm()["runtime.host"]]
        networks.add_network(database, "far", folder, far[:1])
    for change in (
        lambda: create(session, id_of(vcenter), "far"),
        lambda: update(session, id_of(vcenter), cards(vcenter)[0].macAddress, network="far"),
    ):
        with pytest.raises(Conflict, match="host does not have network 'far'"):
            change()  # type: ignore[no-untyped-call]  # as above
    for change in (
        lambda: create(session, id_of(vcenter), "nowhere"),
        lambda: create(session, id_of(vcenter), "dvs-1-DVUplinks"),
    ):
        with pytest.raises(EntityNotFound, match="Network:"):
            change()
    assert changed(vcenter) == {}


def test_a_deleted_interface_is_gone_also_while_the_guest_runs(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    guest_start(session, guest)
    for interface in network_interface_list(session, guest):
        network_interface_delete(session, guest, interface.id.upper())
        with pytest.raises(EntityNotFound, match="NetworkInterface:"):
            network_interface_delete(session, guest, interface.id)
    assert cards(host) == []


def test_of_two_interfaces_at_once_each_client_gets_its_own(host: Host, log_in: Connect) -> None:
    session, guest = log_in(host), id_of(host)
    before = len(cards(host))
    failures: list[Exception] = []

    def add() -> str:
        while True:
            try:
                return create(session, guest, "VM Network").mac
            except (Busy, Fault) as error:
                failures.append(error)

    with in_threads(3) as start:
        ended = [start(add) for _ in range(3)]
    assert len({each.result() for each in ended}) == 3
    assert len(cards(host)) == before + 3
    assert all(isinstance(each, Busy) or isinstance(plugin.translate(each), Busy) for each in failures)


def test_changes_take_few_calls(vcenter: Host, session: VmwareSession) -> None:
    guest = id_of(vcenter)
    network_interface_list(session, guest)
    changes: list[tuple[Callable[[], object], int]] = [
        (lambda: create(session, guest, "production"), 2),
        (lambda: create(session, guest, "VM Network", FREE), 4),  # looks at all MAC addresses, twice
        (lambda: update(session, guest, FREE, network="production", ratelimit=5_000_000), 2),
        (lambda: network_interface_delete(session, guest, FREE), 1),
    ]
    for change, reads in changes:
        vcenter.calls()
        change()
        made = vcenter.calls()
        assert (made[READ], made["ReconfigVM_Task"]) == (reads, 1)
        assert made.total() <= reads + 1 + TASK_CALLS, made


def test_it_reads_by_soap_as_by_json(either: Host, log_in: Connect) -> None:
    session, guest = log_in(either), id_of(either)
    made = create(session, guest, "production", FREE)
    assert update(session, guest, made.id, ratelimit=7_000_000, active=False) == NetworkInterface(
        id=FREE, number="2", mac=FREE, network="production", ratelimit=7_000_000, active=False
    )
