"""Standard and distributed port groups."""

import uuid
from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim

from simulators.vsphere.data import make
from simulators.vsphere.database import Database, Object
from simulators.vsphere.derived import derived
from simulators.vsphere.inventory.entities import add_entity
from simulators.vsphere.names import stored_name

VSWITCH = "vSwitch0"


def add_vswitch(host: Object, name: str = VSWITCH) -> None:
    """Make a standard switch on a host."""
    spec = vim.host.VirtualSwitch.Specification(numPorts=128)
    switch = make(
        vim.host.VirtualSwitch,
        name=name,
        key=f"key-vim.host.VirtualSwitch-{name}",
        numPorts=2_560,
        numPortsAvailable=2_550,
        spec=spec,
        mtu=1_500,
    )
    host["config.network"].vswitch.append(switch)
    host.touch()


def add_port_group(host: Object, name: str, vlan: int = 0, vswitch: str = VSWITCH) -> None:
    """Make a standard port group on a host. The network of this name is `add_network`'s."""
    network = host["config.network"]
    policy = vim.host.NetworkPolicy()
    group = make(
        vim.host.PortGroup,
        key=f"key-vim.host.PortGroup-{name}",
        vswitch=f"key-vim.host.VirtualSwitch-{vswitch}",
        computedPolicy=policy,
        spec=vim.host.PortGroup.Specification(name=name, vlanId=vlan, vswitchName=vswitch, policy=policy),
    )
    network.portgroup.append(group)
    next(found for found in network.vswitch if found.name == vswitch).portgroup.append(group.key)
    host.touch()


def add_network(
    database: Database, name: str, folder: Object, hosts: list[Object], moid: str | None = None
) -> Object:
    """Make the network that the standard port groups of one name on several hosts are."""
    return add_entity(database, vim.Network, name, folder, moid, host=[host.ref for host in hosts])


def add_opaque_network(database: Database, name: str, folder: Object, hosts: list[Object]) -> Object:
    """Make a network that NSX manages. It is not among what a simulator begins with."""
    return add_entity(
        database,
        vim.OpaqueNetwork,
        name,
        folder,
        host=[host.ref for host in hosts],
        capability=vim.OpaqueNetwork.Capability(networkReservationSupported=False),
        summary=make(
            vim.OpaqueNetwork.Summary,
            name=stored_name(name),
            accessible=True,
            opaqueNetworkId=str(uuid.uuid4()),
            opaqueNetworkType="nsx.LogicalSwitch",
        ),
    )


def host_network_id(name: str) -> str:
    """Return the ID that a lone host gives to the network of a port group."""
    return f"HaNetwork-{stored_name(name)}"


def add_switch(database: Database, name: str, folder: Object, hosts: list[Object]) -> Object:
    """Make a distributed switch with an uplink port group."""
    identity = str(uuid.uuid4())
    members = [_member(host) for host in hosts]
    config: Any = make(
        vim.dvs.VmwareDistributedVirtualSwitch.ConfigInfo,
        uuid=identity,
        name=name,
        numPorts=512,
        maxPorts=2**31 - 1,
        uplinkPortPolicy=vim.DistributedVirtualSwitch.NameArrayUplinkPortPolicy(uplinkPortName=["Uplink 1"]),
        defaultPortConfig=_ports(0),
        productInfo=vim.dvs.ProductSpec(name="DVS", vendor="VMware, Inc.", version="8.0.3"),
        host=members,
        configVersion="1",
        contact=vim.DistributedVirtualSwitch.ContactInfo(),
        createTime=datetime.now(UTC),
        maxMtu=1_500,
        networkResourceManagementEnabled=True,
        networkResourceControlVersion="version3",
    )
    made = add_entity(
        database,
        vim.dvs.VmwareDistributedVirtualSwitch,
        name,
        folder,
        uuid=identity,
        config=config,
        capability=make(vim.DistributedVirtualSwitch.Capability),
        summary=make(
            vim.DistributedVirtualSwitch.Summary,
            name=name,
            uuid=identity,
            numPorts=512,
            productInfo=config.productInfo,
        ),
    )
    uplinks = add_distributed_port_group(database, f"{name}-DVUplinks", folder, made, is_uplink=True)
    config.uplinkPortgroup = [uplinks.ref]
    return made


def add_distributed_port_group(
    database: Database, name: str, folder: Object, switch: Object, vlan: int = 0, *, is_uplink: bool = False
) -> Object:
    """Make a distributed port group. An uplink's has the tag that clients recognize it by."""
    moid = database.new_id(vim.dvs.DistributedVirtualPortgroup)
    tags = [vim.Tag(key="SYSTEM/DVS.UPLINKPG")] if is_uplink else []
    config = make(
        vim.dvs.DistributedVirtualPortgroup.ConfigInfo,
        key=moid,
        name=name,
        numPorts=8,
        distributedVirtualSwitch=switch.ref,
        defaultPortConfig=_ports(vlan),
        policy=vim.dvs.DistributedVirtualPortgroup.PortgroupPolicy(),
        type="earlyBinding",
        configVersion="1",
        autoExpand=True,
        uplink=is_uplink,
    )
    hosts = [member.config.host for member in switch["config.host"]]
    return add_entity(
        database,
        vim.dvs.DistributedVirtualPortgroup,
        name,
        folder,
        moid,
        key=moid,
        config=config,
        tag=tags,
        host=hosts,
    )


@derived(vim.Network, "summary", own=True)
def _summary(network: Object) -> vim.Network.Summary:
    return make(vim.Network.Summary, network=network.ref, name=network["name"], accessible=True)


def _ports(vlan: int) -> Any:
    tag = vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec(inherited=False, vlanId=vlan)
    return vim.dvs.VmwareDistributedVirtualSwitch.VmwarePortConfigPolicy(vlan=tag)


def _member(host: Object) -> Any:
    backing = vim.dvs.HostMember.PnicBacking()
    config = make(vim.dvs.HostMember.ConfigInfo, host=host.ref, maxProxySwitchPorts=512, backing=backing)
    return make(vim.dvs.HostMember, config=config, status="up")
