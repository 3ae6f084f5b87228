"""The networks and guests of a new world, and bulk guests. All are derived from the world's name."""

import uuid
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from simplestack import GIB, GuestState
from simplestack.mock.store.contents import image_content
from simplestack.mock.store.records import DiskRecord, GuestRecord, Hardware, InterfaceRecord, NetworkRecord
from simplestack.mock.store.topology import LOCAL_STORAGE, SHARED_STORAGE, hosts_of, seeded_id

#: Networks on the hosts' physical interfaces. The first is the default of interfaces.
DEFAULT_NETWORK = "Pool network"
_NETWORKS = ((DEFAULT_NETWORK, "br0", "Guests"), ("Storage network", "br1", "Storage traffic"))

#: Locally administered, the same as QEMU's.
MAC_PREFIX = "52:54:00"
#: Another prefix, so that no bulk guest has the address of another guest; locally administered.
_BULK_MAC_PREFIX = "52:54:01"
_BULK_MEMORY_MIB = (256, 512, 1024)
_BULK_STATES = (
    GuestState.STARTED,
    GuestState.STOPPED,
    GuestState.STARTED,
    GuestState.STOPPED,
    GuestState.PAUSED,
)


def first_networks(world: str) -> Iterator[NetworkRecord]:
    """Yield the networks of a new world."""
    for name, bridge, description in _NETWORKS:
        network_id = seeded_id(world, f"network/{name}")
        yield NetworkRecord(id=network_id, name=name, bridge=bridge, description=description, trunk=bridge)


def first_guests(world: str, content_bytes: int) -> Iterator[GuestRecord]:
    """Yield the guests of a new world: a template, a running guest and a stopped one.

    :param content_bytes: number of bytes on each disk
    """
    template = _guest(world, "debian-12-template", content_bytes, cpus=1, memory_mib=1024, disks_gib=(10,))
    yield replace(template, template=True)
    web = _guest(world, "web", content_bytes, cpus=2, memory_mib=2048, disks_gib=(20,))
    host = hosts_of(world)[0].name
    yield replace(web, tags=("demo", "web"), state=GuestState.STARTED, host=host)
    database = _guest(world, "database", content_bytes, cpus=4, memory_mib=8192, disks_gib=(20, 100))
    yield replace(database, tags=("database", "demo"))


def bulk_guests(
    world: str, count: int, free_memory_mib: Mapping[str, int], content_bytes: int
) -> Iterator[GuestRecord]:
    """Yield guests for tests with long lists: ``guest-00001`` and so on.

    Two in five run, one in five is paused, and every fourth has two disks. Guests that no host has memory for
    are stopped.

    :param free_memory_mib: by host
    """
    free_mib = dict(free_memory_mib)
    for number in range(1, count + 1):
        memory_mib = _BULK_MEMORY_MIB[number % len(_BULK_MEMORY_MIB)]
        guest = _guest(
            world,
            f"guest-{number:05}",
            content_bytes,
            cpus=1 + number % 4,
            memory_mib=memory_mib,
            disks_gib=(2, 2) if number % 4 == 0 else (2,),
            storage=SHARED_STORAGE,
            mac=f"{_BULK_MAC_PREFIX}:{number.to_bytes(3).hex(':')}",
        )
        state = _BULK_STATES[number % len(_BULK_STATES)]
        host = max(free_mib, key=lambda name: free_mib[name])
        if state is not GuestState.STOPPED and free_mib[host] >= memory_mib:
            free_mib[host] -= memory_mib
            guest = replace(guest, state=state, host=host)
        yield guest


def _guest(
    world: str,
    name: str,
    content_bytes: int,
    *,
    cpus: int,
    memory_mib: int,
    disks_gib: tuple[int, ...],
    storage: str = LOCAL_STORAGE,
    mac: str | None = None,
) -> GuestRecord:
    guest_id = seeded_id(world, f"guest/{name}")
    disks = tuple(
        DiskRecord(
            id=seeded_id(world, f"guest/{name}/disk/{device}"),
            name=f"{name} disk {device}",
            device=device,
            size_bytes=size_gib * GIB,
            storage=storage,
            content=image_content(f"{name}/{device}", content_bytes, size_gib * GIB),
        )
        for device, size_gib in enumerate(disks_gib)
    )
    mac = mac or f"{MAC_PREFIX}:{uuid.UUID(guest_id).bytes[:3].hex(':')}"
    hardware = Hardware(
        cpus=cpus,
        memory_mib=memory_mib,
        paravirtualized=False,
        disks=disks,
        interfaces=(InterfaceRecord(mac=mac, device=0, network=DEFAULT_NETWORK),),
    )
    return GuestRecord(id=guest_id, name=name, hardware=hardware)
