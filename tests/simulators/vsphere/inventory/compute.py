"""Hosts, clusters and resource pools."""

import uuid
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.data import make
from simulators.vsphere.database import Database, Live, Object
from simulators.vsphere.derived import derived
from simulators.vsphere.inventory.entities import add_entity
from simulators.vsphere.schema import Long

_GIB = 1024**3
CORES, MHZ, MEMORY_BYTES = 16, 2_400, 256 * _GIB
#: CPUID leaf 0x80000001, where bit 29 of EDX tells of 64-bit mode: libvirt looks for it.
_EXTENDED, _LONG_MODE = -0x7FFFFFFF, "0010:1100:0001:0000:0000:1000:0000:0000"
_NO_BITS = ":".join(["0000"] * 8)
_GREEN = vim.ManagedEntity.Status.green


def add_cluster(database: Database, name: str, folder: Object) -> Object:
    """Make a cluster and its root resource pool."""
    das = vim.cluster.DasConfigInfo(enabled=False)
    drs = vim.cluster.DrsConfigInfo(enabled=True)
    made = add_entity(
        database,
        vim.ClusterComputeResource,
        name,
        folder,
        configuration=vim.cluster.ConfigInfo(dasConfig=das, drsConfig=drs),
        configurationEx=vim.cluster.ConfigInfoEx(vmSwapPlacement="vmDirectory", dasConfig=das, drsConfig=drs),
    )
    return _with_root_pool(database, made)


def add_standalone(database: Database, name: str, folder: Object, *moids: str) -> Object:
    """Make the compute resource of a lone host, and its root resource pool.

    :param moids: of both, or none
    """
    made = add_entity(
        database,
        vim.ComputeResource,
        name,
        folder,
        *moids[:1],
        configurationEx=vim.ComputeResource.ConfigInfo(vmSwapPlacement="vmDirectory"),
    )
    return _with_root_pool(database, made, *moids[1:])


def add_pool(
    database: Database, name: str, parent: Object, owner: Object, moid: str | None = None, **values: Any
) -> Object:
    """Make a resource pool, or a vApp.

    :param parent: a compute resource, or another resource pool
    :param owner: the compute resource
    """
    kind = vim.VirtualApp if "vAppConfig" in values else vim.ResourcePool
    config = make(vim.ResourceConfigSpec, cpuAllocation=_allocation(), memoryAllocation=_allocation())
    made = add_entity(database, kind, name, parent, moid, owner=owner.ref, config=config, **values)
    config.entity = made.ref
    return made


def add_vapp(database: Database, name: str, parent: Object, owner: Object, folder: Object) -> Object:
    """Make a vApp, which is a resource pool that folders show too."""
    config = make(vim.vApp.VAppConfigInfo, ipAssignment=vim.vApp.IPAssignmentInfo())
    made = add_pool(database, name, parent, owner, vAppConfig=config, parentFolder=folder.ref)
    folder["childEntity"].append(made.ref)
    return made


def add_host(
    database: Database, name: str, compute: Object, product: vim.AboutInfo, moid: str | None = None
) -> Object:
    """Make a host that is connected."""
    runtime = make(
        vim.host.RuntimeInfo,
        connectionState=vim.HostSystem.ConnectionState.connected,
        powerState=vim.HostSystem.PowerState.poweredOn,
    )
    hardware = make(
        vim.host.HardwareInfo,
        systemInfo=make(vim.host.SystemInfo, vendor="Simulated", model="Server", uuid=str(uuid.uuid4())),
        cpuInfo=make(
            vim.host.CpuInfo, numCpuPackages=2, numCpuCores=CORES, numCpuThreads=2 * CORES, hz=MHZ * 10**6
        ),
        memorySize=MEMORY_BYTES,
        cpuFeature=[_cpu_features()],
    )
    made = add_entity(
        database,
        vim.HostSystem,
        name,
        compute,
        moid,
        runtime=runtime,
        hardware=hardware,
        capability=_capability(),
    )
    made["config"] = make(vim.host.ConfigInfo, host=made.ref, product=product, network=vim.host.NetworkInfo())
    system = database.add(
        vim.host.NetworkSystem, f"networkSystem-{made.id}", networkInfo=Live(lambda: made["config.network"])
    )
    browser = database.add(
        vim.host.DatastoreBrowser, f"datastoreBrowser-{made.id}", datastore=Live(lambda: made["datastore"])
    )
    made["datastoreBrowser"] = browser.ref
    made["configManager"] = vim.host.ConfigManager(networkSystem=system.ref)
    return made


@derived(vim.HostSystem, "summary", own=True)
def _host_summary(host: Object) -> vim.host.Summary:
    info, system = host["hardware"], host["hardware.systemInfo"]
    return make(
        vim.host.Summary,
        host=host.ref,
        hardware=make(
            vim.host.Summary.HardwareSummary,
            **{name: getattr(system, name) for name in ("vendor", "model", "uuid")},
            memorySize=info.memorySize,
            cpuModel="Simulated CPU @ 2.40GHz",
            cpuMhz=MHZ,
            numCpuPkgs=info.cpuInfo.numCpuPackages,
            numCpuCores=info.cpuInfo.numCpuCores,
            numCpuThreads=info.cpuInfo.numCpuThreads,
            numNics=2,
            numHBAs=1,
        ),
        runtime=host["runtime"],
        config=make(
            vim.host.Summary.ConfigSummary, name=host["name"], port=443, product=host["config.product"]
        ),
        quickStats=make(
            vim.host.Summary.QuickStats, overallCpuUsage=1_200, overallMemoryUsage=16_384, uptime=86_400
        ),
        overallStatus=_GREEN,
    )


@derived(vim.ComputeResource, "summary")
def _compute_summary(compute: Object) -> vim.ComputeResource.Summary:
    is_cluster = issubclass(compute.kind, vim.ClusterComputeResource)
    kind = vim.ClusterComputeResource.Summary if is_cluster else vim.ComputeResource.Summary
    hosts = [compute.database.get(ref) for ref in compute["host"]]
    ready = [host for host in hosts if not host["runtime.inMaintenanceMode"]]
    return make(
        kind,
        totalCpu=len(hosts) * CORES * MHZ,
        totalMemory=len(hosts) * MEMORY_BYTES,
        numCpuCores=len(hosts) * CORES,
        numCpuThreads=len(hosts) * 2 * CORES,
        effectiveCpu=len(ready) * CORES * MHZ,
        effectiveMemory=len(ready) * MEMORY_BYTES // 1024**2,
        numHosts=len(hosts),
        numEffectiveHosts=len(ready),
        overallStatus=_GREEN,
    )


@derived(vim.ClusterComputeResource, "summaryEx")
def _cluster_summary(cluster: Object) -> vim.ClusterComputeResource.Summary:
    found: vim.ClusterComputeResource.Summary = cluster["summary"]
    return found


@derived(vim.HostSystem, "licensableResource", own=True)
def _licensable(_host: Object) -> vim.LicenseManager.LicensableResourceInfo:
    packages = vmodl.KeyAnyValue(key="numCpuPackages", value=Long(2))
    return vim.LicenseManager.LicensableResourceInfo(resource=[packages])


@derived(vim.ResourcePool, "runtime")
def _pool_runtime(pool: Object) -> vim.ResourcePool.RuntimeInfo:
    hosts = len(pool.database.get(pool["owner"])["host"])
    cpu, memory = hosts * CORES * MHZ, hosts * MEMORY_BYTES
    return make(
        vim.ResourcePool.RuntimeInfo,
        cpu=make(vim.ResourcePool.ResourceUsage, unreservedForPool=cpu, unreservedForVm=cpu, maxUsage=cpu),
        memory=make(
            vim.ResourcePool.ResourceUsage, unreservedForPool=memory, unreservedForVm=memory, maxUsage=memory
        ),
        overallStatus=_GREEN,
    )


@derived(vim.ResourcePool, "summary")
def _pool_summary(pool: Object) -> vim.ResourcePool.Summary:
    is_vapp = issubclass(pool.kind, vim.VirtualApp)
    kind = vim.VirtualApp.Summary if is_vapp else vim.ResourcePool.Summary
    return make(kind, name=pool["name"], config=pool["config"], runtime=pool["runtime"])


def _with_root_pool(database: Database, compute: Object, moid: str | None = None) -> Object:
    browser = database.add(vim.EnvironmentBrowser, f"envbrowser-{compute.id}")
    compute["environmentBrowser"] = browser.ref
    compute["resourcePool"] = add_pool(database, "Resources", compute, compute, moid).ref
    return compute


def _allocation() -> vim.ResourceAllocationInfo:
    shares = vim.SharesInfo(shares=4_000, level=vim.SharesInfo.Level.normal)
    return vim.ResourceAllocationInfo(reservation=0, expandableReservation=True, limit=-1, shares=shares)


def _cpu_features() -> vim.host.CpuIdInfo:
    return vim.host.CpuIdInfo(
        level=_EXTENDED, vendor="intel", eax=_NO_BITS, ebx=_NO_BITS, ecx=_NO_BITS, edx=_LONG_MODE
    )


def _capability() -> vim.host.Capability:
    return make(
        vim.host.Capability, maintenanceModeSupported=True, nfsSupported=True, vlanTaggingSupported=True
    )
