"""What a new world begins with."""

import uuid

from simplestack import GIB, GuestState
from simplestack.mock.store.addresses import MAC_PREFIX
from simplestack.mock.store.changes import Change
from simplestack.mock.store.landscape import image_content, seeded_id
from simplestack.mock.store.records import DiskRecord, GuestRecord, Hardware, InterfaceRecord, NetworkRecord

#: Networks on the hosts' physical interfaces. The first is where interfaces go that name none.
DEFAULT_NETWORK = "Pool network"
_NETWORKS = ((DEFAULT_NETWORK, "br0", "Guests"), ("Storage network", "br1", "Storage traffic"))


def seed(change: Change) -> None:
    """Fill a new world: networks, a template, a running guest and a stopped one."""
    for name, bridge, description in _NETWORKS:
        change.add_network(
            NetworkRecord(
                id=seeded_id(change.world, f"network/{name}"),
                name=name,
                bridge=bridge,
                description=description,
                trunk=bridge,
            )
        )
    change.add_guest(
        _guest(change, "debian-12-template", memory_mib=1024, cpus=1, disks_gib=(10,), template=True)
    )
    web = _guest(change, "web", memory_mib=2048, cpus=2, disks_gib=(20,), tags=("demo", "web"))
    host = change.host_for(web, web.hardware.memory_mib)
    change.add_guest(_started(web, host))
    change.add_guest(
        _guest(change, "database", memory_mib=8192, cpus=4, disks_gib=(20, 100), tags=("database", "demo"))
    )


def _guest(
    change: Change,
    name: str,
    *,
    memory_mib: int,
    cpus: int,
    disks_gib: tuple[int, ...],
    tags: tuple[str, ...] = (),
    template: bool = False,
) -> GuestRecord:
    guest_id = seeded_id(change.world, f"guest/{name}")
    storage = change.landscape.storages[0].id
    return GuestRecord(
        id=guest_id,
        name=name,
        tags=tags,
        template=template,
        hardware=Hardware(
            cpus=cpus,
            memory_mib=memory_mib,
            paravirtualized=False,
            disks=tuple(
                DiskRecord(
                    id=seeded_id(change.world, f"guest/{name}/disk/{device}"),
                    name=f"{name} disk {device}",
                    device=device,
                    size_bytes=size_gib * GIB,
                    storage=storage,
                    content=image_content(f"{name}/{device}", change.settings.content_bytes, size_gib * GIB),
                )
                for device, size_gib in enumerate(disks_gib)
            ),
            interfaces=(
                InterfaceRecord(
                    mac=f"{MAC_PREFIX}:{uuid.UUID(guest_id).bytes[:3].hex(':')}",
                    device=0,
                    network=DEFAULT_NETWORK,
                ),
            ),
        ),
    )


def _started(guest: GuestRecord, host: str) -> GuestRecord:
    return GuestRecord(
        id=guest.id,
        name=guest.name,
        tags=guest.tags,
        hardware=guest.hardware,
        state=GuestState.STARTED,
        host=host,
    )
