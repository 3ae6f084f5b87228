"""Limits and units that several entities share, and the conversions between units."""

from typing import Annotated

from msgspec import Meta

MIB = 1024**2
GIB = 1024**3

#: 64 TiB, the largest memory and the largest disk that any of the hypervisors supports.
MAX_MEMORY_MIB = 64 * 1024**2
MAX_DISK_GIB = 64 * 1024
MAX_CPUS = 4096
MAX_RATE_BITS = 10**12

_NO_CONTROL_CHARACTERS = r"\A[^\x00-\x1f\x7f]+\Z"

#: The name of a thing: 1 to 255 characters, none of them a control character.
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=_NO_CONTROL_CHARACTERS)]
#: Free text that is shown to people.
Description = Annotated[str, Meta(max_length=4096)]
#: Memory in MiB.
MemoryMiB = Annotated[int, Meta(ge=1, le=MAX_MEMORY_MIB)]
#: A disk's size in GiB; fractions are allowed.
SizeGiB = Annotated[float, Meta(gt=0, le=MAX_DISK_GIB)]
#: Virtual CPUs.
Cpus = Annotated[int, Meta(ge=1, le=MAX_CPUS)]
#: A unicast or multicast MAC address, six octets with colons.
Mac = Annotated[str, Meta(pattern=r"\A[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z")]


def gib(size_bytes: int) -> float:
    """Bytes as GiB: an int where that is exact, so that a 10 GiB disk reads ``10`` on the wire."""
    whole, rest = divmod(size_bytes, GIB)
    return whole if rest == 0 else size_bytes / GIB


def gib_to_bytes(size_gib: float) -> int:
    """GiB as bytes, rounded up to a whole 512-byte sector."""
    return -(-round(size_gib * GIB) // 512) * 512
