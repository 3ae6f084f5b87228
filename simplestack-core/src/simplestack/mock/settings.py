"""Settings of the mock: ``[hypervisors.mock]``."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from simplestack import HypervisorSettings

#: Goes up whenever a table or a record in the database changes its form.
SCHEMA_VERSION = 3

Bound = Annotated[int, Meta(ge=1, le=1_000_000)]
#: A template and two guests.
_FIRST_GUESTS = 3
#: A member of a ustar archive is below 8 GiB.
ContentBytes = Annotated[int, Meta(ge=0, le=4 * 1024**3)]


def default_database() -> str:
    """Return the file in the user's state directory (XDG Base Directory Specification 0.8).

    Its name has the version of its schema: services of two versions on a machine do not disturb each other.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    # The specification: "If an implementation encounters a relative path ... it should ... ignore it."
    try:
        folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a home, as containers have them
        folder = Path("/var/lib")
    return str(folder / "simplestack" / f"mock-{SCHEMA_VERSION}.sqlite3")


class MockSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the mock: where its worlds lie, and how large they may grow."""

    #: The SQLite file that holds all worlds. All workers of a service share it, and so may several services
    #: on one machine; a network file system is no place for it. By default it is
    #: ``simplestack/mock-3.sqlite3`` below ``$XDG_STATE_HOME``, else ``~/.local/state``, else ``/var/lib``.
    database: str = field(default_factory=default_database)
    #: Whether each start of a service begins with worlds as new. What tells a start is
    #: ``SIMPLESTACK_INSTANCE`` in the environment, else the parent process, which all workers have in common.
    reset: bool = False
    #: How many bytes a disk holds that has been written to: what an export of it carries.
    content_bytes: ContentBytes = 1024**2
    #: Worlds, that is different host names.
    max_worlds: Bound = 1_000
    #: Guests of a world, templates included.
    max_guests: Bound = 20_000
    #: Networks of a world.
    max_networks: Bound = 512
    #: Disks of a guest.
    max_disks: Bound = 64
    #: Network interfaces of a guest.
    max_interfaces: Bound = 16
    #: Snapshots of a guest.
    max_snapshots: Bound = 32
    #: Tags of a guest.
    max_tags: Bound = 64
    #: Entries of an interface's ``ipv4_allowed`` and of its ``ipv6_allowed``.
    max_addresses: Bound = 64
    #: Guests that a new world gets besides its first ones, for tests with long lists: ``guest-00001``, ...
    seed_guests: Annotated[int, Meta(ge=0, le=100_000)] = 0

    def __post_init__(self) -> None:
        """Refuse settings that contradict one another."""
        if self.seed_guests + _FIRST_GUESTS > self.max_guests:
            raise ValueError(
                f"`seed_guests` and the {_FIRST_GUESTS} first guests are more than `max_guests`, "
                f"{self.max_guests}"
            )
