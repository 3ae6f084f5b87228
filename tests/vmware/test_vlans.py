"""Networks on VLANs, on both kinds of switches."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound, NetworkCreate, OperationNotSupported, SimplestackError
from simplestack_vmware.hooks.networks import network_info, network_list, network_vlan_create
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.inventory.names import decoded
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.faults import Rule
from support.vsphere import Host

from .conftest import Connect


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


@pytest.mark.parametrize("effect", ["fault", "drop before", "drop after"])
def test_when_a_host_fails_no_host_keeps_the_port_group(
    vcenter: Host, session: VmwareSession, effect: str
) -> None:
    before, networks = port_groups(vcenter), network_list(session)
    rule: Any = {"fault": "HostConfigFault"} if effect == "fault" else {"effect": effect}
    vcenter.simulator.faults.add(Rule(method="AddPortGroup", after=2, **rule))
    with pytest.raises((Fault, SimplestackError)):
        network_vlan_create(session, wanted())
    assert port_groups(vcenter) == before
    assert network_list(session) == networks


def test_a_port_group_that_somebody_made_meanwhile_is_not_removed(
    vcenter: Host, session: VmwareSession
) -> None:
    """A host says that it has the name already: it is not this operation's."""
    vcenter.simulator.faults.add(
        Rule(method="AddPortGroup", after=1, fault="AlreadyExists", properties={"name": "a/b%2fc"})
    )
    with pytest.raises(Fault, match="AlreadyExists"):
        network_vlan_create(session, wanted())
    assert vcenter.calls()["RemovePortGroup"] == 1


def test_a_host_that_is_not_connected_is_409_before_anything_is_made(
    vcenter: Host, session: VmwareSession
) -> None:
    with vcenter.simulator.database.lock:
        vcenter.all(vim.HostSystem)[-1]["runtime.connectionState"] = (
            vim.HostSystem.ConnectionState.disconnected
        )
    with pytest.raises(Conflict, match="not connected"):
        network_vlan_create(session, wanted())
    assert vcenter.calls()["AddPortGroup"] == 0


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
