"""XAPI's records, with the fields that are used here.

A field that an older XAPI does not have gets its default. Additional fields of a newer XAPI are ignored.
Sizes are in bytes, references are text that is good for one pool and as long as the object lives.
"""

import datetime as dt
from typing import Literal

from msgspec import Struct

from simplestack import GuestState

#: XAPI's null reference.
NULL = "OpaqueRef:NULL"
STATES = {
    "Running": GuestState.STARTED,
    "Halted": GuestState.STOPPED,
    "Paused": GuestState.PAUSED,
    "Suspended": GuestState.PAUSED,
}
#: Format of times.
_TIME = "%Y%m%dT%H:%M:%SZ"


def as_time(text: str) -> dt.datetime | None:
    """Return a time that XAPI tells; None if it is unknown."""
    try:
        return dt.datetime.strptime(text, _TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


class Record(Struct, frozen=True, kw_only=True, gc=False):
    """The fields of all objects."""

    uuid: str = ""


class VmSummary(Record, frozen=True, kw_only=True, gc=False):
    """A VM, a template or a snapshot in a list. In XAPI, all three are VMs."""

    name_label: str = ""
    power_state: str = "Halted"
    is_a_template: bool = False
    is_a_snapshot: bool = False
    is_control_domain: bool = False
    memory_static_max: int = 0
    VCPUs_at_startup: int = 1
    #: Absent before XenServer 7.5.
    domain_type: str = "unspecified"
    #: Empty for paravirtualized VMs. Only needed without ``domain_type``.
    HVM_boot_policy: str = ""
    guest_metrics: str = NULL
    resident_on: str = NULL

    @property
    def state(self) -> GuestState:
        """Power state. Unknown ones count as not running."""
        return STATES.get(self.power_state, GuestState.STOPPED)

    @property
    def current_guest_metrics(self) -> str:
        """Reference of the data from the tools, null for a stopped VM: XAPI keeps the old data."""
        return self.guest_metrics if self.power_state in ("Running", "Paused") else NULL

    @property
    def is_paravirtualized(self) -> bool:
        """Whether the VM is paravirtualized (not HVM)."""
        return not self.HVM_boot_policy if self.domain_type == "unspecified" else self.domain_type != "hvm"

    @property
    def is_guest(self) -> bool:
        """Whether clients see it in the list of guests: not a template, a snapshot or a control domain."""
        return not (self.is_a_template or self.is_a_snapshot or self.is_control_domain)


class VmRecord(VmSummary, frozen=True, kw_only=True, gc=False):
    """A VM, with the fields that operations need."""

    memory_static_min: int = 0
    memory_dynamic_min: int = 0
    memory_dynamic_max: int = 0
    VCPUs_max: int = 1
    VCPUs_params: dict[str, str] = {}
    PV_args: str = ""
    PV_bootloader: str = ""
    VBDs: list[str] = []
    VIFs: list[str] = []
    snapshots: list[str] = []
    snapshot_of: str = NULL
    snapshot_time: str = ""
    snapshot_info: dict[str, str] = {}
    parent: str = NULL
    suspend_VDI: str = NULL  # noqa: N815  XAPI's name
    other_config: dict[str, str] = {}
    ha_restart_priority: str = ""
    current_operations: dict[str, str] = {}
    metrics: str = NULL


class VmMetricsRecord(Record, frozen=True, kw_only=True, gc=False):
    """What XAPI measures of a VM."""

    #: When it was started last; 1970 when it never was. Empty where that is unknown.
    start_time: str = ""


class GuestMetricsRecord(Record, frozen=True, kw_only=True, gc=False):
    """Data from the tools in a guest."""

    PV_drivers_up_to_date: bool = False
    #: ``0/ip``, ``0/ipv4/0``, ``0/ipv6/0``: device, kind, number.
    networks: dict[str, str] = {}


class HostRecord(Record, frozen=True, kw_only=True, gc=False):
    """A host."""

    name_label: str = ""
    address: str = ""
    metrics: str = NULL
    software_version: dict[str, str] = {}


class HostMetricsRecord(Record, frozen=True, kw_only=True, gc=False):
    """Memory of a host."""

    memory_total: int = 0
    memory_free: int = 0
    #: Whether the data is current.
    live: bool = True


class PoolRecord(Record, frozen=True, kw_only=True, gc=False):
    """The pool."""

    name_label: str = ""
    master: str = NULL
    default_SR: str = NULL  # noqa: N815  XAPI's name


class SrRecord(Record, frozen=True, kw_only=True, gc=False):
    """A storage repository. A size that XAPI does not know is negative."""

    name_label: str = ""
    type: str = ""
    content_type: str = ""
    PBDs: list[str] = []
    physical_size: int = 0
    physical_utilisation: int = 0
    virtual_allocation: int = 0
    shared: bool = False

    @property
    def holds_isos(self) -> bool:
        """Whether it has ISO images for CD drives."""
        return self.content_type == "iso" or self.type == "iso"

    @property
    def takes_disks(self) -> bool:
        """Whether disks can be created in it: it has neither ISO images nor removable drives."""
        return not self.holds_isos and self.type != "udev"

    @property
    def free_bytes(self) -> int:
        """Free space. Thin-provisioned storages may have allocated more."""
        return self.physical_size - self.physical_utilisation


class PbdRecord(Record, frozen=True, kw_only=True, gc=False):
    """The connection of a host to a storage repository."""

    SR: str = NULL
    currently_attached: bool = False


class VdiSummary(Record, frozen=True, kw_only=True, gc=False):
    """A virtual disk image in lists of guests."""

    virtual_size: int = 0
    other_config: dict[str, str] = {}

    @property
    def known_bytes(self) -> int | None:
        """Size; None if XAPI does not know it (0 or negative)."""
        return self.virtual_size if self.virtual_size > 0 else None


class VdiRecord(VdiSummary, frozen=True, kw_only=True, gc=False):
    """A virtual disk image."""

    name_label: str = ""
    SR: str = NULL
    VBDs: list[str] = []
    read_only: bool = False
    is_a_snapshot: bool = False
    snapshot_of: str = NULL


class VbdSummary(Record, frozen=True, kw_only=True, gc=False):
    """A drive of a VM in lists of guests."""

    VM: str = NULL
    VDI: str = NULL
    type: str = "Disk"

    @property
    def holds_disk(self) -> bool:
        """Whether it has a disk: it is not a CD drive, and not empty."""
        return self.type == "Disk" and self.VDI != NULL


class VbdRecord(VbdSummary, frozen=True, kw_only=True, gc=False):
    """A drive of a VM, with or without a disk image."""

    userdevice: str = ""
    empty: bool = False
    currently_attached: bool = False

    @property
    def position(self) -> tuple[int, str]:
        """Sort key in device order."""
        return (int(self.userdevice), "") if self.userdevice.isdecimal() else (1000, self.userdevice)


class VifRecord(Record, frozen=True, kw_only=True, gc=False):
    """A VM's network interface."""

    device: str = "0"
    MAC: str = ""
    network: str = NULL
    currently_attached: bool = False
    #: Absent before XenServer 6.1.
    locking_mode: str | None = None
    ipv4_allowed: list[str] = []
    ipv6_allowed: list[str] = []
    qos_algorithm_type: str = ""
    qos_algorithm_params: dict[str, str] = {}
    other_config: dict[str, str] = {}

    @property
    def position(self) -> int:
        """Sort key in device order."""
        return int(self.device) if self.device.isdecimal() else 1000


class NetworkRecord(Record, frozen=True, kw_only=True, gc=False):
    """A network of the pool."""

    name_label: str = ""
    name_description: str = ""
    bridge: str = ""
    MTU: int = 1500
    PIFs: list[str] = []
    other_config: dict[str, str] = {}


class PifRecord(Record, frozen=True, kw_only=True, gc=False):
    """A host's physical interface, bond or VLAN."""

    host: str = NULL
    #: -1 if it is not a VLAN.
    VLAN: int = -1
    bond_slave_of: str = NULL
    VLAN_master_of: str = NULL
    tunnel_access_PIF_of: list[str] = []  # noqa: N815  XAPI's name


class BondRecord(Record, frozen=True, kw_only=True, gc=False):
    """A bond of several physical interfaces."""

    master: str = NULL


class TaskRecord(Record, frozen=True, kw_only=True, gc=False):
    """A task."""

    name_label: str = ""
    name_description: str = ""
    #: By the host's clock.
    created: str = ""
    status: Literal["pending", "success", "failure", "cancelling", "cancelled"] = "pending"
    result: str = ""
    error_info: list[str] = []

    @property
    def is_pending(self) -> bool:
        """Whether the task has not ended."""
        return self.status in ("pending", "cancelling")


#: The records of XAPI's classes, those that are read by reference.
CLASSES: dict[str, type[Record]] = {
    "VM": VmRecord,
    "VM_guest_metrics": GuestMetricsRecord,
    "host": HostRecord,
    "SR": SrRecord,
    "PBD": PbdRecord,
    "VDI": VdiRecord,
    "VBD": VbdRecord,
    "VIF": VifRecord,
    "network": NetworkRecord,
    "PIF": PifRecord,
    "Bond": BondRecord,
    "task": TaskRecord,
}
