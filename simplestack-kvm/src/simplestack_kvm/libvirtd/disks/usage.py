"""Find out which files the guests of a host use, and which files they may use.

A guest uses its disks and everything that these are based on. libvirt follows the chain of a running guest,
and an inventory that of volumes. What a file outside of the active pools is based on, or whether it is a link
to a volume, libvirt does not tell: such a file may lead to every volume.
"""

import posixpath
import xml.etree.ElementTree as ET
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.connection.parallel_reads import read_all
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.descriptions import (
    GuestDescription,
    describe_guest,
    describe_guests,
    describe_saved_guests,
    describe_snapshots,
    describe_snapshots_of,
)
from simplestack_kvm.libvirtd.guests.records import Source, disk_format, place_of
from simplestack_kvm.libvirtd.images.headers import UnusableImage, read_header
from simplestack_kvm.libvirtd.images.sources import read_start
from simplestack_kvm.libvirtd.storage.inventory import Inventory, VolumeRecord, normalized, volumes_at
from simplestack_kvm.libvirtd.storage.volumes import is_image_name
from simplestack_kvm.sdk import libvirt


@dataclass(slots=True)
class Usage:
    """Who uses which files."""

    inventory: Inventory
    #: False if time ran out before all volumes and guests were looked at.
    is_complete: bool
    #: How each file is used, by its normalized path.
    uses: dict[str, str] = field(default_factory=dict)
    #: Media outside of the pools, by the last part of their paths: a volume of this name may be the same.
    media_outside: dict[str, str] = field(default_factory=dict)
    #: Who may use any volume.
    doubts: list[str] = field(default_factory=list)
    #: Who may use any volume that is a block device: a device has many paths.
    device_doubts: list[str] = field(default_factory=list)
    #: Who may use any volume without a header, as an external data file.
    data_file_doubts: list[str] = field(default_factory=list)
    #: The paths of disks that guests know as raw, and as something else. A guest can write into its own raw
    #: disk what looks like an image that is based on anything; that is only data.
    raw_paths: set[str] = field(default_factory=set)
    image_paths: set[str] = field(default_factory=set)

    def why_kept(self, volume: VolumeRecord) -> str | None:
        """Return why a volume must be kept; None if it is certain that nothing uses it."""
        use = self.use_of(volume)
        if use is not None:
            return use
        if volume.name in self.media_outside:
            return f"{self.media_outside[volume.name]} has a medium with this name outside of the storages"
        doubts = list(self.doubts)
        if volume.path.startswith("/dev/"):
            doubts += self.device_doubts
        if self.may_be_data_file(volume):
            doubts += self.data_file_doubts
        if doubts:
            return f"it may be in use, since {doubts[0]}"
        if not self.is_complete:
            return "there was not enough time to check whether it is in use"
        return None

    def use_of(self, volume: VolumeRecord) -> str | None:
        """Return how a volume is certainly used, as a sentence; None where no use is known."""
        for alias in self.inventory.same_file(volume):
            if alias.path in self.uses:
                return self.uses[alias.path]
        return None

    def is_only_data(self, volume: VolumeRecord) -> bool:
        """Tell whether all guests that have this volume as a disk take it for raw."""
        return volume.path in self.raw_paths and volume.path not in self.image_paths

    def may_be_data_file(self, volume: VolumeRecord) -> bool:
        """Tell whether a qcow2 image may keep its data in this volume.

        Not where the volume is one itself, or still begins as the image for cloud-init that it was made as.
        """
        if volume.format == "iso" and is_image_name(volume.name):
            return False
        return volume.format != "qcow2" or self.is_only_data(volume)

    def add_path(self, user: str, path: str) -> VolumeRecord | None:
        """Note that a guest uses a file, and what it is based on if it is a volume, which is returned."""
        first = self.inventory.at(path)
        for written in (normalized(path), posixpath.normpath(path)):
            self.uses.setdefault(written, f"{user} uses it")
        for volume in () if first is None else self.inventory.chain(first):
            self.uses.setdefault(volume.path, f"{user} uses it")
            self.add_base(user, volume)
        return first

    def add_base(self, user: str, volume: VolumeRecord) -> None:
        """Note what a volume is based on.

        :param user: who is based on it as well: the guest that uses the volume, or the volume itself
        """
        if volume.backing is not None:
            for written in (volume.backing, posixpath.normpath(volume.backing)):
                self.uses.setdefault(written, f"{user} is based on it")
        if self.is_only_data(volume):
            return
        if volume.backing is not None:
            if self.inventory.at(volume.backing) is None:
                self.doubts.append(
                    f"{user} is based on a file in no active storage: create a storage for its folder"
                )
        elif volume.is_chain_unknown:
            self.doubts.append(f"libvirt does not report which file {user} is based on")

    def add_disk(self, user: str, disk: ET.Element) -> None:
        """Note what a ``<disk>`` refers to: its source, backing files and copies that are being made."""
        is_medium = disk.get("device") in ("cdrom", "floppy")
        is_raw = disk_format(disk) == "raw"
        for source in disk.iter("source"):
            place = place_of(source)
            path = self._path(place)
            outside = f"{user} has a disk in no active storage: create a storage for its folder"
            if path is None:
                # A raw disk in the network is based on nothing. A volume may be in a pool that is not active.
                if not is_raw or place is not None:
                    self.doubts.append(outside)
            elif self.add_path(user, path) is not None:
                continue
            elif is_medium:
                self.media_outside.setdefault(posixpath.basename(path), user)
            elif is_raw and source.get("dev") is not None:
                self.device_doubts.append(outside)
            else:
                self.doubts.append(outside)

    def add_snapshots(self, guest: GuestDescription) -> None:
        """Note what a guest had when its snapshots were taken.

        :param guest: its snapshots' descriptions
        """
        for disk in guest.disks():
            for source in disk.iter("source"):
                path = self._path(place_of(source))
                if path is not None:
                    self.add_path(f"a snapshot of guest {guest.name}", path)

    def add_format(self, disk: ET.Element) -> None:
        """Note as what a guest takes a disk's file."""
        path = self._path(place_of(disk.find("source")))
        if path is not None:
            paths = self.raw_paths if disk_format(disk) == "raw" else self.image_paths
            paths.add(normalized(path))

    def _path(self, place: Source | None) -> str | None:
        """Return the path of a disk's source; None of one in the network, or in a pool that is not active."""
        if isinstance(place, tuple):
            volume = self.inventory.named(*place)
            return None if volume is None else volume.path
        return place


def find_usage(session: KvmSession, inventory: Inventory, *, but_by: str) -> Usage:
    """Find out what all guests but one use.

    :param but_by: the UUID of the guest that does not count
    """
    guests, is_complete = describe_guests(session)
    usage = Usage(inventory, is_complete=is_complete and inventory.is_complete)
    for guest in guests:
        for disk in guest.disks():
            usage.add_format(disk)
    for guest in [*guests, *describe_saved_guests(session)]:
        if guest.uuid != but_by:
            for disk in guest.disks():
                usage.add_disk(f"guest {guest.name}", disk)
    for guest in describe_snapshots(session):
        if guest.uuid != but_by:
            usage.add_snapshots(guest)
    return usage


def add_guest(usage: Usage, domain: "libvirt.virDomain") -> None:
    """Note what one guest uses, and what its snapshots need."""
    guest = describe_guest(domain)
    for disk in guest.disks():
        usage.add_disk(f"guest {guest.name}", disk)
    usage.add_snapshots(describe_snapshots_of(domain))


def add_bases(usage: Usage, but_of: Collection[VolumeRecord]) -> None:
    """Note which volumes other volumes are based on, whether or not a guest uses those.

    :param but_of: volumes that do not count. What these are based on cannot be based on them in turn
    """
    below = {volume.path for top in but_of for volume in usage.inventory.chain(top)}
    tops = {volume.path for volume in but_of}
    for volume in usage.inventory.volumes:
        if volume.path in tops:
            continue
        user = f"volume {volume.label}"
        if volume.path not in below:
            usage.add_base(user, volume)
        elif volume.backing is not None:
            usage.uses.setdefault(volume.backing, f"{user} is based on it")


def add_data_files(session: KvmSession, usage: Usage) -> None:
    """Find out which qcow2 images keep their data in another file, which libvirt does not tell."""
    images = {
        (volume.pool, volume.name)
        for volume in usage.inventory.volumes
        if volume.format == "qcow2" and not usage.is_only_data(volume)
    }

    def find(connection: "libvirt.virConnect") -> dict[tuple[str, str], "libvirt.virStorageVol"]:
        return {key: volume for key, volume in volumes_at(connection).items() if key in images}

    volumes, starts = read_all(session, find, _start)
    for (pool, name), start in starts.items():
        try:
            if start is not None:
                read_header(start)
        except UnusableImage:
            usage.data_file_doubts.append(f"volume {pool}/{name} may keep its data in another file")
    if len(starts) < len(volumes):
        usage.data_file_doubts.append("there was not enough time to read all images")


def _start(volume: "libvirt.virStorageVol") -> bytes | None:
    try:
        connection: Any = volume.connect()  # type: ignore[no-untyped-call]  # the binding's own lacks types
        return read_start(connection, volume)
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_SYSTEM_ERROR):
            raise
        return None  # it is gone meanwhile
