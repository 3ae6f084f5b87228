"""The fixed part of a world: hosts, storages and the images in them.

It is derived from the world's name, including the IDs, so it is not stored.
"""

import uuid

from msgspec import Struct

from simplestack import GIB, EntityNotFound, Host

_NAMESPACE = uuid.UUID("5f1c2f1e-0f0b-4c0e-9d3e-6d6f636b0001")
HOST_MEMORY_MIB = 2 * 1024**2
#: Memory of a host for guests; the host uses the rest.
GUEST_MEMORY_MIB = HOST_MEMORY_MIB - 4096
LOCAL_STORAGE = "Local storage"
SHARED_STORAGE = "Shared storage"
#: Sizes in bytes of ISO images, by name.
ISOS = {
    "debian-12-netinst.iso": GIB * 5 // 8,
    "ubuntu-24.04-live-server.iso": GIB * 21 // 8,
    "virtio-win.iso": GIB * 3 // 4,
}
#: Sizes in bytes of images that new guests start from, by name.
IMAGES = {"debian-12.img": 2 * GIB, "ubuntu-24.04.img": GIB * 7 // 2}


class StorageSite(Struct, frozen=True):
    """A storage without the disks of guests."""

    id: str
    name: str
    type: str
    size_bytes: int
    #: Space used by ISO images and other images.
    image_bytes: int = 0

    @property
    def holds_disks(self) -> bool:
        """Whether it can have disks of guests."""
        return self.type != "iso"


def seeded_id(world: str, thing: str) -> str:
    """Return the ID of an entity in a new world."""
    return str(uuid.uuid5(_NAMESPACE, f"{world}/{thing}"))


def hosts_of(world: str) -> list[Host]:
    """Return a world's hosts; the first one is the pool's master."""
    return [
        Host(id=seeded_id(world, f"host/{number}"), name=f"mock-{number}", address=f"192.0.2.{10 + number}")
        for number in (1, 2)
    ]


def storages_of(world: str) -> list[StorageSite]:
    """Return a world's storages."""
    local, shared, iso = (seeded_id(world, f"storage/{name}") for name in ("local", "shared", "iso"))
    return [
        StorageSite(local, LOCAL_STORAGE, "lvm", 4096 * GIB),
        StorageSite(shared, SHARED_STORAGE, "nfs", 65536 * GIB, sum(IMAGES.values())),
        StorageSite(iso, "ISO library", "iso", 100 * GIB, sum(ISOS.values())),
    ]


def image_size_bytes(name: str) -> int:
    """Return the size of an image that new guests start from.

    :raises EntityNotFound: ``Image``
    """
    if name not in IMAGES:
        raise EntityNotFound("Image", name)
    return IMAGES[name]


def check_iso(name: str) -> None:
    """Check that there is an ISO image of this name.

    :raises EntityNotFound: ``ISO``
    """
    if name not in ISOS:
        raise EntityNotFound("ISO", name)
