"""The hypervisor's SDK, as it were."""

from dataclasses import dataclass, field

from simplestack import Guest


class StuckDoor(Exception):
    """The cupboard cannot be opened."""


@dataclass
class Cupboard:
    """Guests on shelves."""

    address: str
    shelves: int
    guests: dict[str, Guest] = field(default_factory=dict[str, Guest])
