"""Create networks on VLANs: a port group on each host, or one of a distributed switch."""

import contextlib
from collections.abc import Iterable

from simplestack import Conflict, HypervisorError, InvalidArguments, NetworkCreate
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.names import encoded
from simplestack_vmware.vsphere.inventory.records import ClusterName, NetworkRecord, PortGroupRecord
from simplestack_vmware.vsphere.networks.host_port_groups import (
    GroupSpec,
    HostNetworks,
    NewPortGroups,
    Wanted,
)
from simplestack_vmware.vsphere.reading.queries import Query, Walk
from simplestack_vmware.vsphere.sessions.lookups import all_networks, only
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks.watching import Gone

_TO_ITS_HOSTS = (Walk("Network", "host", ("HostSystem",)), Walk("HostSystem", "parent"))
#: How long vCenter may take to learn of a host's new port group.
_SHOWN_SECONDS = 10.0


def create_vlan(session: VmwareSession, network: NetworkCreate) -> NetworkRecord:
    """Create a network on a VLAN of the switch that `from_network` is on, and return it.

    :raises EntityNotFound: ``Network``
    :raises Conflict: a network has this name, or this VLAN on the switch
    """
    networks = all_networks(session)
    below = only(networks, network.from_network, "Network")
    _require_free(network.name, (each.name for each in networks))
    if isinstance(below, PortGroupRecord):
        return _add_distributed(session, network, below, networks)
    if below.ref.type != "Network":
        raise InvalidArguments(
            f"`from_network`: {below.name!r} is not on a switch of vSphere's own: choose another network"
        )
    return _add_on_hosts(session, network, below)


def _add_distributed(
    session: VmwareSession, network: NetworkCreate, below: PortGroupRecord, networks: list[NetworkRecord]
) -> NetworkRecord:
    for each in networks:
        if isinstance(each, PortGroupRecord) and each.switch == below.switch:
            vlan = each.port_config.vlan
            _require_other_vlan(network, each.name, None if vlan is None else vlan.vlan)
    if below.switch is None:
        raise Conflict(
            f"`from_network`: the user may not read the switch of {below.name!r}: choose another network, or "
            "allow it in vSphere"
        )
    policy = vim.dvs.VmwareDistributedVirtualSwitch.VmwarePortConfigPolicy(
        vlan=vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec(inherited=False, vlanId=network.vlan)
    )
    spec = vim.dvs.DistributedVirtualPortgroup.ConfigSpec(
        name=encoded(network.name),
        description=network.description,
        type="earlyBinding",
        autoExpand=True,
        defaultPortConfig=policy,
    )
    session.tasks.run(session.api.object(below.switch).AddDVPortgroup_Task, [spec])
    for each in all_networks(session):
        # Networks of other datacenters may have the same name by now.
        if isinstance(each, PortGroupRecord) and each.switch == below.switch and each.name == network.name:
            return each
    raise HypervisorError(f"vSphere does not show network {network.name!r}")


def _add_on_hosts(session: VmwareSession, network: NetworkCreate, below: NetworkRecord) -> NetworkRecord:
    hosts = _hosts_of(session, below)
    switches = [_switch_on(host, below, network) for host in hosts]
    with NewPortGroups(session) as made:
        for host, switch in zip(hosts, switches, strict=True):
            made.add(Wanted(host, GroupSpec(encoded(network.name), network.vlan, switch)))
        return _shown(session, hosts[0].ref, network.name)


def _hosts_of(session: VmwareSession, below: NetworkRecord) -> list[HostNetworks]:
    """Return the hosts that have a network: of the cluster that the settings name, else all.

    :raises Conflict: there are none, or one of them is not connected
    """
    records = session.reader.read(Query([below.ref], [HostNetworks, ClusterName], _TO_ITS_HOSTS))
    hosts = [each for each in records if isinstance(each, HostNetworks)]
    if session.settings.cluster is not None:
        clusters = [each for each in records if isinstance(each, ClusterName)]
        cluster = only(clusters, session.settings.cluster, "Cluster")
        hosts = [host for host in hosts if host.parent == cluster.ref]
    for host in hosts:
        if host.connection_state != "connected" or host.network_system is None:
            raise Conflict(f"host {host.name!r} is not connected: connect it, or remove it from the cluster")
    if not hosts:
        raise Conflict(f"`from_network`: no host has {below.name!r}: choose another network")
    return sorted(hosts, key=lambda host: host.name)


def _switch_on(host: HostNetworks, below: NetworkRecord, network: NetworkCreate) -> str:
    """Return the switch of a network on a host.

    :raises Conflict: a port group of the host has the new network's name, or its VLAN on the switch
    """
    _require_free(network.name, (group.name for group in host.groups))
    switch = next((group.switch for group in host.groups if group.name == below.name), None)
    if switch is None:
        raise Conflict(
            f"`from_network`: host {host.name!r} does not have a port group {below.name!r}: choose another "
            "network"
        )
    for group in host.groups:
        if group.switch == switch:
            _require_other_vlan(network, group.name, group.vlan)
    return switch


def _require_free(name: str, taken: Iterable[str]) -> None:
    if name in taken:
        raise Conflict.of_name("network", name)


def _require_other_vlan(network: NetworkCreate, name: str, vlan: int | None) -> None:
    if vlan == network.vlan:
        raise Conflict.of_vlan(network.vlan, name)


def _shown(session: VmwareSession, host: Ref, name: str) -> NetworkRecord:
    """Return the network of new port groups, which vCenter shows when a host has told it.

    :raises HypervisorError: vCenter does not show it in time
    """
    changes = session.tasks.watcher.changes({host: ("network",)}, _SHOWN_SECONDS)
    with contextlib.suppress(Gone), contextlib.closing(changes):  # gone: the host has just been removed
        for _ in changes:
            made = [each for each in all_networks(session) if each.name == name]
            if made:
                return made[0]
    raise HypervisorError(f"vSphere does not show network {name!r}")
