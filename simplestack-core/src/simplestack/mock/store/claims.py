"""The resources that a guest uses (memory, storage, MAC addresses), and their limits."""

from collections import Counter
from typing import Literal, NamedTuple

from simplestack import Conflict
from simplestack.mock.settings import MockSettings
from simplestack.mock.store.records import GuestRecord


class Claim(NamedTuple):
    """A resource that a guest uses."""

    kind: Literal["memory", "storage", "mac"]
    #: Name of the host or storage, or the MAC address.
    name: str
    #: MiB of memory, or bytes that are promised to disks.
    amount: int = 1
    #: Bytes that were written to disks.
    used: int = 0


def claims_of(guest: GuestRecord) -> set[Claim]:
    """Return all claims of a guest. Content that a disk shares with its snapshots counts once."""
    claims = {Claim("mac", interface.mac) for interface in guest.hardware.interfaces}
    if guest.host is not None:
        claims.add(Claim("memory", guest.host, guest.hardware.memory_mib))
    promised: Counter[str] = Counter()
    for disk in guest.hardware.disks:
        promised[disk.storage] += disk.size_bytes
    moments = (guest.hardware, *(snapshot.hardware for snapshot in guest.snapshots))
    written: Counter[str] = Counter()
    for storage, _id, content in {
        (disk.storage, disk.id, disk.content) for hardware in moments for disk in hardware.disks
    }:
        written[storage] += content.length
    return claims | {
        Claim("storage", storage, promised[storage], written[storage]) for storage in promised | written
    }


def check_limits(settings: MockSettings, before: GuestRecord | None, after: GuestRecord) -> None:
    """Check a changed guest against the limits.

    A guest that was created under higher limits can still be changed and removed.

    :raises Conflict: a number has increased and exceeds its limit
    """
    limits = (settings.max_disks, settings.max_interfaces, settings.max_snapshots, settings.max_tags)
    present = (0, 0, 0, 0) if before is None else _counts(before)
    names = ("disks", "network interfaces", "snapshots", "tags")
    for name, limit, old, new in zip(names, limits, present, _counts(after), strict=True):
        if new > old:
            check_limit(name, f"guest {after.name!r}", new, limit)


def check_limit(things: str, place: str, count: int, limit: int) -> None:
    """Check a number against a limit.

    :raises Conflict: there would be too many
    """
    if count > limit:
        raise Conflict(
            f"{place} may have no more {things}: the limit in [hypervisors.mock] is {limit}, delete some"
        )


def _counts(guest: GuestRecord) -> tuple[int, int, int, int]:
    hardware = guest.hardware
    return len(hardware.disks), len(hardware.interfaces), len(guest.snapshots), len(guest.tags)
