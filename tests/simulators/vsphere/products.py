"""The two products: what vCenter Server and ESXi are called, allow, and lack."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from pyVmomi import vim

from simulators.vsphere.sessions import READING, Account

#: What a lone ESXi host does not do. CloneVM, templates, distributed switches and folders need vCenter.
_VCENTER_ONLY = frozenset(
    {
        *("CloneVM_Task", "MarkAsTemplate", "MarkAsVirtualMachine", "InstantClone_Task"),
        *("CreateDVS_Task", "AddDVPortgroup_Task", "CreateDVPortgroup_Task", "ReconfigureDvs_Task"),
        *("CreateFolder", "CreateDatacenter", "CreateClusterEx", "CreateCluster", "CreateStoragePod"),
        *("MoveIntoFolder_Task", "CloneVApp_Task", "RelocateVM_Task", "MigrateVM_Task"),
        "AddStandaloneHost_Task",
    }
)


class Product(Struct, frozen=True, kw_only=True):
    """What a server is."""

    is_vcenter: bool
    name: str
    #: ``AboutInfo.apiType``: ``VirtualCenter`` or ``HostAgent``.
    api_type: str
    product_line: str
    version: str
    api_version: str
    #: Of managed object IDs, by type.
    id_prefixes: Mapping[Any, str]
    #: Of the IDs of tasks: ``{number}`` and ``{method}``.
    task_id_format: str
    accounts: Mapping[str, Account]
    #: Methods that fail with NotSupported.
    unsupported: frozenset[str] = frozenset()
    #: Whether it responds to VI-JSON.
    speaks_json: bool


VCENTER = Product(
    is_vcenter=True,
    name="VMware vCenter Server",
    api_type="VirtualCenter",
    product_line="vpx",
    version="8.0.3",
    api_version="8.0.3.0",
    speaks_json=True,
    id_prefixes={
        vim.VirtualMachine: "vm-",
        vim.HostSystem: "host-",
        vim.ComputeResource: "domain-s",
        vim.ClusterComputeResource: "domain-c",
        vim.ResourcePool: "resgroup-",
        vim.VirtualApp: "resgroup-v",
        vim.Datacenter: "datacenter-",
        vim.Folder: "group-",
        vim.Datastore: "datastore-",
        vim.Network: "network-",
        vim.dvs.DistributedVirtualPortgroup: "dvportgroup-",
        vim.DistributedVirtualSwitch: "dvs-",
        vim.vm.Snapshot: "snapshot-",
    },
    task_id_format="task-{number}",
    accounts={
        "administrator@vsphere.local": Account("secret"),
        "reader@vsphere.local": Account("secret", READING),
    },
)
ESXI = Product(
    is_vcenter=False,
    name="VMware ESXi",
    api_type="HostAgent",
    product_line="embeddedEsx",
    version="8.0.3",
    api_version="8.0.3.0",
    speaks_json=False,
    id_prefixes={
        vim.ResourcePool: "pool",
        vim.Datastore: "datastore-",
        vim.vm.Snapshot: "snapshot-",
    },
    task_id_format="haTask-ha-host-{method}-{number}",
    accounts={"root": Account("secret"), "reader": Account("secret", READING)},
    unsupported=_VCENTER_ONLY,
)
