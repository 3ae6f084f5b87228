"""Networks on VLANs, on both kinds of switches."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import (
    Conflict,
    EntityNotFound,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    NetworkCreate,
    OperationNotSupported,
    SimplestackError,
)
from simplestack_vmware.errors import translate
from simplestack_vmware.hooks.networks import network_info, network_list, network_vlan_create
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.inventory.names import decoded
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from simulators.vsphere.faults import Rule
from simulators.vsphere.inventory.entities import add_datacenter
from simulators.vsphere.inventory.networks import add_network, add_port_group
from support.vsphere import Host

from .conftest import Connect
from .interference import before_call


def wanted(name: str = "a/b%2fc", vlan: int = 42, below: str = "VM Network", **more: Any) -> NetworkCreate:
    return NetworkCreate(name=name, vlan=vlan, from_network=below, **more)


def port_groups(host: Host) -> list[tuple[str, str, int, str]]:
    """Return all standard port groups, with their hosts, VLANs and switches."""
    return sorted(
        (each["name"], decoded(group.spec.name), group.spec.vlanId, group.spec.vswitchName)
        for each in host.all(vim.HostSystem)
        for group in each["config.network"].portgroup
    )


def test_a_vlan_of_a_standard_switch_is_on_each_host(
    host: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(host)
    before = port_groups(host)
    made = network_vlan_create(session, wanted(description="for customers"))
    assert made.name_label == "a/b%2fc"
    assert made in network_list(session)
    assert network_info(session, "a/b%2fc") == made
    hosts = [each["name"] for each in host.all(vim.HostSystem)]
    new = [(name, "a/b%2fc", 42, "vSwitch0") for name in hosts]
    assert port_groups(host) == sorted(before + new)
    assert "no description" in caplog.text


def test_a_vlan_of_a_distributed_switch_is_a_port_group_of_it(vcenter: Host, session: VmwareSession) -> None:
    before = port_groups(vcenter)
    made = network_vlan_create(session, wanted(below="production", description="for customers"))
    below = network_info(session, "production")
    assert made.name_label == "a/b%2fc"
    assert made.name_description == "for customers"
    assert made.other_config == {"switch": below.other_config["switch"], "vlan": "42"}
    assert port_groups(vcenter) == before


def test_a_name_or_a_vlan_that_is_taken_is_409_and_nothing_is_made(
    vcenter: Host, session: VmwareSession
) -> None:
    network_vlan_create(session, wanted("standard", 42))
    before, networks = port_groups(vcenter), network_list(session)
    for network in (
        wanted("standard", 43),
        wanted("production", 43),
        wanted("other", 42),
        wanted("VM Network", 43, "production"),
        wanted("other", 100, "production"),
    ):
        with pytest.raises(Conflict):
            network_vlan_create(session, network)
    with pytest.raises(EntityNotFound, match="Network"):
        network_vlan_create(session, wanted(below="none"))
    with pytest.raises(OperationNotSupported, match="other_config"):
        network_vlan_create(session, wanted(other_config={"x": "y"}))
    assert port_groups(vcenter) == before
    assert network_list(session) == networks


@pytest.mark.parametrize("fault", ["HostConfigFault", "HostNotConnected", "NoPermission", None])
def test_when_a_host_fails_no_host_keeps_the_port_group(
    vcenter: Host, session: VmwareSession, fault: str | None
) -> None:
    before, networks = port_groups(vcenter), network_list(session)
    effect: Any = {"effect": "drop before"} if fault is None else {"fault": fault}
    vcenter.simulator.faults.add(Rule(method="AddPortGroup", after=2, **effect))
    with pytest.raises((Fault, SimplestackError)) as raised:
        network_vlan_create(session, wanted())
    assert "port group" not in raised.value.message  # type: ignore[attr-defined]  # both kinds have it
    assert port_groups(vcenter) == before
    assert network_list(session) == networks


def made_meanwhile(vcenter: Host, host: Object) -> list[tuple[str, str, int, str]]:
    """Let somebody make the same port group on a host, and return all port groups then."""
    with vcenter.simulator.database.lock:
        add_port_group(host, "a%2fb%252fc", 42)
    return port_groups(vcenter)


@pytest.mark.parametrize("is_by_others", [True, False])
def test_a_port_group_that_may_be_somebody_elses_is_not_removed_but_named(
    vcenter: Host, session: VmwareSession, is_by_others: bool
) -> None:
    """The connection breaks before the response. Then there is a port group: whose is it?"""
    before = port_groups(vcenter)
    third = vcenter.find(vim.HostSystem, "esx-21.example")
    if is_by_others:
        before_call(vcenter, "AddPortGroup", lambda: made_meanwhile(vcenter, third), after=2)
    vcenter.simulator.faults.add(Rule(method="AddPortGroup", after=2, effect="drop after"))
    with pytest.raises(HypervisorError) as raised:
        network_vlan_create(session, wanted())
    named = "host 'esx-21.example' has port group 'a/b%2fc', made by this request or by somebody else"
    assert named in raised.value.message
    assert raised.value.details["code"] == "UNKNOWN_OUTCOME"
    assert port_groups(vcenter) == sorted([*before, ("esx-21.example", "a/b%2fc", 42, "vSwitch0")])


def test_a_host_that_does_not_respond_may_still_make_the_port_group(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter, call_timeout_seconds=0.5)
    before = port_groups(vcenter)
    vcenter.simulator.faults.add(Rule(method="AddPortGroup", after=1, effect="hang"))
    with pytest.raises(HypervisorTimeout) as raised:
        network_vlan_create(session, wanted())
    assert "host 'esx-12.example' may still get port group 'a/b%2fc'" in raised.value.message
    assert port_groups(vcenter) == before


def test_a_port_group_that_somebody_made_meanwhile_is_not_removed(
    vcenter: Host, session: VmwareSession
) -> None:
    """A host says that it has the name already: it is not this operation's."""
    second, after = vcenter.find(vim.HostSystem, "esx-12.example"), []
    before_call(vcenter, "AddPortGroup", lambda: after.append(made_meanwhile(vcenter, second)), after=1)
    with pytest.raises(Fault, match="AlreadyExists"):
        network_vlan_create(session, wanted())
    first = ("esx-11.example", "a/b%2fc", 42, "vSwitch0")
    assert port_groups(vcenter) == [each for each in after[0] if each != first]


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_port_group_that_others_have_changed_or_use_meanwhile_stays(
    vcenter: Host, session: VmwareSession, is_replaced: bool
) -> None:
    first = vcenter.find(vim.HostSystem, "esx-11.example")

    def interfere() -> None:
        with vcenter.simulator.database.lock:
            group = next(each for each in first["config.network"].portgroup if each.spec.vlanId == 42)
            group.spec.vlanId = 43
            first.touch()

    if is_replaced:
        before_call(vcenter, "AddPortGroup", interfere, after=1)
    else:
        vcenter.simulator.faults.add(Rule(method="RemovePortGroup", fault="ResourceInUse"))
    vcenter.simulator.faults.add(Rule(method="AddPortGroup", after=1, fault="HostConfigFault"))
    with pytest.raises(Fault, match="HostConfigFault") as raised:
        network_vlan_create(session, wanted())
    told = translate(raised.value)
    assert told is not None
    assert "port group 'a/b%2fc' stays on host 'esx-11.example': " in told.message
    made = [each for each in port_groups(vcenter) if each[1] == "a/b%2fc"]
    assert made == [("esx-11.example", "a/b%2fc", 43 if is_replaced else 42, "vSwitch0")]


def test_what_cannot_be_removed_since_the_session_has_ended_is_named(
    vcenter: Host, session: VmwareSession
) -> None:
    network_list(session)
    vcenter.simulator.faults.add(Rule(method="AddPortGroup", after=1, effect="end sessions"))
    with pytest.raises(HypervisorUnavailable) as raised:
        network_vlan_create(session, wanted())
    assert "port group 'a/b%2fc' stays on host 'esx-11.example'" in raised.value.message


@pytest.mark.parametrize("state", ["disconnected", "notResponding"])
def test_a_host_that_is_not_connected_is_409_before_anything_is_made(
    vcenter: Host, session: VmwareSession, state: str
) -> None:
    with vcenter.simulator.database.lock:
        vcenter.all(vim.HostSystem)[-1]["runtime.connectionState"] = getattr(
            vim.HostSystem.ConnectionState, state
        )
    with pytest.raises(Conflict, match="not connected"):
        network_vlan_create(session, wanted())
    assert vcenter.calls()["AddPortGroup"] == 0


def test_a_host_in_maintenance_mode_gets_it_too(vcenter: Host, session: VmwareSession) -> None:
    with vcenter.simulator.database.lock:
        vcenter.all(vim.HostSystem)[0]["runtime.inMaintenanceMode"] = True
    network_vlan_create(session, wanted())
    assert len([each for each in port_groups(vcenter) if each[1] == "a/b%2fc"]) == 4


def test_a_network_of_the_same_name_elsewhere_does_not_hide_a_new_one(
    vcenter: Host, session: VmwareSession
) -> None:
    """In another datacenter, somebody makes a network with the name at the same time."""

    def interfere() -> None:
        with vcenter.simulator.database.lock:
            root = vcenter.simulator.database.get(vim.Folder("group-d1"))
            center = add_datacenter(vcenter.simulator.database, "DC1", root)
            folder = vcenter.simulator.database.get(center["networkFolder"])
            add_network(vcenter.simulator.database, "a%2fb%252fc", folder, [])

    before_call(vcenter, "AddDVPortgroup_Task", interfere)
    made = network_vlan_create(session, wanted(below="production"))
    assert made.other_config["vlan"] == "42"


def test_only_the_hosts_of_the_cluster_in_the_settings_get_it(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter, cluster="cluster-2")
    network_vlan_create(session, wanted())
    made = [host for host, name, *_ in port_groups(vcenter) if name == "a/b%2fc"]
    assert made == ["esx-21.example", "esx-22.example"]


def test_a_vlan_takes_few_calls(vcenter: Host, session: VmwareSession) -> None:
    vcenter.calls()
    network_vlan_create(session, wanted())
    assert vcenter.calls() == {
        "RetrievePropertiesEx": 3,
        "AddPortGroup": 4,
        "CreatePropertyCollector": 1,
        "CreateFilter": 1,
        "WaitForUpdatesEx": 1,
    }
