"""VMs: what a simulator begins with, and what creating one begins with."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyVmomi import vim

from simulators.vsphere.data import make
from simulators.vsphere.database import Database, Later, Object
from simulators.vsphere.files import File
from simulators.vsphere.inventory import devices
from simulators.vsphere.inventory.entities import add_entity

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

GIB = 1024**3
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_GUEST_ID, _GUEST_NAME = "debian12_64Guest", "Debian GNU/Linux 12 (64-bit)"
State = vim.VirtualMachine.PowerState


@dataclass
class Guest:
    """What a VM is made of."""

    name: str
    datastore: Object
    networks: Sequence[Object]
    host: Object
    #: None for a template.
    pool: Object | None
    disk_bytes: Sequence[int] = (8 * GIB, 2 * GIB)
    is_template: bool = False
    annotation: str = ""
    #: The MAC addresses of the cards, one for each network at least.
    macs: Sequence[str] = ()
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    instance_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def path(self, suffix: str) -> str:
        """Return the path of one of its files in the datastore."""
        return f"{self.name}/{self.name}{suffix}"

    @property
    def configuration_file(self) -> str:
        """The path of its configuration, with the datastore's name."""
        suffix = ".vmtx" if self.is_template else ".vmx"
        return f"[{self.datastore['name']}] {self.path(suffix)}"

    @property
    def disk_names(self) -> list[str]:
        """The paths of its disks, with the datastore's name."""
        units = range(len(self.disk_bytes))
        return [f"[{self.datastore['name']}] {self.disk_path(unit)}" for unit in units]

    def disk_path(self, unit: int) -> str:
        """Return the path of a disk in the datastore."""
        return self.path(".vmdk" if unit == 0 else f"_{unit}.vmdk")


class UnreadConfig(Later):
    """The configuration of a VM that the simulator began with, which nobody has read or changed yet."""

    __slots__ = ("guest",)

    def __init__(self, guest: Guest) -> None:
        super().__init__(
            lambda: configuration(guest),
            name=guest.name,
            uuid=guest.uuid,
            instanceUuid=guest.instance_uuid,
            template=guest.is_template,
            **{"files.vmPathName": guest.configuration_file},
        )
        self.guest = guest


def add_guest(simulator: "Simulator", guest: Guest, folder: Object | None, moid: str | None = None) -> Object:
    """Make a VM that is off, and its files. Its configuration is made when somebody reads it.

    :param folder: None if it is in a vApp
    """
    _add_files(simulator, guest)
    return add_vm(simulator.database, guest, folder, UnreadConfig(guest), moid)


def add_vm(
    database: Database, guest: Guest, folder: Object | None, config: Any, moid: str | None = None
) -> Object:
    """Make a VM that is off, without files.

    :param config: a `vim.vm.ConfigInfo`, or what makes it later
    """
    return add_entity(
        database,
        vim.VirtualMachine,
        guest.name,
        folder,
        moid,
        config=config,
        runtime=Later(lambda: _runtime(guest), host=guest.host.ref, powerState=State.poweredOff),
        guest=Later(off_guest, ipAddress=None, hostName=None),
        capability=Later(_capability),
        guestHeartbeatStatus=vim.ManagedEntity.Status.gray,
        resourcePool=None if guest.pool is None else guest.pool.ref,
        parentVApp=_vapp(guest.pool),
        datastore=[guest.datastore.ref],
        network=[network.ref for network in guest.networks],
    )


def off_guest() -> vim.vm.GuestInfo:
    """Return what is known of the guest of a VM that is off."""
    return make(
        vim.vm.GuestInfo,
        toolsStatus=vim.vm.GuestInfo.ToolsStatus.toolsNotRunning,
        toolsVersionStatus="guestToolsUnmanaged",
        toolsVersionStatus2="guestToolsUnmanaged",
        toolsRunningStatus="guestToolsNotRunning",
        guestState="notRunning",
    )


def configuration(guest: Guest) -> vim.vm.ConfigInfo:
    """Return the configuration of a VM that the simulator begins with."""
    store = guest.datastore["name"]
    return make(
        vim.vm.ConfigInfo,
        changeVersion=_BEGAN.isoformat(),
        modified=_BEGAN,
        name=guest.name,
        guestFullName=_GUEST_NAME,
        version="vmx-21",
        uuid=guest.uuid,
        instanceUuid=guest.instance_uuid,
        template=guest.is_template,
        guestId=_GUEST_ID,
        alternateGuestName="",
        annotation=guest.annotation,
        files=make(
            vim.vm.FileInfo,
            vmPathName=guest.configuration_file,
            snapshotDirectory=f"[{store}] {guest.name}/",
            suspendDirectory=f"[{store}] {guest.name}/",
            logDirectory=f"[{store}] {guest.name}/",
        ),
        tools=make(vim.vm.ToolsConfigInfo, toolsVersion=12_352, toolsUpgradePolicy="manual"),
        flags=make(vim.vm.FlagInfo, diskUuidEnabled=False),
        defaultPowerOps=make(
            vim.vm.DefaultPowerOpInfo, powerOffType="soft", suspendType="hard", resetType="soft"
        ),
        hardware=_hardware(guest),
        memoryHotAddEnabled=False,
        cpuHotAddEnabled=False,
        cpuHotRemoveEnabled=False,
        firmware="bios",
        bootOptions=make(vim.vm.BootOptions, bootDelay=0),
        extraConfig=[make(vim.option.OptionValue, key="svga.present", value="TRUE")],
    )


def _hardware(guest: Guest) -> vim.vm.VirtualHardware:
    scsi = devices.scsi_controller()
    disks = [
        devices.disk(
            unit,
            size,
            f"[{guest.datastore['name']}] {guest.disk_path(unit)}",
            guest.datastore,
            str(uuid.uuid5(uuid.NAMESPACE_URL, f"{guest.instance_uuid}/{unit}")),
        )
        for unit, size in enumerate(guest.disk_bytes)
    ]
    scsi.device = [disk.key for disk in disks]
    cards = [
        devices.network_card(index, found, guest.macs[index]) for index, found in enumerate(guest.networks)
    ]
    made = [*devices.fixed_devices(), scsi, devices.cd_drive(), *disks, *cards]
    made[0].device = [devices.CD_KEY]
    return make(
        vim.vm.VirtualHardware,
        numCPU=2,
        numCoresPerSocket=1,
        memoryMB=1_024,
        virtualICH7MPresent=False,
        virtualSMCPresent=False,
        device=made,
    )


def _runtime(guest: Guest) -> vim.vm.RuntimeInfo:
    return make(
        vim.vm.RuntimeInfo,
        host=guest.host.ref,
        connectionState=vim.VirtualMachine.ConnectionState.connected,
        powerState=State.poweredOff,
        faultToleranceState=vim.VirtualMachine.FaultToleranceState.notConfigured,
        recordReplayState=vim.VirtualMachine.RecordReplayState.inactive,
        maxCpuUsage=4_800,
        maxMemoryUsage=1_024,
    )


def _capability() -> vim.vm.Capability:
    return make(
        vim.vm.Capability,
        snapshotOperationsSupported=True,
        multipleSnapshotsSupported=True,
        poweredOffSnapshotsSupported=True,
        memorySnapshotsSupported=True,
        revertToSnapshotSupported=True,
        bootOptionsSupported=True,
    )


def _vapp(pool: Object | None) -> Any:
    is_vapp = pool is not None and issubclass(pool.kind, vim.VirtualApp)
    return pool.ref if is_vapp and pool is not None else None


def _add_files(simulator: "Simulator", guest: Guest) -> None:
    files, store = simulator.files, guest.datastore.id
    files.add(store, guest.path(".vmtx" if guest.is_template else ".vmx"), File("vmx", 3_072))
    files.add(store, guest.path(".nvram"), File("other", 8_684))
    for unit, size in enumerate(guest.disk_bytes):
        disk = File("disk", size_bytes=size // 8, capacity_bytes=size, is_thin=True)
        files.add(store, guest.disk_path(unit), disk)
