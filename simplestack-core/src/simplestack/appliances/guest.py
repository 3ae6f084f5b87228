"""A guest in an appliance, as a descriptor tells it."""

from dataclasses import dataclass
from typing import Literal

#: What a disk can be attached to.
Bus = Literal["ide", "sata", "scsi", "virtio", "usb", "nvme"]
#: libvirt's words for formats of images.
ImageFormat = Literal["qcow2", "raw", "vmdk", "vdi", "vpc"]
#: ``efi`` is UEFI.
Firmware = Literal["bios", "efi"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplianceDisk:
    """A disk of the guest."""

    #: Name of the archive's member with the image; None for a disk that begins empty.
    href: str | None
    #: Size of the disk for its guest.
    capacity_bytes: int
    #: Size of the image in the archive, all chunks together; None if unknown.
    file_bytes: int | None = None
    #: How much of the disk its guest has written to; None if unknown.
    populated_bytes: int | None = None
    #: What the descriptor says, which need not be true; None if it says nothing that is known here.
    format: ImageFormat | None = None
    #: None if the descriptor does not tell, or tells of another one.
    bus: Bus | None = None
    #: Model of a SCSI controller in lower case, such as ``lsilogic`` or ``virtio-scsi``. None on other buses.
    controller: str | None = None
    #: What the client calls the disk.
    name: str | None = None
    #: If set, the image is split into members of this size, of which the last may be shorter; see
    #: :func:`~simplestack.appliances.chunk_name`.
    chunk_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplianceInterface:
    """A network interface of the guest."""

    #: Name of the network.
    network: str | None
    #: In lower case.
    mac: str | None = None
    #: In lower case, such as ``virtio`` or ``e1000``.
    model: str | None = None
    active: bool = True
    #: Bits per second.
    ratelimit: int | None = None
    #: Only of own exports: ``locked`` or ``disabled``; None for an interface without a filter.
    locking_mode: Literal["locked", "disabled"] | None = None
    ipv4_allowed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Appliance:
    """The guest of an appliance."""

    name: str
    memory_mib: int | None
    cpus: int | None
    firmware: Firmware = "bios"
    secure_boot: bool = False
    #: libvirt's word for the machine, such as ``pc-q35-7.2``; only of own exports, as are the following.
    machine: str | None = None
    arch: str | None = None
    template: bool = False
    tags: tuple[str, ...] = ()
    #: Name of the archive's member with the UEFI variables.
    nvram_href: str | None = None
    description: str = ""
    #: In the order of the guest's devices.
    disks: tuple[ApplianceDisk, ...] = ()
    interfaces: tuple[ApplianceInterface, ...] = ()
    #: Number of CD drives. Media are not part of an appliance.
    cd_drives: int = 0

    @property
    def paravirtualized(self) -> bool | None:
        """Whether the first disk is a virtio disk; None without disks, and if its bus is unknown."""
        bus = self.disks[0].bus if self.disks else None
        return None if bus is None else bus == "virtio"
