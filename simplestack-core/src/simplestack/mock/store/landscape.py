"""The part of a world that never changes: pool, hosts, storages and what lies ready in them.

It follows from the world's name alone, ids included, so that it need not be stored.
"""

import functools
import uuid

from msgspec import Struct

from simplestack import GIB, Conflict, EntityNotFound, Host, InvalidArguments
from simplestack.mock.store.records import Content

_NAMESPACE = uuid.UUID("5f1c2f1e-0f0b-4c0e-9d3e-6d6f636b0001")
HOST_MEMORY_MIB = 2 * 1024**2
#: What a host needs for itself.
HOST_OVERHEAD_MIB = 4096


class Volume(Struct, frozen=True, kw_only=True):
    """A file in a storage: an ISO image, or an image that new guests start from."""

    name: str
    size_bytes: int


class StorageSite(Struct, frozen=True, kw_only=True):
    """A storage without what the guests have put into it."""

    id: str
    name: str
    type: str
    size_bytes: int
    isos: tuple[Volume, ...] = ()
    images: tuple[Volume, ...] = ()

    @property
    def holds_disks(self) -> bool:
        """Whether disks of guests can lie in it."""
        return self.type != "iso"

    @property
    def preset_bytes(self) -> int:
        """What its volumes occupy."""
        return sum(volume.size_bytes for volume in (*self.isos, *self.images))


class Landscape(Struct, frozen=True, kw_only=True):
    """The fixed part of a world."""

    pool_id: str
    hosts: tuple[Host, ...]
    storages: tuple[StorageSite, ...]

    def storage(self, storage: str) -> StorageSite:
        """Find a storage by id or name.

        :raises EntityNotFound: ``Storage``
        """
        for site in self.storages:
            if storage in (site.id, site.name):
                return site
        raise EntityNotFound("Storage", storage)

    def disk_storage(self, storage: str) -> StorageSite:
        """Find a storage that can hold disks, by id or name.

        :raises EntityNotFound: ``Storage``
        :raises InvalidArguments: it is for ISO images
        """
        site = self.storage(storage)
        if not site.holds_disks:
            others = ", ".join(other.name for other in self.storages if other.holds_disks)
            raise InvalidArguments(f"storage {site.name} holds ISO images, no disks: choose from {others}")
        return site

    def image(self, name: str) -> Volume:
        """Find an image by name.

        :raises EntityNotFound: ``Image``
        :raises Conflict: more than one storage has it
        """
        found = [volume for site in self.storages for volume in site.images if volume.name == name]
        if len(found) > 1:
            raise Conflict(f"image {name} lies in {len(found)} storages: rename it in all but one")
        if not found:
            raise EntityNotFound("Image", name)
        return found[0]

    def check_iso(self, name: str) -> None:
        """Pass the name of an ISO image.

        :raises EntityNotFound: ``ISO``
        """
        if not self.has_iso(name):
            raise EntityNotFound("ISO", name)

    def has_iso(self, name: str) -> bool:
        """Whether there is an ISO image of this name."""
        return any(volume.name == name for site in self.storages for volume in site.isos)


def seeded_id(world: str, thing: str) -> str:
    """Return the id that something has in a new world."""
    return str(uuid.uuid5(_NAMESPACE, f"{world}/{thing}"))


def image_content(name: str, length: int, size_bytes: int) -> Content:
    """Return what an image holds."""
    return Content(uuid.uuid5(_NAMESPACE, name).hex, min(length, size_bytes))


@functools.lru_cache(maxsize=64)
def landscape_of(world: str) -> Landscape:
    """Return the fixed part of a world."""
    return Landscape(
        pool_id=seeded_id(world, "pool"),
        hosts=tuple(
            Host(
                id=seeded_id(world, f"host/{number}"), name=f"mock-{number}", address=f"192.0.2.{10 + number}"
            )
            for number in (1, 2)
        ),
        storages=(
            StorageSite(
                id=seeded_id(world, "storage/local"),
                name="Local storage",
                type="lvm",
                size_bytes=4096 * GIB,
            ),
            StorageSite(
                id=seeded_id(world, "storage/shared"),
                name="Shared storage",
                type="nfs",
                size_bytes=65536 * GIB,
                images=(
                    Volume(name="debian-12.img", size_bytes=2 * GIB),
                    Volume(name="ubuntu-24.04.img", size_bytes=7 * GIB // 2),
                ),
            ),
            StorageSite(
                id=seeded_id(world, "storage/iso"),
                name="ISO library",
                type="iso",
                size_bytes=100 * GIB,
                isos=(
                    Volume(name="debian-12-netinst.iso", size_bytes=GIB * 5 // 8),
                    Volume(name="ubuntu-24.04-live-server.iso", size_bytes=GIB * 21 // 8),
                    Volume(name="virtio-win.iso", size_bytes=GIB * 3 // 4),
                ),
            ),
        ),
    )
