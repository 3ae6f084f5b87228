"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a run."""

    rounds: int
    #: Of load, for each figure that is a rate.
    seconds: int
    #: Of an image that goes in and out.
    image_bytes: int
    #: Guests of a libvirtd, for the lists.
    domains: tuple[int, ...]
    #: Volumes of a libvirtd, beside which a guest is deleted.
    volumes: int
    #: Guests of a simulated XAPI or vCenter, for the lists.
    vms: tuple[int, ...]


FULL = Scale(
    rounds=7,
    seconds=3,
    image_bytes=4 * 1024**3,
    domains=(10, 100, 1000),
    volumes=3_000,
    vms=(1_000, 10_000),
)
#: Shows in a minute that all of it runs. Its figures say little.
QUICK = Scale(rounds=2, seconds=1, image_bytes=256 * 1024**2, domains=(20,), volumes=500, vms=(200,))
