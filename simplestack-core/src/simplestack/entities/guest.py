"""Guests: virtual machines."""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from simplestack.entities.cloud_init import CloudInit, SshKeys, cloud_init_of
from simplestack.entities.limits import Cpus, HostName, MemoryMiB, Name, SecretText, SizeGiB
from simplestack.entities.secrets import HidesSecrets

Firmware = Annotated[Literal["bios", "uefi"], Meta(extra={"words": "a firmware"})]


class GuestState(StrEnum):
    """Power state of a guest. ``PAUSED`` means paused in memory or suspended to disk."""

    STARTED = "STARTED"
    STOPPED = "STOPPED"
    PAUSED = "PAUSED"


class Guest(Struct, frozen=True, kw_only=True):
    """A guest. Some hypervisors add fields."""

    #: UUID of the guest. Stable and URL-safe.
    id: str
    #: Display name.
    name: str
    #: Number of virtual CPUs; null if the hypervisor does not report it.
    cpus: int | None
    #: Memory in MiB; null if the hypervisor does not report it.
    memory: int | None
    #: Sum of the guest's disks in GiB, 0 without disks; null if the size of a disk is unknown.
    hdd: float | None
    #: Whether the guest uses paravirtual devices; null if the hypervisor does not report it.
    paravirtualized: bool | None = None
    #: Whether the hypervisor's tools in the guest are up to date; null if that is unknown.
    tools_up_to_date: bool | None = None
    #: First known IP address of the guest; null if none is known.
    ip: str | None = None
    #: Power state.
    state: GuestState
    #: Name of the host that runs the guest; null if no host does.
    host: str | None = None


class NewDisk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty disk of a new guest."""

    #: Size in GiB.
    size: SizeGiB
    #: Display name. Default: the hypervisor chooses.
    name: Name | None = None
    #: ID or name of the storage. Default: the guest's ``storage``.
    storage: Name | None = None


class NewNetworkInterface(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network interface of a new guest."""

    #: Name or ID of a network.
    network: Name


class GuestCreate(HidesSecrets, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new guest: a copy of ``template``, or created from ``image`` and ``disks``."""

    #: Display name.
    name: Name
    #: Memory in MiB. Required without ``template``. Default: the template's memory.
    memory: MemoryMiB | None = None
    #: Number of virtual CPUs. Default: the template's, or 1.
    cpus: Cpus | None = None
    #: ID or name of the guest or template to copy.
    template: Name | None = None
    #: Name of a volume in a storage. The guest boots from a copy of it, its first disk. It cannot have a
    #: ``template`` then.
    image: Name | None = None
    #: Empty disks. They come after the disk from ``image``.
    disks: list[NewDisk] = []
    #: Network interfaces in device order.
    network_interfaces: list[NewNetworkInterface] = []
    #: Name of the ISO image in the guest's CD drive.
    iso: Name | None = None
    #: ID or name of the storage for disks that do not name one.
    storage: Name | None = None
    #: Whether the guest gets paravirtual devices. Default: the template's setting, else the hypervisor's.
    paravirtualized: bool | None = None
    #: Firmware that boots the guest. Default: the template's, else the hypervisor's.
    firmware: Firmware | None = None
    #: User data for cloud-init in the guest, such as ``#cloud-config`` in YAML or a shell script. It is not
    #: copied to clones, nor to exports if the hypervisor can leave it out. Secret.
    user_data: SecretText | None = None
    #: Network configuration for cloud-init in YAML, version 1 or 2. Default: DHCP on the first interface.
    #: Secret.
    network_config: SecretText | None = None
    #: Host name for cloud-init. ``hostname`` in ``user_data`` takes precedence.
    hostname: HostName | None = None
    #: Public SSH keys for cloud-init, which adds them to those in ``user_data``. Each is a line of
    #: ``authorized_keys`` of the default user.
    ssh_keys: SshKeys = []
    #: Whether to start the guest after it is created.
    start: bool = False

    def __post_init__(self) -> None:
        """Reject combinations of fields that no hypervisor supports.

        The JSON Schema does not have these rules: generated clients cannot make an object with them.
        """
        if self.memory is None and self.template is None:
            raise ValueError("`memory` is missing: send a whole number of MiB, or the `template` to copy")
        if self.template is not None and self.image is not None:
            raise ValueError("`template` and `image` are both given: send one of them")

    @property
    def cloud_init(self) -> CloudInit | None:
        """The fields for cloud-init; None if none is given."""
        return cloud_init_of(self)


class GuestImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The description of a guest that is imported. It overrides what the image says."""

    #: Display name. Required for an image that describes no guest, such as a bare disk.
    name: Name | UnsetType = UNSET
    #: Memory in MiB. Required for an image that describes no guest.
    memory: MemoryMiB | UnsetType = UNSET
    #: Number of virtual CPUs. Default: the image's, or 1.
    cpus: Cpus | UnsetType = UNSET
    #: Name or ID of the network of each network interface, in device order. Default: the image's interfaces.
    network: list[Name] = []
    #: Firmware that boots the guest. Default: the image's, else the hypervisor's.
    firmware: Firmware | UnsetType = UNSET
    #: Whether the guest gets paravirtual devices. Default: the image's setting, else the hypervisor's.
    paravirtualized: bool | UnsetType = UNSET
    #: Whether to start the guest after it is imported.
    start: bool = False


class GuestUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to a guest. Omitted fields keep their values."""

    #: New display name.
    name: Name | UnsetType = UNSET
    #: Memory in MiB.
    memory: MemoryMiB | UnsetType = UNSET
    #: Number of virtual CPUs.
    cpus: Cpus | UnsetType = UNSET
    #: New sum of the disks in GiB: the last disk grows. It must not be smaller than the current sum.
    hdd: SizeGiB | UnsetType = UNSET
    #: Whether the guest gets paravirtual devices.
    paravirtualized: bool | UnsetType = UNSET
    #: Whether the guest is a template.
    template: bool | UnsetType = UNSET


class GuestClone(HidesSecrets, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy of a guest."""

    #: Display name of the copy.
    name: Name
    #: User data for cloud-init in the copy, such as ``#cloud-config`` in YAML or a shell script. That of the
    #: original is not copied. Secret.
    user_data: SecretText | None = None
    #: Network configuration for cloud-init in YAML, version 1 or 2. Default: DHCP on the first interface.
    #: Secret.
    network_config: SecretText | None = None
    #: Host name for cloud-init. ``hostname`` in ``user_data`` takes precedence.
    hostname: HostName | None = None
    #: Public SSH keys for cloud-init, which adds them to those in ``user_data``. Each is a line of
    #: ``authorized_keys`` of the default user.
    ssh_keys: SshKeys = []

    @property
    def cloud_init(self) -> CloudInit | None:
        """The fields for cloud-init; None if none is given."""
        return cloud_init_of(self)


class PowerRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A power action."""

    #: Power action. ``stop`` asks the guest's operating system to shut down, ``force_stop`` cuts the power.
    state: Annotated[
        Literal["start", "stop", "force_stop", "pause", "resume"], Meta(extra={"words": "a power state"})
    ]


class RebootRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reboot a guest."""

    #: Reset the guest without asking its operating system.
    force: bool = False


class ActionResult(Struct, frozen=True, kw_only=True):
    """The result of a successful power action."""

    #: The ``state`` of the request, or ``reboot``.
    action: str
    #: Always ``ok``. A failed action is an error response.
    message: str = "ok"
