"""What is read of each kind of object. Names of fields are paths of properties; see `schemas`.

Texts of vSphere's enumerations stay texts: later versions have further ones.
"""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct, field

from simplestack import GuestState
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.devices import DISK, PARAVIRTUAL_SCSI, Device, ListedDevice
from simplestack_vmware.vsphere.inventory.ids import to_url
from simplestack_vmware.vsphere.inventory.names import decoded
from simplestack_vmware.vsphere.reading.schemas import Record

STATES = {
    "poweredOn": GuestState.STARTED,
    "poweredOff": GuestState.STOPPED,
    "suspended": GuestState.PAUSED,
}


class Named(Record, frozen=True, kw_only=True):
    """An object with a name."""

    stored_name: str = field(name="name", default="")

    @property
    def id(self) -> str:
        """The object's ID for URLs."""
        return to_url(self.ref.value)

    @property
    def name(self) -> str:
        """The name as people write it; the ID if there is none."""
        return decoded(self.stored_name) or self.ref.value


class VmIdentity(Named, frozen=True, kw_only=True):
    """A VM or a template, as far as lookups need it.

    The configuration of an orphaned or inaccessible VM is missing.
    """

    TYPE: ClassVar[str] = "VirtualMachine"

    instance_uuid: str | None = field(name="config.instanceUuid", default=None)
    bios_uuid: str | None = field(name="config.uuid", default=None)

    @property
    def id(self) -> str:
        """The ID for URLs: the instance UUID, or the managed object ID of a VM without configuration."""
        return self.instance_uuid.lower() if self.instance_uuid else to_url(self.ref.value)


class VmState(VmIdentity, frozen=True, kw_only=True):
    """A VM, as far as operations check it before they begin. The base of what they read."""

    is_template: bool | None = field(name="config.template", default=None)
    power_state: str = field(name="runtime.powerState", default="poweredOff")
    connection_state: str = field(name="runtime.connectionState", default="connected")

    @property
    def state(self) -> GuestState:
        """Power state. Unknown ones count as not running."""
        return STATES.get(self.power_state, GuestState.STOPPED)


class VmSummary(VmState, frozen=True, kw_only=True):
    """A VM, as lists of guests show it."""

    cpus: int | None = field(name="config.hardware.numCPU", default=None)
    memory_mib: int | None = field(name="config.hardware.memoryMB", default=None)
    #: Disks and paravirtual controllers.
    devices: Annotated[list[ListedDevice] | None, Meta(extra={"only": (DISK, PARAVIRTUAL_SCSI)})] = field(
        name="config.hardware.device", default=None
    )
    tools_status: str | None = field(name="guest.toolsVersionStatus2", default=None)
    ip: str | None = field(name="guest.ipAddress", default=None)
    host: Ref | None = field(name="runtime.host", default=None)


class VmHardware(VmState, frozen=True, kw_only=True):
    """A VM with all its devices."""

    devices: list[Device] = field(name="config.hardware.device", default_factory=list)


class VmDevices(VmHardware, frozen=True, kw_only=True):
    """A VM with what changes of its devices depend on."""

    #: Changes with each change of the configuration.
    change_version: str | None = field(name="config.changeVersion", default=None)
    current_snapshot: Ref | None = field(name="snapshot.currentSnapshot", default=None)


class VmNotes(VmState, frozen=True, kw_only=True):
    """A VM with its notes."""

    annotation: str = field(name="config.annotation", default="")
    #: Changes with each change of the configuration.
    change_version: str | None = field(name="config.changeVersion", default=None)


class SnapshotTree(Struct, frozen=True):
    """A snapshot with those that were taken after it."""

    snapshot: Ref
    name: str = ""
    description: str = ""
    create_time: str = field(name="createTime", default="")
    #: The VM's power state then.
    state: str = ""
    children: list["SnapshotTree"] = field(name="childSnapshotList", default_factory=list)


class SnapshotInfo(Struct, frozen=True):
    """The snapshots of a VM."""

    roots: list[SnapshotTree] = field(name="rootSnapshotList", default_factory=list)
    current: Ref | None = field(name="currentSnapshot", default=None)


class VmSnapshots(VmState, frozen=True, kw_only=True):
    """A VM with its snapshots."""

    snapshots: SnapshotInfo | None = field(name="snapshot", default=None)


class HostName(Named, frozen=True, kw_only=True):
    """A host, as guests show it."""

    TYPE: ClassVar[str] = "HostSystem"


class HostRecord(HostName, frozen=True, kw_only=True):
    """A host with its memory."""

    parent: Ref | None = None
    connection_state: str = field(name="runtime.connectionState", default="connected")
    memory_bytes: int = field(name="hardware.memorySize", default=0)
    #: In MiB, with that of the host itself.
    used_memory_mib: int = field(name="summary.quickStats.overallMemoryUsage", default=0)
    hardware_uuid: str | None = field(name="hardware.systemInfo.uuid", default=None)


class ClusterName(Named, frozen=True, kw_only=True):
    """A cluster, or what stands for one above a single host."""

    TYPE: ClassVar[str] = "ComputeResource"


class DatastoreRecord(Named, frozen=True, kw_only=True):
    """A datastore."""

    TYPE: ClassVar[str] = "Datastore"

    kind: str = field(name="summary.type", default="")
    capacity_bytes: int | None = field(name="summary.capacity", default=None)
    free_bytes: int | None = field(name="summary.freeSpace", default=None)
    #: What thin disks may still take.
    uncommitted_bytes: int = field(name="summary.uncommitted", default=0)
    is_accessible: bool = field(name="summary.accessible", default=True)
    #: Whether several hosts can use it.
    is_shared: bool = field(name="summary.multipleHostAccess", default=False)
    maintenance_mode: str = field(name="summary.maintenanceMode", default="normal")


class NetworkRecord(Named, frozen=True, kw_only=True):
    """A network: a standard port group, or one of a type that is not known here."""

    TYPE: ClassVar[str] = "Network"


class OpaqueId(Struct, frozen=True):
    """How the manager of an opaque network calls it."""

    id: str = field(name="opaqueNetworkId", default="")
    kind: str = field(name="opaqueNetworkType", default="")


class OpaqueNetworkRecord(NetworkRecord, frozen=True, kw_only=True):
    """A network that others than vSphere manage, such as a segment of NSX."""

    TYPE: ClassVar[str] = "OpaqueNetwork"

    opaque: OpaqueId = field(name="summary", default=OpaqueId())


class Tag(Struct, frozen=True):
    """A tag that vSphere itself puts on an object."""

    key: str = ""


class VlanConfig(Struct, frozen=True):
    """The VLAN of a distributed port group; another type than a number is a trunk or a private VLAN."""

    type_name: str = field(name="_typeName", default="")
    vlan: int | None = field(name="vlanId", default=None)


class PortConfig(Struct, frozen=True):
    """Settings of the ports of a distributed port group."""

    vlan: VlanConfig | None = None


class PortGroupRecord(NetworkRecord, frozen=True, kw_only=True):
    """A distributed port group."""

    TYPE: ClassVar[str] = "DistributedVirtualPortgroup"

    key: str = ""
    switch: Ref | None = field(name="config.distributedVirtualSwitch", default=None)
    description: str = field(name="config.description", default="")
    port_config: PortConfig = field(name="config.defaultPortConfig", default=PortConfig())
    tags: list[Tag] = field(name="tag", default_factory=list)
    #: Only read of hosts that have it.
    has_uplinks: bool | None = field(name="config.uplink", default=None)

    @property
    def is_uplink(self) -> bool:
        """Whether it has the switch's physical interfaces, and is none for guests."""
        return bool(self.has_uplinks) or any(tag.key == "SYSTEM/DVS.UPLINKPG" for tag in self.tags)


#: All kinds of networks.
NETWORKS: tuple[type[NetworkRecord], ...] = (NetworkRecord, PortGroupRecord, OpaqueNetworkRecord)
