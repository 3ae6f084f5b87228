"""What is read of a guest's virtual hardware. Types and names in quotes are vSphere's."""

from msgspec import Struct, field

from simplestack_vmware.vsphere.connection.refs import Ref

DISK = "VirtualDisk"
CD_DRIVE = "VirtualCdrom"
ISO_BACKING = "VirtualCdromIsoBackingInfo"
PARAVIRTUAL_SCSI = "ParaVirtualSCSIController"
#: Key of the first network interface; the others follow.
FIRST_INTERFACE_KEY = 4000


class Port(Struct, frozen=True):
    """A port of a distributed switch."""

    portgroup_key: str = field(name="portgroupKey", default="")
    switch_uuid: str = field(name="switchUuid", default="")


class Backing(Struct, frozen=True):
    """What is behind a device: a file, a device of the host, a network."""

    type_name: str = field(name="_typeName", default="")
    file_name: str | None = field(name="fileName", default=None)
    device_name: str | None = field(name="deviceName", default=None)
    network: Ref | None = None
    port: Port | None = None
    #: Of a network that others than vSphere manage.
    opaque_id: str | None = field(name="opaqueNetworkId", default=None)
    opaque_kind: str | None = field(name="opaqueNetworkType", default=None)
    datastore: Ref | None = None
    #: On storages of objects, such as vSAN: the same for all paths of a file.
    object_id: str | None = field(name="backingObjectId", default=None)
    #: Of disks: how they are written to.
    disk_mode: str = field(name="diskMode", default="persistent")
    #: Of disks.
    is_thin: bool = field(name="thinProvisioned", default=False)
    #: Of disks: whether other VMs may write to them.
    sharing: str | None = None
    #: Of disks: what they are based on, such as a snapshot or the original of a linked clone.
    parent: "Backing | None" = None


class Connectable(Struct, frozen=True):
    """Whether a device is connected."""

    connected: bool = False
    start_connected: bool = field(name="startConnected", default=False)
    allow_guest_control: bool = field(name="allowGuestControl", default=True)


class Description(Struct, frozen=True):
    """What a device is called."""

    label: str = ""
    summary: str = ""


class Shares(Struct, frozen=True):
    """What a device gets of a resource that is scarce, in proportion to others."""

    shares: int = 50
    level: str = "normal"


class Allocation(Struct, frozen=True):
    """The bandwidth of a network interface."""

    #: In Mbit/s; -1 or None is unlimited.
    limit: int | None = None
    #: In Mbit/s.
    reservation: int | None = None
    share: Shares = Shares()


class ListedDevice(Struct, frozen=True, gc=False):
    """A device in a list of guests."""

    type_name: str = field(name="_typeName", default="")
    capacity_bytes: int | None = field(name="capacityInBytes", default=None)
    #: Hosts older than 5.5 have this alone.
    capacity_kib: int | None = field(name="capacityInKB", default=None)

    @property
    def size_bytes(self) -> int | None:
        """A disk's size; None if it is unknown: no disk has 0 bytes."""
        if self.capacity_bytes:
            return self.capacity_bytes
        return self.capacity_kib * 1024 if self.capacity_kib else None


class Device(ListedDevice, frozen=True, gc=False):
    """A device of a guest."""

    key: int = 0
    controller_key: int | None = field(name="controllerKey", default=None)
    unit_number: int | None = field(name="unitNumber", default=None)
    #: Of controllers.
    bus_number: int | None = field(name="busNumber", default=None)
    #: Of SCSI controllers: whether other VMs may use their disks.
    shared_bus: str = field(name="sharedBus", default="noSharing")
    description: Description = field(name="deviceInfo", default=Description())
    backing: Backing = Backing()
    connectable: Connectable | None = None
    #: Of network interfaces, whatever their type.
    mac: str | None = field(name="macAddress", default=None)
    #: Of network interfaces: who chose the address: ``manual``; ``generated`` (ESXi), ``assigned`` (vCenter).
    address_type: str | None = field(name="addressType", default=None)
    allocation: Allocation | None = field(name="resourceAllocation", default=None)


def disks(devices: list[Device]) -> list[Device]:
    """Return the disks, in the order of their controllers and units."""
    buses = {device.key: device.bus_number or 0 for device in devices}
    found = [device for device in devices if device.type_name == DISK]
    return sorted(
        found,
        key=lambda disk: (
            disk.controller_key or 0,
            buses.get(disk.controller_key or 0, 0),
            disk.unit_number or 0,
        ),
    )


def interfaces(devices: list[Device]) -> list[Device]:
    """Return the network interfaces, of all types of cards, in device order."""
    return sorted((device for device in devices if device.mac is not None), key=lambda device: device.key)


def cd_drive(devices: list[Device]) -> Device | None:
    """Return the first CD drive, or None if there is none."""
    found = [device for device in devices if device.type_name == CD_DRIVE]
    return min(found, key=lambda device: device.key, default=None)
