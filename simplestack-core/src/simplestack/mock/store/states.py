"""Check and change power states."""

from msgspec.structs import replace

from simplestack import GuestState, HypervisorError, InvalidState, require_state
from simplestack.mock.store.contents import written_content
from simplestack.mock.store.records import GuestRecord
from simplestack.mock.store.world import World


def require_guest_state(guest: GuestRecord, attempt: str, *needed: GuestState) -> None:
    """Check that a guest is in one of the states that an operation needs.

    :param attempt: what was tried, such as ``start``
    :raises InvalidState: it is in another state
    """
    require_state(guest.state, *needed, attempt=f"{attempt} guest {guest.name!r}")


def started(world: World, guest: GuestRecord) -> GuestRecord:
    """Return a stopped guest after its start.

    :raises InvalidState: it is not stopped, or it is a template
    :raises HypervisorError: no host has enough free memory
    """
    require_guest_state(guest, "start", GuestState.STOPPED)
    if guest.template:
        raise InvalidState.of_template(f"start guest {guest.name!r}")
    return booted(world, guest)


def booted(world: World, guest: GuestRecord) -> GuestRecord:
    """Return a guest after a boot, in which it writes to its first disk."""
    hardware = guest.hardware
    host = host_for(world, guest, hardware.memory_mib)
    if hardware.disks:
        first = hardware.disks[0]
        content = written_content(first.content, world.settings.content_bytes, first.size_bytes)
        hardware = hardware.with_disk(replace(first, content=content))
    return replace(guest, state=GuestState.STARTED, host=host, hardware=hardware)


def host_for(world: World, guest: GuestRecord, memory_mib: int) -> str:
    """Return the name of a host with enough memory for a guest: its own, else the one with most free memory.

    :param memory_mib: memory that the guest needs
    :raises HypervisorError: no host has enough free memory
    """
    free = world.free_memory_mib()
    if guest.host is not None:
        free[guest.host] += guest.hardware.memory_mib
        if free[guest.host] >= memory_mib:
            return guest.host
    freest = max(free, key=lambda host: free[host])
    if free[freest] < memory_mib:
        raise HypervisorError(
            f"no host has {memory_mib} MiB of memory free, {freest} has the most with {free[freest]} MiB:"
            " stop other guests, or lower this one's memory",
            "HOST_NOT_ENOUGH_FREE_MEMORY",
        )
    return freest
