"""Many guests at once, for clients that want to see how they fare with long lists."""

from simplestack import GIB, GuestState
from simplestack.mock.store.changes import Change
from simplestack.mock.store.landscape import image_content, seeded_id
from simplestack.mock.store.records import DiskRecord, GuestRecord, Hardware, InterfaceRecord
from simplestack.mock.store.seeding import DEFAULT_NETWORK

#: Of its own, so that it is in nobody's way; locally administered.
_MAC_PREFIX = "52:54:01"
_MEMORY_MIB = (256, 512, 1024)
_STATES = (
    GuestState.STARTED,
    GuestState.STOPPED,
    GuestState.STARTED,
    GuestState.STOPPED,
    GuestState.PAUSED,
)
_NAME = "guest-"
_DISK_BYTES = 2 * GIB


def add_crowd(change: Change, count: int) -> None:
    """Add guests: ``guest-00001`` and so on, with ids that follow from the world's name and theirs.

    Two in five run, one in five is paused; every fourth has two disks. Those that no host has memory for are
    stopped.

    :raises Conflict: the world may not have so many guests
    :raises InsufficientStorage: no room for their disks
    """
    first = change.highest_number(_NAME) + 1
    free_mib = change.free_memory_mib()
    guests = []
    for number in range(first, first + count):
        state, memory_mib = _STATES[number % len(_STATES)], _MEMORY_MIB[number % len(_MEMORY_MIB)]
        host = max(free_mib, key=lambda name: free_mib[name])
        if state is GuestState.STOPPED or free_mib[host] < memory_mib:
            guests.append(_guest(change, number, memory_mib, GuestState.STOPPED, None))
        else:
            free_mib[host] -= memory_mib
            guests.append(_guest(change, number, memory_mib, state, host))
    change.add_guests(guests)


def _guest(change: Change, number: int, memory_mib: int, state: GuestState, host: str | None) -> GuestRecord:
    name = f"{_NAME}{number:05}"
    disks = 2 if number % 4 == 0 else 1
    return GuestRecord(
        id=seeded_id(change.world, f"guest/{name}"),
        name=name,
        state=state,
        host=host,
        tags=("laboratory",),
        hardware=Hardware(
            cpus=1 + number % 4,
            memory_mib=memory_mib,
            paravirtualized=False,
            disks=tuple(
                DiskRecord(
                    id=seeded_id(change.world, f"guest/{name}/disk/{device}"),
                    name=f"{name} disk {device}",
                    device=device,
                    size_bytes=_DISK_BYTES,
                    storage=change.landscape.storages[1].id,
                    content=image_content(f"{name}/{device}", change.settings.content_bytes, _DISK_BYTES),
                )
                for device in range(disks)
            ),
            interfaces=(
                InterfaceRecord(
                    mac=f"{_MAC_PREFIX}:{number.to_bytes(3).hex(':')}", device=0, network=DEFAULT_NETWORK
                ),
            ),
        ),
    )
